import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import {
  type Answer,
  messageFinish,
  messageParts,
  messageUsage,
  nothing,
  objectIn,
  readError,
  type StreamEvent,
  textIn,
} from "./answer.ts";

type Open = { readonly index: number; readonly block: JsonObject; text: string; signature: string };
type State = {
  place: "before" | "between" | "in-block" | "after-delta" | "over";
  readonly content: JsonObject[];
  readonly faults: string[];
  open: Open | undefined;
  usage: JsonObject;
  finish: string;
  error: Answer | undefined;
};

/**
 * message_start → (content_block_start → deltas → content_block_stop)* → message_delta → message_stop, blocks numbered
 * from 0 and one open at a time; `ping` anywhere, `error` ends it.
 */
export function readMessagesStream(events: readonly StreamEvent[]): Answer {
  const state: State = {
    place: "before",
    content: [],
    faults: [],
    open: undefined,
    usage: {},
    finish: "",
    error: undefined,
  };
  for (const { event, data } of events) {
    const body = JSON.parse(data) as JsonValue;
    if (!isJsonObject(body)) throw new Error(`no event: ${data}`);
    if (event !== body["type"]) state.faults.push(`the event ${event ?? "?"} holds a ${textIn(body["type"])}`);
    step(state, body);
  }
  const parts = messageParts(state.content);
  if (state.error !== undefined) return { ...nothing, ...parts, error: state.error.error, faults: state.faults };
  if (state.place !== "over") state.faults.push(`it ends in the state ${state.place}`);
  return {
    ...nothing,
    ...parts,
    refusal: state.finish === "content-filter" ? parts.text : "",
    finish: state.finish,
    usage: messageUsage(state.usage),
    echo: [{ role: "assistant", content: state.content }],
    faults: state.faults,
  };
}

function step(state: State, body: JsonObject): void {
  const expect = (place: State["place"]): void => {
    if (state.place !== place) state.faults.push(`${textIn(body["type"])} comes ${state.place}, not ${place}`);
  };
  if (state.place === "over") state.faults.push(`${textIn(body["type"])} follows the end`);
  switch (body["type"]) {
    case "ping":
      return;
    case "error":
      state.error = readError("anthropic-messages", body);
      state.faults.push(...state.error.faults);
      state.place = "over";
      return;
    case "message_start":
      expect("before");
      state.place = "between";
      state.usage = objectIn(objectIn(body["message"])["usage"]);
      return;
    case "content_block_start":
      expect("between");
      if (body["index"] !== state.content.length)
        state.faults.push(`a block has the index ${JSON.stringify(body["index"])}`);
      state.place = "in-block";
      state.open = {
        index: state.content.length,
        block: objectIn(body["content_block"]),
        text: "",
        signature: "",
      };
      return;
    case "content_block_delta":
      expect("in-block");
      if (state.open?.index !== body["index"]) state.faults.push("a delta of a block that is not open");
      if (state.open !== undefined) addDelta(state, state.open, objectIn(body["delta"]));
      return;
    case "content_block_stop":
      expect("in-block");
      state.place = "between";
      if (state.open !== undefined) state.content.push(closed(state.open));
      state.open = undefined;
      return;
    case "message_delta":
      expect("between");
      state.place = "after-delta";
      // Its counts replace those of the start.
      state.usage = { ...state.usage, ...objectIn(body["usage"]) };
      state.finish = messageFinish(objectIn(body["delta"])["stop_reason"]);
      if (state.finish === "") state.faults.push("it does not say why it stopped");
      return;
    case "message_stop":
      expect("after-delta");
      state.place = "over";
      return;
    default:
      state.faults.push(`${textIn(body["type"])} is no event of Anthropic's`);
  }
}

const deltaOf: Readonly<Record<string, string>> = {
  text: "text_delta",
  thinking: "thinking_delta",
  tool_use: "input_json_delta",
  server_tool_use: "input_json_delta",
  mcp_tool_use: "input_json_delta",
};

function addDelta(state: State, open: Open, delta: JsonObject): void {
  const type = textIn(delta["type"]);
  if (type === "signature_delta") open.signature += textIn(delta["signature"]);
  else if (type === "citations_delta") return;
  else {
    if (deltaOf[textIn(open.block["type"])] !== type)
      state.faults.push(`a ${type} in a block of ${textIn(open.block["type"])}`);
    open.text += textIn(delta["text"] ?? delta["thinking"] ?? delta["partial_json"]);
  }
}

function closed({ block, text, signature }: Open): JsonObject {
  switch (block["type"]) {
    case "text":
      return { type: "text", text: textIn(block["text"]) + text };
    case "thinking":
      return { ...block, thinking: textIn(block["thinking"]) + text, ...(signature === "" ? {} : { signature }) };
    case "tool_use":
      return { ...block, input: text === "" ? (block["input"] ?? {}) : (JSON.parse(text) as JsonValue) };
    default:
      return block;
  }
}
