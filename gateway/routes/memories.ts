import type { NewMemory } from "../../memory/add-items.ts";
import type { MemoryService } from "../../memory/create-memory.ts";
import type { Recalled } from "../../memory/fuse.ts";
import { type Memory, memoryKinds, memoryStatuses, type Owner } from "../../memory/memory.ts";
import { GatewayError } from "../../router/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import {
  invalid,
  optionalBoolean,
  optionalChoice,
  optionalInteger,
  optionalNumber,
  optionalObject,
  optionalString,
  readArray,
  readObject,
  readString,
} from "../dialects/read.ts";
import { callerOf, type GatewayRequest, type GatewayResponse } from "../handler.ts";
import { checkName, userOf } from "../identity.ts";

const maxBatch = 1000;

/** `/v1/memories…`: list, add, search, read, edit, forget; `DELETE /v1/users/:user` erases. One user's own, always. */
export function createMemoryRoutes(service: MemoryService | undefined, clock: () => Date) {
  function memory(): MemoryService {
    if (service === undefined)
      throw new GatewayError("unsupported", "Memory is switched off in this gateway (memory.enabled).");
    return service;
  }

  return {
    async list(request: GatewayRequest, response: GatewayResponse) {
      const owner = ownerOf(request, response);
      const limit = optionalInteger(numberOf(request.query["limit"]), "limit", 1, 100) ?? 20;
      const cursor = textOf(request.query["after"]);
      const kind = optionalChoice(textOf(request.query["kind"]), "kind", memoryKinds);
      const status = optionalChoice(textOf(request.query["status"]), "status", memoryStatuses) ?? "active";
      const filter = {
        statuses: [status],
        notExpiredAt: clock().toISOString(),
        ...(kind === undefined ? {} : { kinds: [kind] }),
      };
      const page = await memory().list(owner, filter, { limit, ...(cursor === undefined ? {} : { cursor }) });
      response.json({
        object: "list",
        data: page.memories.map(toBody),
        has_more: page.next !== undefined,
        next: page.next ?? null,
      });
    },

    async add(request: GatewayRequest, response: GatewayResponse) {
      const body = readObject(request.body, "body");
      const owner = ownerOf(request, response, body);
      const batch = body["memories"];
      const items =
        batch === undefined
          ? [parseItem(body, "")]
          : readArray(batch, "memories").map((entry, index) =>
              parseItem(readObject(entry, `memories[${index}]`), `memories[${index}].`),
            );
      if (items.length === 0 || items.length > maxBatch)
        throw invalid("memories", `must hold 1 to ${maxBatch} entries, not ${items.length}.`);
      const added = await memory().add(owner, items);
      const [first] = added;
      response
        .status(201)
        .json(batch === undefined && first !== undefined ? toBody(first) : { object: "list", data: added.map(toBody) });
    },

    async search(request: GatewayRequest, response: GatewayResponse) {
      const body = readObject(request.body, "body");
      const owner = ownerOf(request, response, body);
      const query = readString(body["query"], "query");
      const limit = optionalInteger(body["limit"], "limit", 1, 200) ?? 10;
      const kind = optionalChoice(body["kind"], "kind", memoryKinds);
      const asOf = optionalTime(body["as_of"], "as_of");
      const explain = optionalBoolean(body["explain"], "explain") ?? false;
      const found = await memory().search(owner, query, {
        limit,
        ...(kind === undefined ? {} : { kinds: [kind] }),
        ...(asOf === undefined ? {} : { asOf }),
      });
      response.json({ object: "list", data: found.map((hit) => toHitBody(hit, explain)) });
    },

    async get(request: GatewayRequest, response: GatewayResponse) {
      response.json(toBody(found(await memory().get(ownerOf(request, response), idOf(request)), request)));
    },

    async history(request: GatewayRequest, response: GatewayResponse) {
      const versions = await memory().history(ownerOf(request, response), idOf(request));
      if (versions.length === 0) throw notFound(request);
      response.json({ object: "list", data: versions.map(toBody) });
    },

    async edit(request: GatewayRequest, response: GatewayResponse) {
      const body = readObject(request.body, "body");
      const text = optionalString(body["text"], "text");
      const kind = optionalChoice(body["kind"], "kind", memoryKinds);
      const expiresAt = optionalTime(body["expires_at"], "expires_at");
      const core = optionalBoolean(body["core"], "core");
      const metadata = optionalObject(body["metadata"], "metadata");
      const edit = {
        ...(text === undefined ? {} : { text }),
        ...(kind === undefined ? {} : { kind }),
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(core === undefined ? {} : { core }),
        ...(metadata === undefined ? {} : { metadata }),
      };
      if (Object.keys(edit).length === 0)
        throw invalid("body", "must change text, kind, expires_at, core or metadata.");
      response.json(toBody(found(await memory().edit(ownerOf(request, response, body), idOf(request), edit), request)));
    },

    async forget(request: GatewayRequest, response: GatewayResponse) {
      const count = await memory().forget(ownerOf(request, response), [idOf(request)]);
      if (count === 0) throw notFound(request);
      response.json({ id: idOf(request), object: "memory.deleted", deleted: true });
    },

    /** By ids, never by omission: a body without ids deletes nothing. */
    async forgetMany(request: GatewayRequest, response: GatewayResponse) {
      const body = readObject(request.body ?? {}, "body");
      const ids = readArray(body["ids"], "ids").map((id, index) => readString(id, `ids[${index}]`));
      if (ids.length === 0 || ids.length > maxBatch)
        throw invalid("ids", `must hold 1 to ${maxBatch} ids. To erase a user, use DELETE /v1/users/<user>.`);
      response.json({ object: "list.deleted", deleted: await memory().forget(ownerOf(request, response, body), ids) });
    },

    async erase(request: GatewayRequest, response: GatewayResponse) {
      const caller = callerOf(response);
      const user = checkName(String(request.params["user"]), "user");
      if (caller.boundUser !== undefined && caller.boundUser !== user) {
        throw new GatewayError("forbidden", "This key is bound to another user.");
      }
      response.json({
        id: user,
        object: "user.erased",
        memories: await memory().erase({ tenant: caller.tenant, user }),
      });
    },
  };
}

