import type { MemoryService } from "../../memory/create-memory.ts";
import { MemoryStoreError } from "../../memory/memory-store-error.ts";
import { type Memory, memoryKinds, memoryStatuses, type Owner } from "../../memory/memory.ts";
import { GatewayError } from "../../router/errors.ts";
import type { JsonObject, JsonValue } from "../../router/json.ts";
import type { Route } from "../create-app.ts";
import {
  invalid,
  optionalBoolean,
  optionalChoice,
  optionalInteger,
  optionalObject,
  optionalString,
  readArray,
  readObject,
  readString,
} from "../dialects/read.ts";
import type { EraseUser } from "../erase-user.ts";
import { callerOf, type GatewayRequest, type GatewayResponse, type Handler } from "../handler.ts";
import { checkName, userOf } from "../identity.ts";
import { optionalTime, parseItem, toHitBody, toMemoryBody } from "./memory-body.ts";

const maxBatch = 1000;

type Parts = { readonly memory: MemoryService; readonly clock: () => Date };

/** `/v1/memories…`: list, add, search, read, edit, forget; `DELETE /v1/users/:user` erases. One user's own, always. */
export function createMemoryRoutes(
  service: MemoryService | undefined,
  clock: () => Date,
  erase: EraseUser,
): readonly Route[] {
  const routes = [
    { method: "get", path: "/v1/memories", create: listMemories },
    { method: "post", path: "/v1/memories", create: addMemories },
    { method: "delete", path: "/v1/memories", create: forgetMemories },
    { method: "post", path: "/v1/memories/search", create: searchMemories },
    { method: "get", path: "/v1/memories/:id", create: getMemory },
    { method: "patch", path: "/v1/memories/:id", create: editMemory },
    { method: "delete", path: "/v1/memories/:id", create: forgetMemory },
    { method: "get", path: "/v1/memories/:id/history", create: memoryHistory },
  ] as const;
  return [
    ...routes.map(({ method, path, create }) => ({
      method,
      path,
      handle: service === undefined ? switchedOff : create({ memory: service, clock }),
    })),
    { method: "delete", path: "/v1/users/:user", handle: eraseUser(erase) },
  ];
}

function switchedOff(): never {
  throw new GatewayError("not_found", "Memory is switched off in this gateway (memory.enabled).");
}

function listMemories({ memory, clock }: Parts): Handler {
  return async (request, response) => {
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
    const page = await memory
      .list(owner, filter, { limit, ...(cursor === undefined ? {} : { cursor }) })
      .catch((error: unknown) => {
        throw cursor !== undefined && error instanceof MemoryStoreError && error.code === "bad_input"
          ? invalid("after", "is not a cursor that this list gave.")
          : error;
      });
    response.json({
      object: "list",
      data: page.memories.map(toMemoryBody),
      has_more: page.next !== undefined,
      next: page.next ?? null,
    });
  };
}

function addMemories({ memory }: Parts): Handler {
  return async (request, response) => {
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
    const added = await memory.add(owner, items);
    const [first] = added;
    response
      .status(201)
      .json(
        batch === undefined && first !== undefined
          ? toMemoryBody(first)
          : { object: "list", data: added.map(toMemoryBody) },
      );
  };
}

function searchMemories({ memory }: Parts): Handler {
  return async (request, response) => {
    const body = readObject(request.body, "body");
    const owner = ownerOf(request, response, body);
    const query = readString(body["query"], "query");
    const limit = optionalInteger(body["limit"], "limit", 1, 200) ?? 10;
    const kind = optionalChoice(body["kind"], "kind", memoryKinds);
    const asOf = optionalTime(body["as_of"], "as_of");
    const explain = optionalBoolean(body["explain"], "explain") ?? false;
    const hits = await memory.search(owner, query, {
      limit,
      ...(kind === undefined ? {} : { kinds: [kind] }),
      ...(asOf === undefined ? {} : { asOf }),
    });
    response.json({ object: "list", data: hits.map((hit) => toHitBody(hit, explain)) });
  };
}

function getMemory({ memory }: Parts): Handler {
  return async (request, response) => {
    response.json(toMemoryBody(found(await memory.get(ownerOf(request, response), idOf(request)), request)));
  };
}

function memoryHistory({ memory }: Parts): Handler {
  return async (request, response) => {
    const versions = await memory.history(ownerOf(request, response), idOf(request));
    if (versions.length === 0) throw notFound(request);
    response.json({ object: "list", data: versions.map(toMemoryBody) });
  };
}

function editMemory({ memory }: Parts): Handler {
  return async (request, response) => {
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
    if (Object.keys(edit).length === 0) throw invalid("body", "must change text, kind, expires_at, core or metadata.");
    response.json(
      toMemoryBody(found(await memory.edit(ownerOf(request, response, body), idOf(request), edit), request)),
    );
  };
}

function forgetMemory({ memory }: Parts): Handler {
  return async (request, response) => {
    const count = await memory.forget(ownerOf(request, response), [idOf(request)]);
    if (count === 0) throw notFound(request);
    response.json({ id: idOf(request), object: "memory.deleted", deleted: true });
  };
}

/** By ids, never by omission: a body without ids deletes nothing. */
function forgetMemories({ memory }: Parts): Handler {
  return async (request, response) => {
    const body = readObject(request.body ?? {}, "body");
    const ids = readArray(body["ids"], "ids").map((id, index) => readString(id, `ids[${index}]`));
    if (ids.length === 0 || ids.length > maxBatch)
      throw invalid("ids", `must hold 1 to ${maxBatch} ids. To erase a user, use DELETE /v1/users/<user>.`);
    response.json({ object: "list.deleted", deleted: await memory.forget(ownerOf(request, response, body), ids) });
  };
}

/** Answers with memory off too: a promise to erase holds for what was kept before. */
function eraseUser(erase: EraseUser): Handler {
  return async (request, response) => {
    const caller = callerOf(response);
    const user = checkName(String(request.params["user"]), "user");
    if (caller.boundUser !== undefined && caller.boundUser !== user) {
      throw new GatewayError("forbidden", "This key is bound to another user.");
    }
    response.json({ id: user, object: "user.erased", memories: await erase({ tenant: caller.tenant, user }) });
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
