import { GatewayError } from "../../router/errors.ts";
import { nearest } from "../../router/nearest.ts";
import type { Router } from "../../router/router.ts";
import type { Handler } from "../handler.ts";

/** `GET /v1/models`: every name a client may send, in OpenAI's shape. */
export function createListModels(router: Router): Handler {
  return (_request, response) => {
    response.json({ object: "list", data: router.modelNames.map((id) => describe(router, id)) });
  };
}

/** `GET /v1/models/:id`; ids hold slashes, so the rest of the path is the id. */
export function createGetModel(router: Router): Handler {
  return (request, response) => {
    const parts = request.params["id"];
    const id = Array.isArray(parts) ? parts.join("/") : String(parts);
    if (!router.modelNames.includes(id)) {
      const near = nearest(id, router.modelNames);
      const hint = near.length === 0 ? "" : ` Did you mean ${near.join(" or ")}?`;
      throw new GatewayError("unknown_model", `No model '${id.slice(0, 100)}' here.${hint}`, { param: "model" });
    }
    response.json(describe(router, id));
  };
}

function describe(router: Router, id: string) {
  const model = router.models.find(
    (candidate) => candidate.id === id || `${candidate.provider}/${candidate.id}` === id,
  );
  const created = model?.released === undefined ? 0 : Math.floor(Date.parse(model.released) / 1000);
  return { id, object: "model", created, owned_by: model?.provider ?? "throughline" };
}
