import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import type { ChatRequest } from "../../router/chat.ts";
import { GatewayError } from "../../router/errors.ts";
import { invalid, readString } from "../dialects/read.ts";
import type { OpenConversation, OpenedConversation } from "../chat/opened-conversation.ts";
import { openAiResponses } from "../dialects/openai-responses/dialect.ts";
import { ResponseStreamEncoder } from "../dialects/openai-responses/encode-stream.ts";
import { WholeResponse } from "../dialects/openai-responses/encode-whole.ts";
import type { FinishedResponse, FinishingEncoder } from "../dialects/openai-responses/finished.ts";
import { type KnownItem, toItems } from "../dialects/openai-responses/parse-items.ts";
import { conversationId, previousResponseId } from "../dialects/openai-responses/parse.ts";
import { needsChange, requestOver, withIds } from "./conversation-items.ts";
import type { ResponseOwner, ResponseStore, Thread } from "./response-store.ts";

/**
 * Puts what `previous_response_id`, `conversation` and item references stand for into the request, and keeps the
 * answer. The state is ours alone: the vendor is asked to store nothing, so that any vendor can go on from any other,
 * and deleting here deletes.
 */
export function createOpenConversation(store: ResponseStore): OpenConversation {
  return async (parsed, asker) => {
    const owner = { tenant: asker.tenant, user: asker.user ?? "" };
    const body = parsed.raw;
    const before = await threadBefore(store, owner, body);
    const input = await dereference(store, owner, toItems(body["input"]));
    const request = toRequest(parsed, before, input);
    let encoder: FinishingEncoder | undefined;
    return {
      request,
      session: before?.session ?? conversationId(body),
      dialect: {
        ...openAiResponses,
        createWholeEncoder: (info) => {
          const created = new WholeResponse(info, body);
          encoder = created;
          return created;
        },
        createStreamEncoder: (info) => {
          const created = new ResponseStreamEncoder(info, body);
          encoder = created;
          return created;
        },
      },
      async keep(session) {
        if (body["store"] === false || encoder === undefined) return;
        const { response, states } = encoder.finished();
        const { id } = response;
        if (typeof id !== "string") return;
        await store.keep(owner, {
          id,
          response,
          input: withIds(input, asker.trace),
          output: outputItems({ response, states }),
          session: before?.session ?? session,
          after: before?.place,
          conversation: conversationId(body),
        });
      },
    } satisfies OpenedConversation;
  };
}

async function threadBefore(store: ResponseStore, owner: ResponseOwner, body: JsonObject): Promise<Thread | undefined> {
  const conversation = conversationId(body);
  if (conversation !== undefined) return store.thread(owner, { conversation });
  const response = previousResponseId(body);
  if (response === undefined) return undefined;
  const thread = await store.thread(owner, { response });
  if (thread !== undefined) return thread;
  throw new GatewayError("not_found", `Previous response with id '${response.slice(0, 100)}' not found.`, {
    param: "previous_response_id",
  });
}

async function dereference(
  store: ResponseStore,
  owner: ResponseOwner,
  items: readonly JsonObject[],
): Promise<readonly KnownItem[]> {
  const known: KnownItem[] = [];
  for (const [index, item] of items.entries()) {
    if (!isReference(item)) {
      known.push({ item });
      continue;
    }
    const id = readString(item["id"], `input[${index}].id`);
    const found = await store.findItem(owner, id);
    if (found === undefined) {
      throw new GatewayError(
        "not_found",
        `Item with id '${id.slice(0, 100)}' not found: it was not stored, or is no longer.`,
        {
          param: `input[${index}]`,
        },
      );
    }
    known.push(found);
  }
  return known;
}

function isReference(item: JsonObject): boolean {
  const type = item["type"] ?? undefined;
  return type === "item_reference" || (type === undefined && item["role"] === undefined);
}

function toRequest(parsed: ChatRequest, before: Thread | undefined, input: readonly KnownItem[]): ChatRequest {
  const body = parsed.raw;
  const stateful = before !== undefined || conversationId(body) !== undefined;
  const changed = typeof body["input"] !== "string" && toItems(body["input"]).some(needsChange);
  const request = stateful || changed ? requestOver(parsed, [...(before?.items ?? []), ...input]) : parsed;
  if (!request.messages.some(({ role }) => role !== "system" && role !== "developer")) {
    throw invalid("input", "is missing or empty, and nothing came before it: send a string or at least one item.");
  }
  if (body["store"] === false && !stateful) return request;
  return { ...request, raw: { ...request.raw, store: false, include: withEncryptedReasoning(body["include"]) } };
}

/** Reasoning that the vendor does not store comes back to it encrypted, or it is lost. */
function withEncryptedReasoning(include: JsonValue | undefined): JsonValue {
  const asked: readonly JsonValue[] = Array.isArray(include) ? include : [];
  return asked.includes("reasoning.encrypted_content") ? asked : [...asked, "reasoning.encrypted_content"];
}

function outputItems({ response, states }: FinishedResponse): readonly KnownItem[] {
  const output = Array.isArray(response["output"]) ? response["output"] : [];
  return output.flatMap((item: JsonValue, place) => {
    if (!isJsonObject(item)) return [];
    const state = states.get(place);
    return [state === undefined ? { item } : { item, state }];
  });
}
