import type { ChatEvent, FinishReason, VendorState } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";
import type { AnswerFrame } from "../../provider.ts";
import type { StreamDecoder } from "../../vendor-call.ts";
import { parseVendorJson } from "../../vendor-call.ts";
import { embeddedFailure } from "../../vendor-errors.ts";
import type { ToolNames } from "../tool-names.ts";
import { anthropicErrors } from "./errors.ts";
import { mergeUsage, toUsage } from "./usage.ts";

export type AnswerContext = {
  /** Who answers, for errors. */
  readonly provider: string;
  readonly names: Pick<ToolNames, "toClient">;
};

/** The whole answer as one frame. Throws `GatewayError` (`bad_answer`) for anything but a message. */
export function decodeMessage(text: string, context: AnswerContext): AnswerFrame {
  const message = parseVendorJson(context.provider, text);
  if (!isJsonObject(message) || message["type"] === "error" || !Array.isArray(message["content"])) {
    if (isJsonObject(message) && message["type"] === "error") throw embedded(message, context);
    throw new GatewayError("bad_answer", `${context.provider} answered something that is not a message.`);
  }
  // A whole message is its stream with every block complete at its start.
  const reader = new MessageReader(context);
  const { usage = null, ...rest } = message;
  const events = reader.read({ type: "message_start", message: { ...rest, content: [] } });
  for (const [index, block] of message["content"].entries()) {
    events.push(...reader.read({ type: "content_block_start", index, content_block: block }));
    events.push(...reader.read({ type: "content_block_stop", index }));
  }
  events.push(...reader.read({ type: "message_delta", delta: message, usage }));
  events.push(...reader.read({ type: "message_stop" }));
  return { events, raw: text };
}

export function createMessageDecoder(context: AnswerContext): StreamDecoder {
  const reader = new MessageReader(context);
  return {
    push({ data }) {
      const value = parseVendorJson(context.provider, data);
      if (!isJsonObject(value))
        throw new GatewayError("bad_answer", `${context.provider} sent an event without a type.`);
      return { events: reader.read(value), raw: data };
    },
    get done() {
      return reader.done;
    },
    end() {
      throw new GatewayError("bad_answer", `${context.provider} ended its answer before it was complete.`);
    },
  };
}

/** A block between its start and its stop. */
type OpenBlock =
  | { readonly kind: "text" }
  | { readonly kind: "thinking"; thinking: string; signature: string }
  | { readonly kind: "tool"; readonly index: number; readonly start: JsonObject; written: boolean }
  | { readonly kind: "vendor"; readonly start: JsonObject; json: string };

/** Content blocks of one answer; far beyond what a vendor sends, so that a runaway stream cannot fill our memory. */
const maxOpenBlocks = 1024;

/**
 * waiting ─message_start→ answering ─message_stop→ done. Inside `answering`, blocks open and close by index and may
 * overlap; the reason and the usage come with `message_delta` and are given out at the stop, usage first.
 */
class MessageReader {
  done = false;
  readonly #context: AnswerContext;
  readonly #open = new Map<number, OpenBlock>();
  #tools = 0;
  #usage: JsonObject | undefined;
  #end: JsonObject = {};

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  read(event: JsonObject): ChatEvent[] {
    switch (event["type"]) {
      case "message_start":
        return this.#start(event["message"]);
      case "content_block_start":
        return this.#openBlock(indexOf(event), event["content_block"]);
      case "content_block_delta":
        return this.#delta(indexOf(event), event["delta"]);
      case "content_block_stop":
        return this.#closeBlock(indexOf(event));
      case "message_delta":
        this.#usage = mergeUsage(this.#usage, event["usage"]);
        if (isJsonObject(event["delta"])) this.#end = { ...this.#end, ...withoutNulls(event["delta"]) };
        return [];
      case "message_stop":
        return this.#stop();
      case "error":
        throw embedded(event, this.#context);
      default:
        // `ping`, and what the vendor may add: "Your code should handle unknown event types gracefully."
        return [];
    }
  }

  #start(message: JsonValue | undefined): ChatEvent[] {
    if (!isJsonObject(message)) return [{ type: "start" }];
    this.#usage = mergeUsage(this.#usage, message["usage"]);
    const { id, model } = message;
    return [
      {
        type: "start",
        ...(typeof id === "string" ? { id } : undefined),
        ...(typeof model === "string" ? { model } : undefined),
        ...(this.#usage === undefined ? undefined : { usage: toUsage(this.#usage) }),
      },
    ];
  }

  #openBlock(index: number, block: JsonValue | undefined): ChatEvent[] {
    if (!isJsonObject(block)) return [];
    if (this.#open.size >= maxOpenBlocks) {
      throw new GatewayError("bad_answer", `${this.#context.provider} opened more than ${maxOpenBlocks} blocks.`);
    }
    switch (block["type"]) {
      case "text":
        this.#open.set(index, { kind: "text" });
        return [...textEvents(block["text"]), ...citationEvents(block["citations"])];
      case "thinking": {
        const thinking = stringOf(block["thinking"]);
        this.#open.set(index, { kind: "thinking", thinking, signature: stringOf(block["signature"]) });
        return thinking === "" ? [] : [{ type: "thinking-delta", text: thinking }];
      }
      case "redacted_thinking":
        return [{ type: "thinking-end", state: stateOf(block) }];
      case "tool_use":
        this.#open.set(index, { kind: "tool", index: this.#tools, start: block, written: false });
        this.#tools += 1;
        return [
          {
            type: "tool-call-start",
            index: this.#tools - 1,
            id: stringOf(block["id"]),
            name: this.#context.names.toClient(stringOf(block["name"])),
          },
        ];
      default:
        // Built-in tools' calls and results, and whatever the vendor invents next.
        this.#open.set(index, { kind: "vendor", start: block, json: "" });
        return [];
    }
  }

