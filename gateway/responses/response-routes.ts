import { GatewayError } from "../../router/errors.ts";
import type { JsonObject, JsonValue } from "../../router/json.ts";
import { shapeOf } from "../../router/shape.ts";
import type { OpenConversation } from "../chat/opened-conversation.ts";
import type { Route } from "../create-app.ts";
import { openAiResponses } from "../dialects/openai-responses/dialect.ts";
import { optionalChoice, optionalInteger, readObject } from "../dialects/read.ts";
import { callerOf, type GatewayRequest, type GatewayResponse, type Handler } from "../handler.ts";
import { checkName, headerText, userOf } from "../identity.ts";
import { replayStream } from "./replay-stream.ts";
import { toItemResource } from "./item-resource.ts";
import type { ResponseReader, ResponseStore } from "./response-store.ts";

const path = "/v1/responses";
const dialect = openAiResponses;

/** What can be done with responses beside making one: count their tokens, read, list, cancel and delete them. */
export function createResponseRoutes(store: ResponseStore, open: OpenConversation): readonly Route[] {
  return [
    { method: "post", path: `${path}/input_tokens`, handle: countTokens(open), dialect },
    { method: "get", path: `${path}/:id`, handle: getResponse(store), dialect },
    { method: "delete", path: `${path}/:id`, handle: deleteResponse(store), dialect },
    { method: "get", path: `${path}/:id/input_items`, handle: listInputItems(store), dialect },
    { method: "post", path: `${path}/:id/cancel`, handle: cancelResponse(store), dialect },
  ];
}

function getResponse(store: ResponseStore): Handler {
  return async (request, response) => {
    const { query } = request;
    const stream = optionalChoice(textOf(query["stream"]), "stream", ["true", "false"]) === "true";
    const after = optionalInteger(numberOf(query["starting_after"]), "starting_after", 0, Number.MAX_SAFE_INTEGER);
    const kept = found(await store.get(readerOf(request, response), idOf(request)), request);
    if (!stream) {
      response.json(kept);
      return;
    }
    response.setHeader("content-type", "text/event-stream; charset=utf-8");
    response.setHeader("cache-control", "no-cache, no-transform");
    response.end(replayStream(kept, after ?? -1));
  };
}

function deleteResponse(store: ResponseStore): Handler {
  return async (request, response) => {
    if (!(await store.delete(readerOf(request, response), idOf(request)))) throw notFound(request);
    response.json({ id: idOf(request), object: "response", deleted: true });
  };
}

/** Everything here is answered in the request that asked for it, so nothing can be running still. */
function cancelResponse(store: ResponseStore): Handler {
  return async (request, response) => {
    found(await store.get(readerOf(request, response), idOf(request)), request);
    throw new GatewayError("invalid_request", "Cannot cancel a synchronous response.", { param: "response_id" });
  };
}

function listInputItems(store: ResponseStore): Handler {
  return async (request, response) => {
    const { query } = request;
    const limit = optionalInteger(numberOf(query["limit"]), "limit", 1, 100) ?? 20;
    const order = optionalChoice(textOf(query["order"]), "order", ["asc", "desc"]) ?? "desc";
    const items = found(await store.inputItems(readerOf(request, response), idOf(request)), request);
    const ordered = order === "asc" ? items : items.toReversed();
    const after = textOf(query["after"]);
    const at = after === undefined ? -1 : ordered.findIndex((item) => item["id"] === after);
    if (after !== undefined && at === -1) {
      throw new GatewayError("invalid_request", "'after' is not an item of this response.", { param: "after" });
    }
    const data = ordered.slice(at + 1, at + 1 + limit).map(toItemResource);
    response.json({
      object: "list",
      data,
      first_id: data[0]?.["id"] ?? "",
      last_id: data.at(-1)?.["id"] ?? "",
      has_more: at + 1 + limit < ordered.length,
    });
  };
}

/** Estimated here, whoever will answer: vendors count differently, and none is asked. */
function countTokens(open: OpenConversation): Handler {
  return async (request, response) => {
    const body = readObject(request.body, "body");
    const parsed = dialect.parse({ model: "auto", ...body, store: false }, request.headers);
    const caller = callerOf(response);
    const user = userOf(caller, request.headers, parsed);
    const asker = { tenant: caller.tenant, user, trace: response.locals.trace };
    const { request: whole } = await open(parsed, asker);
    response.setHeader("x-throughline-warnings", "input_tokens: estimated");
    response.json({ object: "response.input_tokens", input_tokens: shapeOf(whole).inputTokens });
  };
}

/**
 * A request without a body names its user by key or header. One that names none, with a key to the whole tenant, may
 * read by id alone what that tenant made: SDKs send no user here.
 */
function readerOf(request: GatewayRequest, response: GatewayResponse): ResponseReader {
  const { tenant, boundUser } = callerOf(response);
  const named = boundUser ?? headerText(request.headers, "x-throughline-user");
  return named === undefined ? { tenant } : { tenant, user: checkName(named, "x-throughline-user") };
}

function found<T extends JsonObject | readonly JsonObject[]>(value: T | undefined, request: GatewayRequest): T {
  if (value === undefined) throw notFound(request);
  return value;
}

function notFound(request: GatewayRequest): GatewayError {
  return new GatewayError("not_found", `Response with id '${idOf(request).slice(0, 100)}' not found.`, {
    param: "response_id",
  });
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
