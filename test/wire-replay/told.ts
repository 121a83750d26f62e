import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { parseLine, type Recording } from "./recordings.ts";

/** What a recording tells, read straight from the vendor's JSON and by none of the gateway's own readers. */
export type Told = {
  readonly text: string;
  /** The deltas of a stream, as they were recorded: some recordings leave deltas out of the middle. */
  readonly deltas: string;
  readonly refusal: string;
  readonly calls: readonly { readonly name: string; readonly arguments: JsonValue }[];
  readonly usage: { readonly input: number; readonly cached: number; readonly output: number } | undefined;
  readonly failed: boolean;
};

type Draft = {
  text: string;
  deltas: string;
  refusal: string;
  readonly calls: Map<string, { name: string; arguments: string }>;
  usage: JsonObject;
  failed: boolean;
};

export function readTold(recording: Recording): Told {
  const draft: Draft = { text: "", deltas: "", refusal: "", calls: new Map(), usage: {}, failed: false };
  const bodies = [...(recording.events ?? []), ...(recording.whole === undefined ? [] : [recording.whole])];
  const readers = { anthropic, google, "openai-chat": chat, "openai-responses": responses };
  for (const line of bodies) {
    const body = parseLine(line);
    if (body === undefined) throw new Error(`${recording.name} holds a line that is no JSON: ${line.slice(0, 80)}`);
    if (isJsonObject(body["error"])) draft.failed = true;
    readers[recording.wire](draft, body);
  }
  return {
    text: draft.text,
    deltas: draft.deltas === "" ? draft.text : draft.deltas,
    refusal: draft.refusal,
    calls: [...draft.calls.values()].map((call) => ({
      name: call.name,
      arguments: JSON.parse(call.arguments === "" ? "{}" : call.arguments) as JsonValue,
    })),
    usage: usageOf(recording, draft.usage),
    failed: draft.failed,
  };
}

const objects = (value: JsonValue | undefined): JsonObject[] =>
  Array.isArray(value) ? value.filter((item: JsonValue) => isJsonObject(item)) : [];
const object = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {});
const text = (value: JsonValue | undefined): string => (typeof value === "string" ? value : "");
const number = (value: JsonValue | undefined): number => (typeof value === "number" ? value : 0);

function addCall(draft: Draft, key: string, name: string, written: string): void {
  const known = draft.calls.get(key);
  if (known === undefined) draft.calls.set(key, { name, arguments: written });
  else known.arguments += written;
}

function anthropic(draft: Draft, body: JsonObject): void {
  const key = JSON.stringify(body["index"]);
  switch (body["type"]) {
    case "message":
      draft.usage = object(body["usage"]);
      for (const [index, block] of objects(body["content"]).entries()) {
        if (block["type"] === "text") draft.text += text(block["text"]);
        if (block["type"] === "tool_use")
          addCall(draft, String(index), text(block["name"]), JSON.stringify(block["input"]));
      }
      break;
    case "message_start":
      draft.usage = object(object(body["message"])["usage"]);
      break;
    case "content_block_start": {
      const block = object(body["content_block"]);
      if (block["type"] === "text") draft.text += text(block["text"]);
      if (block["type"] === "tool_use") addCall(draft, key, text(block["name"]), "");
      break;
    }
    case "content_block_delta": {
      const delta = object(body["delta"]);
      draft.text += text(delta["text"]);
      if (draft.calls.has(key)) addCall(draft, key, "", text(delta["partial_json"]));
      break;
    }
    case "message_delta": {
      const counts = Object.entries(object(body["usage"])).filter(([, count]) => count !== null);
      draft.usage = { ...draft.usage, ...Object.fromEntries(counts) };
      break;
    }
    default:
      break;
  }
}

