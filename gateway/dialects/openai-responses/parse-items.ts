import type {
  AssistantPart,
  ChatMessage,
  TextPart,
  ThinkingPart,
  ToolResultPart,
  VendorState,
} from "../../../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { invalid, optionalString, readArray, readObject, readString } from "../read.ts";
import { isSealedState, openState } from "./sealed-state.ts";
import { parseAssistantContent, parseOutput, parseSystemContent, parseUserContent } from "./parse-content.ts";

/** An item, and what its vendor needs back with it that the item itself has no field for. */
export type KnownItem = { readonly item: JsonObject; readonly state?: VendorState };

/** A client may resend this many items; more is a runaway loop. */
export const maxItems = 20_000;

/** `input` as items: a string is one user message. Throws `invalid_request` naming the field. */
export function toItems(input: JsonValue | undefined): readonly JsonObject[] {
  if (input === undefined || input === null) return [];
  if (typeof input === "string") return [{ type: "message", role: "user", content: input }];
  const items = readArray(input, "input").map((entry, index) => readObject(entry, `input[${index}]`));
  checkCount(items.length);
  return items;
}

/**
 * Items as messages. What the model said in one turn (reasoning, text, calls) is one message; every other item is a
 * message of its own. `source` is the item's place in the list.
 */
export function toMessages(items: readonly KnownItem[]): readonly ChatMessage[] {
  checkCount(items.length);
  const messages: ChatMessage[] = [];
  for (const [source, known] of items.entries()) {
    const path = `input[${source}]`;
    const parsed = parseItem(known, path, source);
    if (parsed === undefined) continue;
    const last = messages.at(-1);
    if (parsed.role === "assistant" && last?.role === "assistant") {
      messages[messages.length - 1] = { ...last, content: [...last.content, ...parsed.content] };
    } else messages.push(parsed);
  }
  return messages;
}

function checkCount(count: number): void {
  if (count > maxItems)
    throw invalid("input", `has ${count} items, earlier ones included; at most ${maxItems} are taken.`);
}

/** `undefined` for an item that says nothing by itself. */
function parseItem({ item, state }: KnownItem, path: string, source: number): ChatMessage | undefined {
  const type = typeOf(item, path);
  switch (type) {
    case "message":
      return parseMessage(item, path, source, state);
    case "function_call":
    case "custom_tool_call":
      return assistant([toolCall(item, path, state)], source);
    case "function_call_output":
    case "custom_tool_call_output":
      return { role: "tool", content: [toolResult(item, path)], source };
    case "reasoning":
      return assistant([reasoning(item, path, state)], source);
    case "item_reference":
      // The item it stands for takes its place where items are kept; alone it has no words.
      readString(item["id"], `${path}.id`);
      return undefined;
    default:
      return vendorItem(item, type, source);
  }
}

function typeOf(item: JsonObject, path: string): string {
  const type = optionalString(item["type"], `${path}.type`);
  if (type !== undefined) return type;
  if (item["role"] !== undefined) return "message";
  if (typeof item["id"] === "string") return "item_reference";
  throw invalid(`${path}.type`, "is missing, and without a role the item is no message.");
}

function parseMessage(item: JsonObject, path: string, source: number, state: VendorState | undefined): ChatMessage {
  const role = readString(item["role"], `${path}.role`);
  const content = item["content"];
  switch (role) {
    case "system":
    case "developer":
      return { role, content: parseSystemContent(content, `${path}.content`), source };
    case "user":
      return { role, content: parseUserContent(content, `${path}.content`), source };
    case "assistant":
      return assistant(signLast(parseAssistantContent(content, `${path}.content`), state), source);
    default:
      throw invalid(`${path}.role`, `must be user, assistant, system or developer, not '${role.slice(0, 40)}'.`);
  }
}

function assistant(content: readonly AssistantPart[], source: number): ChatMessage {
  return { role: "assistant", content, source };
}

/** A signature over text belongs to the text it came after. */
function signLast(parts: readonly AssistantPart[], state: VendorState | undefined): readonly AssistantPart[] {
  const last = parts.findLastIndex((part) => part.type === "text");
  if (state === undefined || last === -1) return parts;
  return parts.map((part, index) => (index === last && part.type === "text" ? signed(part, state) : part));
}

function signed(part: TextPart, state: VendorState): TextPart {
  return { ...part, state };
}

/** A custom tool takes free text; where it is a function like any other, that text is its only argument. */
function toolCall(item: JsonObject, path: string, state: VendorState | undefined): AssistantPart {
  const custom = item["type"] === "custom_tool_call";
  return {
    type: "tool-call",
    id: readString(item["call_id"], `${path}.call_id`),
    name: readString(item["name"], `${path}.name`),
    arguments: custom
      ? JSON.stringify({ input: readString(item["input"], `${path}.input`) })
      : readString(item["arguments"], `${path}.arguments`),
    ...(state === undefined ? {} : { state }),
  };
}

function toolResult(item: JsonObject, path: string): ToolResultPart {
  const toolCallId = readString(item["call_id"], `${path}.call_id`);
  return { type: "tool-result", toolCallId, content: parseOutput(item["output"], `${path}.output`) };
}

function reasoning(item: JsonObject, path: string, state: VendorState | undefined): ThinkingPart {
  const texts = [...thoughts(item["summary"], `${path}.summary`), ...thoughts(item["content"], `${path}.content`)];
  const text = texts.join("\n\n");
  const encrypted = optionalString(item["encrypted_content"], `${path}.encrypted_content`);
  const own: VendorState = { protocol: "openai-responses", value: item };
  const carried = state ?? (isSealedState(encrypted) ? openState(encrypted) : own);
  return { type: "thinking", text, ...(carried === undefined ? {} : { state: carried }) };
}

function thoughts(value: JsonValue | undefined, path: string): readonly string[] {
  if (value === undefined || value === null) return [];
  return readArray(value, path).map((entry, index) =>
    readString(readObject(entry, `${path}[${index}]`)["text"], `${path}[${index}].text`),
  );
}

/**
 * A built-in tool's item. What answers a call of the vendor's is a result, so that no memory block joins it and nobody
 * takes it for the user's words; the rest is the model's own.
 */
function vendorItem(item: JsonObject, type: string, source: number): ChatMessage | undefined {
  const answers = item["call_id"] ?? item["approval_request_id"];
  if (/_(output|response)$/.test(type)) {
    const toolCallId = typeof answers === "string" ? answers : type;
    const output = item["output"];
    const content: TextPart[] = typeof output === "string" ? [{ type: "text", text: output }] : [];
    return { role: "tool", content: [{ type: "tool-result", toolCallId, content }], source };
  }
  if (type === "compaction_trigger" || type === "additional_tools") return undefined;
  return assistant([{ type: "vendor", state: { protocol: "openai-responses", value: item } }], source);
}

/** Items that no other protocol can hold, by their place: named in a warning where they are left out. */
export function itemsWithoutWords(input: JsonValue | undefined): readonly string[] {
  if (!Array.isArray(input)) return [];
  return input.flatMap((item: JsonValue, index) =>
    isJsonObject(item) && (item["type"] === "compaction_trigger" || item["type"] === "additional_tools")
      ? [`input[${index}]`]
      : [],
  );
}
