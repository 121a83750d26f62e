import type { ChatEvent, FinishReason, VendorState } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import type { JsonObject, JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { AnswerFrame } from "../../provider.ts";
import type { SseEvent } from "../../sse.ts";
import type { StreamDecoder } from "../../vendor-call.ts";
import { parseVendorJson } from "../../vendor-call.ts";
import type { VendorErrorRules } from "../../vendor-errors.ts";
import { embeddedFailure } from "../../vendor-errors.ts";
import { closeJson } from "../close-json.ts";
import { annotationType } from "./input.ts";
import { toResponsesUsage } from "./usage.ts";

export type ResponsesDecoderOptions = {
  readonly provider: string;
  readonly rules: VendorErrorRules;
  /** Who our key belongs to; goes with encrypted reasoning. */
  readonly credential: string;
  readonly toClientToolName: (name: string) => string;
};

/** A whole Responses answer as one frame. Throws `GatewayError` for a response that failed. */
export function decodeWholeResponse(text: string, options: ResponsesDecoderOptions): AnswerFrame {
  return new ResponsesDecoder(options).whole(text);
}

/** An output item: `open` from its `added` to its `done`; `wrote` once a delta of it was seen. */
type Item = {
  wrote: boolean;
  open: boolean;
  readonly callIndex: number;
  /** What the deltas of its part in hand said. */ said: string;
};

/**
 * The events of one response. Each output item is opened by `output_item.added`, filled by deltas and closed by
 * `output_item.done`, which also carries it whole: what no delta brought is taken from there. A whole answer is its items' `done`s.
 */
export class ResponsesDecoder implements StreamDecoder {
  done = false;
  readonly #options: ResponsesDecoderOptions;
  readonly #items = new Map<number, Item>();
  #started = false;
  #calls = 0;
  #vendorCall = false;

  constructor(options: ResponsesDecoderOptions) {
    this.#options = options;
  }

  push(event: SseEvent): AnswerFrame | undefined {
    // Not this protocol's, but compatible hosts end with it; the response's own end has come before.
    if (event.data.trim() === "[DONE]") return undefined;
    const { body, raw } = this.#eventObject(event.data);
    const events: ChatEvent[] = [];
    this.#event(stringOf(body["type"]) ?? event.event ?? "", body, events);
    return { events, raw };
  }

  end(): AnswerFrame | undefined {
    if (!this.done) throw this.#broken("broke off its stream");
    return undefined;
  }

  whole(text: string): AnswerFrame {
    const response = this.#object(text);
    if ((response["error"] !== undefined && response["error"] !== null) || response["status"] === "failed") {
      throw this.#failed(response);
    }
    const { output } = response;
    if (!Array.isArray(output)) throw this.#broken("answered without an output");
    const events: ChatEvent[] = [];
    this.#start(response, events);
    for (const [index, item] of output.entries()) if (isJsonObject(item)) this.#itemDone(index, item, events);
    this.#finish(response, events);
    return { events, raw: text };
  }

  #eventObject(text: string): { readonly body: JsonObject; readonly raw: string } {
    try {
      return { body: this.#object(text), raw: text };
    } catch (error) {
      const closed = closeJson(text);
      if (closed === undefined) throw error;
      return { body: this.#object(closed), raw: closed };
    }
  }

  #object(text: string): JsonObject {
    const body = parseVendorJson(this.#options.provider, text);
    if (!isJsonObject(body)) throw this.#broken("answered something that is no object");
    return body;
  }

  #event(type: string, body: JsonObject, events: ChatEvent[]): void {
    const response = isJsonObject(body["response"]) ? body["response"] : {};
    switch (type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress":
        this.#start(response, events);
        break;
      case "response.output_item.added":
        if (isJsonObject(body["item"])) this.#itemAdded(positionOf(body), body["item"], events);
        break;
      case "response.output_item.done":
        if (isJsonObject(body["item"])) this.#itemDone(positionOf(body), body["item"], events);
        break;
      case "response.completed":
      case "response.incomplete":
      case "response.cancelled":
        this.#start(response, events);
        this.#finish(response, events);
        break;
      case "response.failed":
        throw this.#failed(response);
      case "error":
        throw embeddedFailure({ ...this.#options, body });
      default:
        // A host's plain `{error}` in the stream has no type of ours.
        if (isJsonObject(body["error"]) && !type.startsWith("response."))
          throw embeddedFailure({ ...this.#options, body });
        this.#delta(type, body, events);
    }
  }

  #delta(type: string, body: JsonObject, events: ChatEvent[]): void {
    const item = this.#items.get(positionOf(body));
    const delta = stringOf(body["delta"]);
    if (endOfPart.test(type)) {
      this.#missingRest(type, body, item, events);
      return;
    }
    switch (type) {
      case "response.output_text.delta":
        if (delta !== undefined) events.push({ type: "text-delta", text: delta, ...logprobsOf(body["logprobs"]) });
        break;
      case "response.refusal.delta":
        if (delta !== undefined) events.push({ type: "refusal-delta", text: delta });
        break;
      case "response.reasoning_summary_text.delta":
      case "response.reasoning_text.delta":
        if (delta !== undefined) events.push({ type: "thinking-delta", text: delta });
        break;
      case "response.reasoning_summary_part.added":
        // Parts are paragraphs of one summary.
        if (item?.wrote === true) events.push({ type: "thinking-delta", text: "\n\n" });
        return;
      case "response.function_call_arguments.delta":
        if (delta !== undefined && item !== undefined && item.callIndex >= 0) {
          events.push({ type: "tool-call-delta", index: item.callIndex, arguments: delta });
        }
        break;
      case "response.output_text.annotation.added":
        this.#annotation(body["annotation"], events);
        return;
      default:
        // Progress of a built-in tool and the like: its item arrives whole when it is done.
        return;
    }
    if (item === undefined || delta === undefined) return;
    item.wrote = true;
    item.said += delta;
  }

  /** The end of a part says it whole: what the deltas left out of it is still to be said. */
  #missingRest(type: string, body: JsonObject, item: Item | undefined, events: ChatEvent[]): void {
    if (item === undefined) return;
    const whole = stringOf(body["text"] ?? body["refusal"] ?? body["arguments"]) ?? "";
    const { said } = item;
    item.said = "";
    if (whole.length > said.length && whole.startsWith(said)) {
      this.#delta(
        type.replace(endOfPart, ".delta"),
        { ...body, delta: whole.slice(said.length), logprobs: null },
        events,
      );
      item.said = "";
    }
  }

  #start(response: JsonObject, events: ChatEvent[]): void {
    if (this.#started) return;
    this.#started = true;
    const id = stringOf(response["id"]);
    const model = stringOf(response["model"]);
    events.push({
      type: "start",
      ...(id === undefined ? undefined : { id }),
      ...(model === undefined ? undefined : { model }),
    });
  }

  #itemAdded(position: number, item: JsonObject, events: ChatEvent[]): Item {
    const isCall = item["type"] === "function_call";
    const opened: Item = { wrote: false, open: true, callIndex: isCall ? this.#calls : -1, said: "" };
    this.#items.set(position, opened);
    if (isCall) {
      this.#calls += 1;
      const id = stringOf(item["call_id"]) ?? stringOf(item["id"]) ?? `call_${position}`;
      const name = this.#options.toClientToolName(stringOf(item["name"]) ?? "");
      events.push({ type: "tool-call-start", index: opened.callIndex, id, name });
    }
    return opened;
  }

  #itemDone(position: number, item: JsonObject, events: ChatEvent[]): void {
    const known = this.#items.get(position);
    const opened = known?.open === true ? known : this.#itemAdded(position, item, events);
    opened.open = false;
    switch (item["type"]) {
      case "message":
        this.#message(item, opened.wrote, events);
        break;
      case "reasoning":
        if (!opened.wrote) this.#reasoningText(item, events);
        events.push({ type: "thinking-end", state: this.#state(item) });
        break;
      case "function_call":
        if (!opened.wrote && stringOf(item["arguments"]) !== undefined) {
          const args = stringOf(item["arguments"]) ?? "";
          events.push({ type: "tool-call-delta", index: opened.callIndex, arguments: args });
        }
        events.push({ type: "tool-call-end", index: opened.callIndex });
        break;
      default:
        if (item["type"] === "custom_tool_call" || item["type"] === "computer_call") this.#vendorCall = true;
        events.push({ type: "vendor", state: this.#state(item) });
    }
  }

  /** The parts of a message that no delta brought. Annotations of a stream came as events of their own. */
  #message(item: JsonObject, wrote: boolean, events: ChatEvent[]): void {
    if (wrote || !Array.isArray(item["content"])) return;
    for (const part of item["content"]) {
      if (!isJsonObject(part)) continue;
      const text = stringOf(part["text"]);
      const refusal = stringOf(part["refusal"]);
      if (text !== undefined) events.push({ type: "text-delta", text, ...logprobsOf(part["logprobs"]) });
      if (refusal !== undefined) events.push({ type: "refusal-delta", text: refusal });
      if (Array.isArray(part["annotations"])) for (const one of part["annotations"]) this.#annotation(one, events);
    }
  }

  #reasoningText(item: JsonObject, events: ChatEvent[]): void {
    const parts = [item["summary"], item["content"]].find((list) => Array.isArray(list) && list.length > 0);
    if (!Array.isArray(parts)) return;
    const text = parts.map((part) => (isJsonObject(part) ? (stringOf(part["text"]) ?? "") : "")).join("\n\n");
    if (text !== "") events.push({ type: "thinking-delta", text });
  }

  #annotation(annotation: JsonValue | undefined, events: ChatEvent[]): void {
    if (annotation === undefined) return;
    events.push({
      type: "vendor",
      state: { protocol: "openai-responses", value: { type: annotationType, annotation } },
    });
  }

  #state(item: JsonObject): VendorState {
    const state = { protocol: "openai-responses", value: item } as const;
    return typeof item["encrypted_content"] === "string" ? { ...state, credential: this.#options.credential } : state;
  }

  #finish(response: JsonObject, events: ChatEvent[]): void {
    this.done = true;
    for (const item of this.#items.values()) {
      if (item.open && item.callIndex >= 0) events.push({ type: "tool-call-end", index: item.callIndex });
    }
    if (isJsonObject(response["usage"])) {
      events.push({ type: "usage", usage: toResponsesUsage(response["usage"], stringOf(response["service_tier"])) });
    }
    const details = isJsonObject(response["incomplete_details"]) ? response["incomplete_details"] : {};
    const rawReason = stringOf(details["reason"]) ?? stringOf(response["status"]) ?? "";
    events.push({ type: "finish", reason: this.#reason(rawReason), rawReason });
  }

  #reason(rawReason: string): FinishReason {
    switch (rawReason) {
      case "completed":
        return this.#calls > 0 || this.#vendorCall ? "tool-calls" : "stop";
      case "max_output_tokens":
        return "length";
      case "content_filter":
        return "content-filter";
      default:
        return "unknown";
    }
  }

  #failed(response: JsonObject): GatewayError {
    return embeddedFailure({ ...this.#options, body: { error: response["error"] ?? {} } });
  }

  #broken(what: string): GatewayError {
    return new GatewayError("bad_answer", `${this.#options.provider} ${what}.`);
  }
}

const endOfPart = /(?<=\.(?:output_text|refusal|reasoning_summary_text|reasoning_text|function_call_arguments))\.done$/;

function positionOf(body: JsonObject): number {
  return typeof body["output_index"] === "number" ? body["output_index"] : 0;
}

function stringOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function logprobsOf(value: JsonValue | undefined): { logprobs: JsonValue } | undefined {
  return Array.isArray(value) && value.length > 0 ? { logprobs: value } : undefined;
}
