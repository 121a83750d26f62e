import type { MemoryService } from "../../memory/create-memory.ts";
import type { Memory, Owner } from "../../memory/memory.ts";
import { type ListFilter, maxSearchLimit } from "../../memory/reads.ts";
import { GatewayError } from "../../router/errors.ts";
import type { JsonObject } from "../../router/json.ts";
import type { Route } from "../create-app.ts";
import {
  invalid,
  optionalBoolean,
  optionalInteger,
  optionalNumber,
  optionalObject,
  optionalString,
  readObject,
  readString,
} from "../dialects/read.ts";
import { callerOf, type GatewayRequest, type GatewayResponse, type Handler } from "../handler.ts";
import { checkMetadata, flagOf, idOf, numberOf, textOf, toRefusal } from "../routes/memory-request.ts";
import { addMem0, parseMem0Add } from "./add.ts";
import { fromMem0Id, type Mem0Owner, noSuchMemory, ownerOfEntities, parseEntities } from "./entities.ts";
import { parseMem0Filter } from "./filters.ts";
import {
  checkNoEntityKeys,
  isListed,
  parseExpiration,
  toFilterable,
  toMem0Body,
  toMem0History,
  toMem0Hit,
} from "./shapes.ts";

type Parts = { readonly memory: MemoryService; readonly clock: () => Date };

/**
 * The paths of mem0's open-source server, on the same memories as `/v1/memories`, for clients that were written for it.
 * Errors have its shape too: `{"detail": "…"}`.
 */
export function createMem0Routes(parts: Parts): readonly Route[] {
  const routes = [
    { method: "post", path: "/memories", handle: addMemories(parts) },
    { method: "get", path: "/memories", handle: listMemories(parts) },
    { method: "delete", path: "/memories", handle: deleteMemories(parts) },
    { method: "post", path: "/search", handle: searchMemories(parts) },
    { method: "get", path: "/memories/:id", handle: getMemory(parts) },
    { method: "put", path: "/memories/:id", handle: updateMemory(parts) },
    { method: "delete", path: "/memories/:id", handle: deleteMemory(parts) },
    { method: "get", path: "/memories/:id/history", handle: memoryHistory(parts) },
    {
      method: "post",
      path: "/reset",
      handle: refuse(
        "To forget one user, use DELETE /memories?user_id=…: everybody's memories are not deleted at once.",
      ),
    },
    {
      method: "post",
      path: "/configure",
      handle: refuse("This server is configured by its file (THROUGHLINE_CONFIG)."),
    },
  ] as const;
  return routes.map(({ method, path, handle }) => ({ method, path, handle, errorBody }));
}

function errorBody(failure: GatewayError): JsonObject {
  return { detail: failure.message };
}

function refuse(message: string): Handler {
  return () => {
    throw new GatewayError("forbidden", message);
  };
}

function addMemories({ memory, clock }: Parts): Handler {
  return async (request, response) => {
    const body = readObject(request.body, "body");
    const to = ownerOfEntities(callerOf(response), parseEntities(body));
    response.json({ results: await addMem0(memory, to, parseMem0Add(body, to), clock) });
  };
}

const maxListed = 1_000;
const pageSize = 100;

function listMemories({ memory, clock }: Parts): Handler {
  return async (request, response) => {
    const { owner, metadata } = queryOwner(request, response);
    const limit =
      optionalInteger(numberOf(request.query["top_k"] ?? request.query["limit"]), "top_k", 1, maxListed) ?? pageSize;
    const showExpired = optionalBoolean(flagOf(request.query["show_expired"]), "show_expired") ?? false;
    const filter: ListFilter = {
      metadata,
      statuses: ["active", "review"],
      accept: isListed,
      ...(showExpired ? {} : { notExpiredAt: clock().toISOString() }),
    };
    response.json({ results: (await listAll(memory, owner, filter, limit)).map(toMem0Body) });
  };
}

function searchMemories({ memory }: Parts): Handler {
  return async (request, response) => {
    const body = readObject(request.body, "body");
    const filter = parseMem0Filter(optionalObject(body["filters"], "filters"));
    // Identifiers stand in the filters, or where older clients put them.
    const to = ownerOfEntities(callerOf(response), parseEntities({ ...body, ...filter.equal }));
    const query = readString(body["query"], "query");
    if (query.trim() === "" || query.length > maxQueryChars) {
      throw invalid("query", `must have 1 to ${maxQueryChars} characters.`);
    }
    const limit = optionalInteger(body["top_k"] ?? body["limit"], "top_k", 1, maxSearchLimit) ?? 20;
    const threshold = optionalNumber(body["threshold"], "threshold", 0, 1) ?? 0;
    const explain = optionalBoolean(body["explain"], "explain") ?? false;
    const includeExpired = optionalBoolean(body["show_expired"], "show_expired") ?? false;
    const hits = await memory.search(to.owner, query, {
      limit,
      metadata: to.metadata,
      statuses: ["active"],
      includeExpired,
      accept: (found) => isListed(found) && filter.accepts(toFilterable(found)),
    });
    response.json({ results: hits.filter(({ score }) => score >= threshold).map((hit) => toMem0Hit(hit, explain)) });
  };
}

