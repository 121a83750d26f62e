import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { faultsOf } from "../../support/openai-schema.ts";
import type { DialectName } from "./ask.ts";

export type SeenCall = { readonly id: string; readonly name: string; readonly arguments: string };

/** What a client saw, in no dialect's words. */
export type Seen = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly thinking: string;
  readonly refusal: string;
  readonly calls: readonly SeenCall[];
  /** `stop`, `length`, `tool-calls`, `content-filter` or the dialect's own word. */
  readonly finish: string;
  readonly usage: { readonly input: number; readonly cached: number; readonly output: number } | undefined;
  /** The error's own words, from its body or from an event in the stream. */
  readonly error: { readonly type: string; readonly code: string; readonly message: string } | undefined;
  /** The answer as the client would send it back. */
  readonly echo: readonly JsonObject[];
  /** Everything about the answer's form that its dialect's own clients would trip over. */
  readonly faults: readonly string[];
};

export type Answer = Omit<Seen, "status" | "headers">;

export const nothing: Answer = {
  text: "",
  thinking: "",
  refusal: "",
  calls: [],
  finish: "",
  usage: undefined,
  error: undefined,
  echo: [],
  faults: [],
};

export type StreamEvent = { readonly event: string | undefined; readonly data: string };

export const textIn = (value: JsonValue | undefined): string => (typeof value === "string" ? value : "");
const numberIn = (value: JsonValue | undefined): number => (typeof value === "number" ? value : Number.NaN);
export const objectIn = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {});
export const objectsIn = (value: JsonValue | undefined): JsonObject[] =>
  Array.isArray(value) ? value.filter((item: JsonValue) => isJsonObject(item)) : [];

export function readError(dialect: DialectName, body: JsonObject): Answer {
  const error = objectIn(body["error"]);
  const faults = [
    ...(dialect === "anthropic-messages"
      ? body["type"] === "error" && typeof error["type"] === "string"
        ? []
        : ["the error is not of Anthropic's shape"]
      : faultsOf("ErrorResponse", body)),
    ...(textIn(error["message"]) === "" ? ["the error says nothing"] : []),
  ];
  return {
    ...nothing,
    error: { type: textIn(error["type"]), code: textIn(error["code"]), message: textIn(error["message"]) },
    faults,
  };
}

const chatFinishes: Readonly<Record<string, string>> = {
  tool_calls: "tool-calls",
  content_filter: "content-filter",
};
export const chatFinish = (value: JsonValue | undefined): string => chatFinishes[textIn(value)] ?? textIn(value);

export function chatUsage(value: JsonValue | undefined): Seen["usage"] {
  if (!isJsonObject(value)) return undefined;
  return {
    input: numberIn(value["prompt_tokens"]),
    cached: numberIn(objectIn(value["prompt_tokens_details"])["cached_tokens"]),
    output: numberIn(value["completion_tokens"]),
  };
}

export function readChatWhole(body: JsonObject): Answer {
  const [choice = {}] = objectsIn(body["choices"]);
  const message = objectIn(choice["message"]);
  return {
    ...nothing,
    text: textIn(message["content"]),
    thinking: textIn(message["reasoning_content"]),
    refusal: textIn(message["refusal"]),
    calls: objectsIn(message["tool_calls"]).map(chatCall),
    finish: chatFinish(choice["finish_reason"]),
    usage: chatUsage(body["usage"]),
    echo: [message],
    faults: faultsOf("CreateChatCompletionResponse", body),
  };
}

export function chatCall(call: JsonObject): SeenCall {
  const called = objectIn(call["function"]);
  return { id: textIn(call["id"]), name: textIn(called["name"]), arguments: textIn(called["arguments"]) };
}

const messageFinishes: Readonly<Record<string, string>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  tool_use: "tool-calls",
  refusal: "content-filter",
};
export const messageFinish = (value: JsonValue | undefined): string => messageFinishes[textIn(value)] ?? textIn(value);

export function messageUsage(value: JsonValue | undefined): Seen["usage"] {
  if (!isJsonObject(value)) return undefined;
  const cached = numberIn(value["cache_read_input_tokens"] ?? 0);
  const written = numberIn(value["cache_creation_input_tokens"] ?? 0);
  return {
    input: numberIn(value["input_tokens"]) + cached + written,
    cached,
    output: numberIn(value["output_tokens"]),
  };
}

export function messageParts(content: readonly JsonObject[]): Pick<Answer, "text" | "thinking" | "calls"> {
  const join = (type: string, field: string): string =>
    content.map((block) => (block["type"] === type ? textIn(block[field]) : "")).join("");
  return {
    text: join("text", "text"),
    thinking: join("thinking", "thinking"),
    calls: content.flatMap((block) =>
      block["type"] === "tool_use"
        ? [{ id: textIn(block["id"]), name: textIn(block["name"]), arguments: JSON.stringify(block["input"]) }]
        : [],
    ),
  };
}

export function readMessagesWhole(body: JsonObject): Answer {
  const content = objectsIn(body["content"]);
  const parts = messageParts(content);
  const finish = messageFinish(body["stop_reason"]);
  const faults: string[] = [];
  if (body["type"] !== "message" || body["role"] !== "assistant") faults.push("it is no message of the assistant's");
  if (textIn(body["id"]) === "" || textIn(body["model"]) === "") faults.push("it has no id or no model");
  if (finish === "") faults.push("it does not say why it stopped");
  return {
    ...nothing,
    ...parts,
    refusal: finish === "content-filter" ? parts.text : "",
    finish,
    usage: messageUsage(body["usage"]),
    echo: [{ role: "assistant", content }],
    faults,
  };
}

function responsesUsage(value: JsonValue | undefined): Seen["usage"] {
  if (!isJsonObject(value)) return undefined;
  return {
    input: numberIn(value["input_tokens"]),
    cached: numberIn(objectIn(value["input_tokens_details"])["cached_tokens"]),
    output: numberIn(value["output_tokens"]),
  };
}

/** A response object, from a whole answer or a stream's last event. */
export function readResponsesWhole(body: JsonObject): Answer {
  const output = objectsIn(body["output"]);
  const contents = output.flatMap((item) => (item["type"] === "message" ? objectsIn(item["content"]) : []));
  const calls = output.flatMap((item) =>
    item["type"] === "function_call"
      ? [{ id: textIn(item["call_id"]), name: textIn(item["name"]), arguments: textIn(item["arguments"]) }]
      : [],
  );
  const refusal = contents.map((part) => textIn(part["refusal"])).join("");
  const cut = textIn(objectIn(body["incomplete_details"])["reason"]);
  const finish =
    body["status"] === "completed"
      ? calls.length > 0
        ? "tool-calls"
        : "stop"
      : cut === "max_output_tokens"
        ? "length"
        : cut === "content_filter"
          ? "content-filter"
          : textIn(body["status"]);
  return {
    ...nothing,
    text: contents.map((part) => textIn(part["text"])).join(""),
    thinking: output
      .flatMap((item) => (item["type"] === "reasoning" ? objectsIn(item["summary"]) : []))
      .map((part) => textIn(part["text"]))
      .join("\n\n"),
    refusal,
    calls,
    finish: refusal === "" ? finish : "content-filter",
    usage: responsesUsage(body["usage"]),
    echo: output,
    faults: faultsOf("Response", body),
  };
}