/** Whose memories: the key's user, else the header's, else `user` in the query or the body. */
function ownerOf(request: GatewayRequest, response: GatewayResponse, body?: JsonObject): Owner {
  const caller = callerOf(response);
  const named = textOf(request.query["user"]) ?? optionalString(body?.["user"], "user");
  const user =
    caller.boundUser === undefined && named !== undefined && request.headers["x-throughline-user"] === undefined
      ? checkName(named, "user")
      : userOf(caller, request.headers);
  if (user === undefined) {
    throw new GatewayError(
      "invalid_request",
      "Whose memories? Send 'x-throughline-user', or use a key bound to a user.",
      { param: "x-throughline-user" },
    );
  }
  return { tenant: caller.tenant, user };
}

function parseItem(item: JsonObject, prefix: string): NewMemory {
  const text = readString(item["text"], `${prefix}text`);
  if (text.trim() === "") throw invalid(`${prefix}text`, "is empty.");
  const kind = optionalChoice(item["kind"], `${prefix}kind`, memoryKinds);
  const metadata = optionalObject(item["metadata"], `${prefix}metadata`);
  const expiresAt = optionalTime(item["expires_at"], `${prefix}expires_at`);
  const core = optionalBoolean(item["core"], `${prefix}core`);
  const confidence = optionalNumber(item["confidence"], `${prefix}confidence`, 0, 1);
  return {
    text,
    ...(kind === undefined ? {} : { kind }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(core === undefined ? {} : { core }),
    ...(confidence === undefined ? {} : { confidence }),
  };
}

/** A memory as the API shows it: OpenAI's casing, absent as null. */
function toBody(memory: Memory): JsonObject {
  const { scope, provenance } = memory;
  return {
    id: memory.id,
    object: "memory",
    user: scope.user,
    kind: memory.kind,
    text: memory.text,
    status: memory.status,
    confidence: memory.confidence,
    core: memory.core ?? false,
    valid_from: memory.validFrom ?? null,
    valid_to: memory.validTo ?? null,
    recorded_at: memory.recordedAt,
    superseded_at: memory.supersededAt ?? null,
    superseded_by: memory.supersededBy ?? null,
    confirmed_at: memory.confirmedAt ?? null,
    confirmations: memory.confirmations,
    expires_at: memory.expiresAt ?? null,
    sensitivity: memory.sensitivity ?? null,
    speaker: memory.speaker ?? null,
    session: scope.session ?? provenance.session ?? null,
    provenance: {
      origin: provenance.origin,
      quote: provenance.quote ?? null,
      trace: provenance.trace ?? null,
      extracted_by: provenance.extractedBy ?? null,
      source: provenance.source ?? null,
    },
    metadata: toJson(memory.metadata),
    version: memory.version,
  };
}

function toHitBody({ memory, score, via, arms }: Recalled, explain: boolean): JsonObject {
  const explained = explain ? { explanation: { via, dense: arms.dense ?? null, sparse: arms.sparse ?? null } } : {};
  return { ...toBody(memory), score, ...explained };
}

function toJson(metadata: Memory["metadata"]): JsonObject {
  const value: unknown = metadata === undefined ? {} : JSON.parse(JSON.stringify(metadata));
  return isJsonObject(value) ? value : {};
}

function found(memory: Memory | undefined, request: GatewayRequest): Memory {
  if (memory === undefined) throw notFound(request);
  return memory;
}

function notFound(request: GatewayRequest): GatewayError {
  return new GatewayError("not_found", `No memory '${idOf(request).slice(0, 60)}' of this user.`, { param: "id" });
}

function idOf(request: GatewayRequest): string {
  return String(request.params["id"]);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A query parameter that should be a number; other text goes on as it is, to be refused by name. */
function numberOf(value: unknown): JsonValue | undefined {
  const text = textOf(value);
  return text === undefined || Number.isNaN(Number(text)) ? text : Number(text);
}

function optionalTime(value: JsonValue | undefined, path: string): string | undefined {
  const text = optionalString(value, path);
  if (text === undefined) return undefined;
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw invalid(path, "must be an ISO 8601 time, such as 2026-11-21T09:00:00Z.");
  return at.toISOString();
}