const maxQueryChars = 20_000;

function getMemory({ memory }: Parts): Handler {
  return async (request, response) => {
    const { newest } = await find(memory, request, response);
    response.json({ ...toMem0Body(newest), id: idOf(request) });
  };
}

function updateMemory({ memory }: Parts): Handler {
  return async (request, response) => {
    const body = readObject(request.body, "body");
    const text = optionalString(body["text"] ?? body["data"], "text");
    const metadata = checkMetadata(optionalObject(body["metadata"], "metadata"), "metadata");
    checkNoEntityKeys(metadata);
    const expiresAt = parseExpiration(body);
    if (text === undefined && metadata === undefined && expiresAt === undefined) {
      throw invalid("text", "is missing: change text, metadata or expiration_date.");
    }
    const { newest, owner } = await find(memory, request, response);
    try {
      await memory.edit(owner, newest.id, {
        ...(text === undefined ? {} : { text }),
        ...(metadata === undefined ? {} : { metadata: { ...entitiesOf(newest), ...metadata } }),
        ...(expiresAt === undefined ? {} : { expiresAt }),
      });
    } catch (error) {
      throw toRefusal(error);
    }
    response.json({ message: "Memory updated successfully!" });
  };
}

/** With its earlier versions, which are the same memory. */
function deleteMemory({ memory }: Parts): Handler {
  return async (request, response) => {
    const { versions, owner } = await find(memory, request, response);
    await memory.forget(
      owner,
      versions.map(({ id }) => id),
    );
    response.json({ message: "Memory deleted successfully!" });
  };
}

/** Of one user, agent or run: without an identifier nothing is deleted. */
function deleteMemories({ memory }: Parts): Handler {
  return async (request, response) => {
    const { owner, metadata, isWhole } = queryOwner(request, response);
    if (isWhole) await memory.erase(owner);
    else {
      for (let round = 0; round < maxDeleteRounds; round += 1) {
        const found = await listAll(memory, owner, { metadata }, maxListed);
        if (found.length === 0) break;
        await memory.forget(
          owner,
          found.map(({ id }) => id),
        );
      }
    }
    response.json({ message: "All relevant memories deleted" });
  };
}

const maxDeleteRounds = 1_000;

function memoryHistory({ memory }: Parts): Handler {
  return async (request, response) => {
    const { versions } = await find(memory, request, response);
    response.json(toMem0History(idOf(request), versions));
  };
}

function queryOwner(request: GatewayRequest, response: GatewayResponse): Mem0Owner {
  const { query } = request;
  const entities = parseEntities({
    user_id: textOf(query["user_id"]),
    agent_id: textOf(query["agent_id"]),
    run_id: textOf(query["run_id"]),
  });
  return ownerOfEntities(callerOf(response), entities);
}

/** The memory that an id names, all its versions, and what it has become. */
async function find(
  memory: MemoryService,
  request: GatewayRequest,
  response: GatewayResponse,
): Promise<{ readonly owner: Owner; readonly versions: readonly Memory[]; readonly newest: Memory }> {
  const { owner, id } = fromMem0Id(callerOf(response), idOf(request));
  const versions = await memory.history(owner, id);
  const newest = versions.at(-1);
  if (newest === undefined) throw noSuchMemory();
  return { owner, versions, newest };
}

async function listAll(
  memory: MemoryService,
  owner: Owner,
  filter: ListFilter,
  limit: number,
): Promise<readonly Memory[]> {
  const found: Memory[] = [];
  let cursor: string | undefined;
  while (found.length < limit) {
    const wanted = Math.min(pageSize, limit - found.length);
    const page = await memory.list(owner, filter, { limit: wanted, ...(cursor === undefined ? {} : { cursor }) });
    found.push(...page.memories);
    cursor = page.next;
    if (cursor === undefined) break;
  }
  return found;
}

function entitiesOf({ metadata }: Memory): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(metadata ?? {}).filter(([key]) => ["agent_id", "run_id", "role"].includes(key)),
  );
}
