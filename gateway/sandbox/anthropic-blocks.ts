import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { digest } from "./seal.ts";
import { attachmentTokens, countTokens } from "./tokens.ts";
import type { PromptSegment } from "./view.ts";
import { asObjects, asText } from "./wire.ts";

export type Message = { readonly role: string; readonly blocks: readonly JsonObject[] };

/** A string is one text block, as the API has it. */
export function toBlocks(content: JsonValue | undefined): JsonObject[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : asObjects(content);
}

export function toMessages(body: JsonObject): Message[] {
  return asObjects(body["messages"]).map((message) => ({
    role: asText(message["role"]),
    blocks: toBlocks(message["content"]),
  }));
}

export function isThinking(block: JsonObject): boolean {
  return block["type"] === "thinking" || block["type"] === "redacted_thinking";
}

/** A block as it counts for caches and bindings: its marker is about caching, not about the words. */
function withoutMark(block: JsonObject): JsonObject {
  const { cache_control: _mark, ...rest } = block;
  return rest;
}

/** What is counted and cached, in the API's order: tools, system, messages. */
export function toSegments(body: JsonObject): PromptSegment[] {
  const tools = asObjects(body["tools"]).map((tool) => toSegment("tool", tool));
  const system = toBlocks(body["system"]).map((block) => toSegment("system", block));
  const messages = toMessages(body).flatMap((message) => message.blocks.map((block) => toSegment(message.role, block)));
  const segments = [...tools, ...system, ...messages];
  const last = segments.at(-1);
  const automatic = body["cache_control"];
  if (last !== undefined && isJsonObject(automatic))
    segments[segments.length - 1] = { ...last, mark: toMark(automatic) };
  return segments;
}

function toSegment(role: string, block: JsonObject): PromptSegment {
  const mark = block["cache_control"];
  const text = `${role}\n${JSON.stringify(withoutMark(block))}`;
  const segment = { text: digest(text), tokens: tokensOf(role, block) };
  return isJsonObject(mark) ? { ...segment, mark: toMark(mark) } : segment;
}

function toMark(mark: JsonObject): "5m" | "1h" {
  return mark["ttl"] === "1h" ? "1h" : "5m";
}

function tokensOf(role: string, block: JsonObject): number {
  if (role === "tool") return countTokens(JSON.stringify(withoutMark(block)));
  switch (block["type"]) {
    case "text":
      return countTokens(`${role}\n${asText(block["text"])}`);
    case "thinking":
      return countTokens(asText(block["thinking"]));
    case "image":
    case "document":
      return attachmentTokens;
    case "tool_use":
      return countTokens(JSON.stringify([block["name"], block["input"]]));
    case "tool_result":
      return toBlocks(block["content"]).reduce((sum, inner) => sum + tokensOf(role, inner), 1);
    default:
      return countTokens(JSON.stringify(block));
  }
}

/** Everything the model reads before message `index`, in a form that a marker or a string for a block does not change. */
export function prefixDigest(body: JsonObject, messages: readonly Message[], index: number): string {
  const said = messages.slice(0, index).flatMap(({ role, blocks }) => {
    return blocks.filter((block) => !isThinking(block)).map((block) => [role, withoutMark(block)]);
  });
  const system = toBlocks(body["system"]).map(withoutMark);
  const tools = asObjects(body["tools"]).map(withoutMark);
  return digest(JSON.stringify([system, tools, said]));
}
