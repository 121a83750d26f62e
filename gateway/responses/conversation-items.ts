import type { ChatMessage, ChatRequest } from "../../router/chat.ts";
import type { JsonObject, JsonValue } from "../../router/json.ts";
import { isOurId, makeId } from "../dialects/openai-responses/ids.ts";
import { type KnownItem, toMessages } from "../dialects/openai-responses/parse-items.ts";
import { instructionMessages } from "../dialects/openai-responses/parse.ts";
import { isSealedState } from "../dialects/openai-responses/sealed-state.ts";

/** A request over a whole list of items: our words for any vendor, and a body for one that speaks Responses itself. */
export function requestOver(parsed: ChatRequest, items: readonly KnownItem[]): ChatRequest {
  const { input, places } = toVendorInput(items);
  return {
    ...parsed,
    raw: { ...parsed.raw, input, previous_response_id: undefined, conversation: undefined },
    messages: [
      ...instructionMessages(parsed.raw),
      ...toMessages(items).map((message) => movedTo(message, places.get(message.source ?? -1))),
    ],
  };
}

/** The list for a vendor of this protocol, and where each item went. */
function toVendorInput(items: readonly KnownItem[]): { input: readonly JsonValue[]; places: Map<number, number> } {
  const kept: [index: number, item: JsonObject][] = [];
  let followed = false;
  for (const [index, { item }] of [...items.entries()].toReversed()) {
    const own = toVendorItem(item);
    // An answer that a limit cut off while it thought: the vendor refuses reasoning without what it led to.
    if (own === undefined || (own["type"] === "reasoning" && !followed)) continue;
    followed = isOfModel(own);
    kept.push([index, own]);
  }
  kept.reverse();
  return {
    input: kept.map(([, item]) => item),
    places: new Map(kept.map(([index], place) => [index, place])),
  };
}

function isOfModel(item: JsonObject): boolean {
  const { type, role } = item;
  return role === "assistant" || type === "reasoning" || (typeof type === "string" && type.endsWith("_call"));
}

function movedTo(message: ChatMessage, source: number | undefined): ChatMessage {
  const { source: _before, ...rest } = message;
  return source === undefined ? rest : { ...rest, source };
}

/** Whether an item is one that a vendor must not see as it is. */
export function needsChange(item: JsonObject): boolean {
  return item["type"] === "item_reference" || toVendorItem(item) !== item;
}

/**
 * An item as the vendor of this protocol takes it, or `undefined` when it holds what another vendor thought. Ids of
 * ours, and those of items the vendor does not store, would be looked up in vain.
 */
function toVendorItem(item: JsonObject): JsonObject | undefined {
  const { id, ...rest } = item;
  if (item["type"] === "reasoning") {
    if (isSealedState(item["encrypted_content"])) return undefined;
    if (!isOurId(id)) return item;
    return typeof item["encrypted_content"] === "string" ? rest : undefined;
  }
  return isOurId(id) ? rest : item;
}

/** Input items as they are kept: each with an id, by which it can be listed and referred to. */
export function withIds(items: readonly KnownItem[], trace: string): readonly KnownItem[] {
  return items.map((known, index) => {
    if (typeof known.item["id"] === "string") return known;
    const kind = known.item["type"] === undefined || known.item["type"] === "message" ? "msg" : "item";
    const id = makeId(kind, trace, `in${index}`);
    return { ...known, item: { id, ...known.item } };
  });
}