  #delta(index: number, delta: JsonValue | undefined): ChatEvent[] {
    if (!isJsonObject(delta)) return [];
    const block = this.#open.get(index);
    switch (delta["type"]) {
      case "text_delta":
        return textEvents(delta["text"]);
      case "citations_delta":
        return citationEvents([delta["citation"] ?? null]);
      case "thinking_delta": {
        const text = stringOf(delta["thinking"]);
        if (block?.kind === "thinking") block.thinking += text;
        return text === "" ? [] : [{ type: "thinking-delta", text }];
      }
      case "signature_delta":
        if (block?.kind === "thinking") block.signature += stringOf(delta["signature"]);
        return [];
      case "input_json_delta":
        return inputDelta(block, stringOf(delta["partial_json"]));
      default:
        return [];
    }
  }

  #closeBlock(index: number): ChatEvent[] {
    const block = this.#open.get(index);
    this.#open.delete(index);
    switch (block?.kind) {
      case undefined:
      case "text":
        return [];
      case "thinking": {
        const { thinking, signature } = block;
        // Without a signature the vendor would refuse it back.
        const state = signature === "" ? undefined : stateOf({ type: "thinking", thinking, signature });
        return [{ type: "thinking-end", ...(state === undefined ? undefined : { state }) }];
      }
      case "tool":
        return closeTool(block);
      case "vendor":
        return [{ type: "vendor", state: stateOf(withInput(block.start, block.json)) }];
    }
  }

  #stop(): ChatEvent[] {
    this.done = true;
    const rawReason = stringOf(this.#end["stop_reason"]);
    const stopSequence = this.#end["stop_sequence"];
    const reason = finishReasons[rawReason];
    const events: ChatEvent[] = [];
    if (rawReason === "refusal") events.push({ type: "refusal-delta", text: refusalText(this.#end["stop_details"]) });
    if (reason === undefined) events.push({ type: "warning", warning: `stop_reason "${rawReason}" is not known` });
    if (this.#usage !== undefined) events.push({ type: "usage", usage: toUsage(this.#usage) });
    events.push({
      type: "finish",
      reason: reason ?? "unknown",
      rawReason,
      ...(typeof stopSequence === "string" ? { stopSequence } : undefined),
    });
    return events;
  }
}

const finishReasons: Readonly<Partial<Record<string, FinishReason>>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool-calls",
  refusal: "content-filter",
  pause_turn: "pause",
};

function inputDelta(block: OpenBlock | undefined, text: string): ChatEvent[] {
  if (text === "") return [];
  if (block?.kind === "vendor") block.json += text;
  if (block?.kind !== "tool") return [];
  block.written = true;
  return [{ type: "tool-call-delta", index: block.index, arguments: text }];
}

/** A call without arguments sends no text at all; clients parse what they get, so it becomes `{}`. */
function closeTool(block: Extract<OpenBlock, { kind: "tool" }>): ChatEvent[] {
  const { type: _type, id: _id, name: _name, input, ...rest } = block.start;
  const events: ChatEvent[] = [];
  if (!block.written) {
    events.push({ type: "tool-call-delta", index: block.index, arguments: JSON.stringify(input ?? {}) });
  }
  // Who called it and from which toolset: needed when the call is sent back.
  const state = isDirect(rest["caller"]) && rest["toolset_name"] === undefined ? undefined : stateOf(rest);
  events.push({ type: "tool-call-end", index: block.index, ...(state === undefined ? undefined : { state }) });
  return events;
}

function isDirect(caller: JsonValue | undefined): boolean {
  return !isJsonObject(caller) || caller["type"] === "direct";
}

function withInput(block: JsonObject, json: string): JsonObject {
  if (json === "") return block;
  try {
    const input: JsonValue = JSON.parse(json);
    return { ...block, input };
  } catch {
    // Cut by the token limit: the text says more than nothing.
    return { ...block, input: json };
  }
}

function textEvents(text: JsonValue | undefined): ChatEvent[] {
  return typeof text === "string" && text !== "" ? [{ type: "text-delta", text }] : [];
}

function citationEvents(citations: JsonValue | undefined): ChatEvent[] {
  if (!Array.isArray(citations)) return [];
  return citations.map((citation: JsonValue) => ({
    type: "vendor",
    state: stateOf({ type: "citations_delta", citation }),
  }));
}

function refusalText(details: JsonValue | undefined): string {
  const explanation = isJsonObject(details) ? details["explanation"] : undefined;
  return typeof explanation === "string" && explanation !== "" ? explanation : "The model declined to answer.";
}

function stateOf(value: JsonObject): VendorState {
  return { protocol: "anthropic-messages", value };
}

function embedded(body: JsonObject, { provider }: AnswerContext): GatewayError {
  const requestId = body["request_id"];
  return embeddedFailure({
    provider,
    body,
    rules: anthropicErrors,
    ...(typeof requestId === "string" ? { requestId } : undefined),
  });
}

function withoutNulls(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}

function indexOf(event: JsonObject): number {
  return typeof event["index"] === "number" ? event["index"] : 0;
}

function stringOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
