import type { JsonObject } from "../../router/json.ts";
import type { SandboxModel } from "./models.ts";
import { createOpenaiChat } from "./openai-chat.ts";
import { embed } from "./openai-embeddings.ts";
import { createOpenaiResponses } from "./openai-responses.ts";
import { toOpenaiError } from "./openai-error.ts";
import { Refusal, asText, type Exchange, type Reply, type SandboxState, type VendorWire } from "./wire.ts";

/** OpenAI's protocol: Chat Completions, Responses, embeddings and the model list. */
export function createOpenaiWire(state: SandboxState): VendorWire {
  const chat = createOpenaiChat(state);
  const responses = createOpenaiResponses(state);
  return {
    vendor: "openai",
    readKey: (headers) => /^Bearer\s+(\S+)$/iu.exec(headers.authorization ?? "")?.[1],
    toKeyProblem: (key) => ({
      status: 401,
      code: key === undefined ? "" : "invalid_api_key",
      message:
        key === undefined
          ? "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
          : "Incorrect API key provided. The sandbox's own key is needed.",
    }),
    toError: toOpenaiError,
    handle: (exchange) => {
      const { method, path } = exchange;
      if (method === "POST" && path === "/v1/chat/completions")
        return chat(exchange, needModel(state, exchange, "chat"));
      if (method === "POST" && path === "/v1/responses")
        return responses.create(exchange, needModel(state, exchange, "chat"));
      if (path.startsWith("/v1/responses/")) return responses.stored(exchange);
      if (method === "POST" && path === "/v1/embeddings") {
        const model = needModel(state, exchange, "embedding");
        return {
          kind: "json",
          body: embed(exchange.body, model),
          delivery: state.failures.take("openai", model.id, undefined),
        };
      }
      if (method === "GET" && path.startsWith("/v1/models")) return listModels(state, path);
      throw new Refusal(404, `Invalid URL (${method} ${path})`);
    },
  };
}

function needModel(state: SandboxState, { body }: Exchange, kind: SandboxModel["kind"]): SandboxModel {
  const id = asText(body["model"]);
  if (id === "") throw new Refusal(400, "you must provide a model parameter");
  const model = state.models.find("openai", id);
  if (model === undefined) {
    throw new Refusal(404, `The model \`${id}\` does not exist or you do not have access to it.`, {
      code: "model_not_found",
    });
  }
  if (model.kind !== kind)
    throw new Refusal(404, `The model \`${id}\` is not supported by this endpoint.`, { param: "model" });
  return model;
}

function listModels(state: SandboxState, path: string): Reply {
  const models = state.models.list("openai");
  const delivery = state.failures.take("openai", "", undefined);
  if (path === "/v1/models") return { kind: "json", body: { object: "list", data: models.map(toRow) }, delivery };
  const id = decodeURIComponent(path.slice("/v1/models/".length));
  const model = models.find((row) => row.id === id);
  if (model === undefined)
    throw new Refusal(404, `The model '${id}' does not exist`, { code: "model_not_found", param: "model" });
  return { kind: "json", body: toRow(model), delivery };
}

function toRow(model: SandboxModel): JsonObject {
  return { id: model.id, object: "model", created: 1_767_225_600, owned_by: "sandbox" };
}