function google(draft: Draft, body: JsonObject): void {
  draft.usage = { ...draft.usage, ...object(body["usageMetadata"]) };
  const [candidate = {}] = objects(body["candidates"]);
  for (const part of objects(object(candidate["content"])["parts"])) {
    if (part["thought"] !== true) draft.text += text(part["text"]);
    const called = part["functionCall"];
    if (!isJsonObject(called)) continue;
    if (text(called["name"]) !== "")
      draft.calls.set(String(draft.calls.size), { name: text(called["name"]), arguments: "{}" });
    const open = draft.calls.get(String(draft.calls.size - 1));
    if (open === undefined) continue;
    if (isJsonObject(called["args"])) open.arguments = JSON.stringify(called["args"]);
    for (const piece of objects(called["partialArgs"])) open.arguments = withPiece(open.arguments, piece);
  }
}

/** A piece of an argument: strings at one path are joined, anything else is the value. Paths of one step are all we have seen. */
function withPiece(written: string, piece: JsonObject): string {
  const value = JSON.parse(written) as Record<string, JsonValue>;
  const name = /^\$\.([\w-]+)$/.exec(text(piece["jsonPath"]))?.[1];
  if (name === undefined) throw new Error(`A path this reader does not know: ${text(piece["jsonPath"])}`);
  const said = piece["stringValue"];
  value[name] =
    typeof said === "string" ? text(value[name]) + said : (piece["numberValue"] ?? piece["boolValue"] ?? null);
  return JSON.stringify(value);
}

function chat(draft: Draft, body: JsonObject): void {
  if (isJsonObject(body["usage"])) draft.usage = body["usage"];
  for (const choice of objects(body["choices"])) {
    if (number(choice["index"]) !== 0) continue;
    const said = object(choice["delta"] ?? choice["message"]);
    draft.text += text(said["content"]);
    draft.refusal += text(said["refusal"]);
    for (const [place, one] of objects(said["tool_calls"]).entries()) {
      const called = object(one["function"]);
      addCall(draft, JSON.stringify(one["index"] ?? place), text(called["name"]), text(called["arguments"]));
    }
  }
}

function responses(draft: Draft, body: JsonObject): void {
  const type = text(body["type"]);
  if (type === "response.output_text.delta") draft.deltas += text(body["delta"]);
  if (type === "response.failed") draft.failed = true;
  const item = object(body["item"]);
  if (type === "response.output_item.done") responsesItem(draft, item);
  if (type === "response.completed" || type === "response.incomplete")
    draft.usage = object(object(body["response"])["usage"]);
  if (body["object"] !== "response") return;
  draft.usage = object(body["usage"]);
  for (const made of objects(body["output"])) responsesItem(draft, made);
}

function responsesItem(draft: Draft, item: JsonObject): void {
  if (item["type"] === "function_call")
    addCall(draft, text(item["call_id"]), text(item["name"]), text(item["arguments"]));
  if (item["type"] !== "message") return;
  for (const part of objects(item["content"])) {
    draft.text += text(part["text"]);
    draft.refusal += text(part["refusal"]);
  }
}

/** Everything that went in, how much of it a cache served, and everything that came out, thinking included. */
function usageOf({ wire }: Recording, usage: JsonObject): Told["usage"] {
  if (Object.keys(usage).length === 0) return undefined;
  switch (wire) {
    case "anthropic": {
      const cached = number(usage["cache_read_input_tokens"]);
      const input = number(usage["input_tokens"]) + cached + number(usage["cache_creation_input_tokens"]);
      return { input, cached, output: number(usage["output_tokens"]) };
    }
    case "google":
      if (usage["promptTokenCount"] === undefined) return undefined;
      return {
        input: number(usage["promptTokenCount"]) + number(usage["toolUsePromptTokenCount"]),
        cached: number(usage["cachedContentTokenCount"]),
        output: number(usage["candidatesTokenCount"]) + number(usage["thoughtsTokenCount"]),
      };
    case "openai-chat": {
      const [input, completion] = [number(usage["prompt_tokens"]), number(usage["completion_tokens"])];
      const cached = number(object(usage["prompt_tokens_details"])["cached_tokens"]);
      // xAI alone counts thinking beside the completion; its total says so.
      const total = number(usage["total_tokens"]);
      return { input, cached, output: total > input + completion ? total - input : completion };
    }
    case "openai-responses": {
      const cached = number(object(usage["input_tokens_details"])["cached_tokens"]);
      return { input: number(usage["input_tokens"]), cached, output: number(usage["output_tokens"]) };
    }
  }
}
