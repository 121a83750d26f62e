import type { ChatEvent, FinishReason, VendorState } from "../../../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { noUsage, type Usage } from "../../../router/usage.ts";
import { makeId } from "./ids.ts";
import { sealState } from "./sealed-state.ts";

/** An event of the stream, but for its `sequence_number`. */
export type ItemEvent = JsonObject & { readonly type: string };

export type ItemWriterOptions = {
  readonly trace: string;
  /** Whether reasoning items carry their vendor's state as `encrypted_content`. */
  readonly sealsState: boolean;
};

type Status = "completed" | "incomplete";
type Part = { readonly type: "output_text" | "refusal"; text: string; logprobs: JsonValue[]; annotations: JsonValue[] };
type OpenMessage = { readonly kind: "message"; readonly id: string; readonly done: JsonObject[]; part?: Part };
type OpenReasoning = { readonly kind: "reasoning"; readonly id: string; text: string };
type OpenCall = Call & { readonly kind: "call"; readonly id: string };
type Call = { readonly callId: string; readonly name: string; arguments: string };

/**
 * Our flat events as output items, one open at a time: no item → (a delta of some kind) → that item open → (its end, or
 * a delta of another kind) → no item. A message holds its parts the same way. Calls that a vendor interleaves are held
 * and written one after the other, because items may not overlap. Choices beyond the first have no place in a response.
 */
export class ItemWriter {
  id: string | undefined;
  model: string | undefined;
  usage: Usage = noUsage;
  finishReason: FinishReason | undefined;
  readonly output: JsonObject[] = [];
  /** What belongs to an item of the output and has no field in it, by the item's place. */
  readonly states = new Map<number, VendorState>();
  readonly #options: ItemWriterOptions;
  #open: OpenMessage | OpenReasoning | OpenCall | undefined;
  #calling: number | undefined;
  readonly #held = new Map<number, Call & { ended?: boolean; state?: VendorState }>();

  constructor(options: ItemWriterOptions) {
    this.#options = options;
  }

  step(event: ChatEvent): readonly ItemEvent[] {
    if ("choice" in event && (event.choice ?? 0) !== 0) return [];
    switch (event.type) {
      case "start":
        this.id = event.id;
        this.model = event.model;
        return [];
      case "text-delta":
        return this.#text(event);
      case "refusal-delta":
        return this.#refusal(event.text);
      case "thinking-delta":
        return this.#thinking(event.text);
      case "thinking-end":
        return this.#endThinking(event.state);
      case "tool-call-start": {
        const call = { callId: event.id, name: event.name, arguments: "" };
        if (this.#calling === undefined) return this.#startCall(event.index, call);
        this.#held.set(event.index, call);
        return [];
      }
      case "tool-call-delta":
        return this.#callDelta(event.index, event.arguments);
      case "tool-call-end":
        return this.#endCall(event.index, event.state);
      case "vendor":
        return this.#vendor(event.state);
      case "usage":
        this.usage = event.usage;
        return [];
      case "finish":
        this.finishReason = event.reason;
        return [];
      case "warning":
        return [];
    }
  }

  /** Closes what is open and writes the calls still held. What a limit cut off is `incomplete`. */
  finish(): readonly ItemEvent[] {
    const cut = this.finishReason === "length" || this.finishReason === "content-filter";
    const status = cut ? "incomplete" : "completed";
    const events = this.#close(status);
    while (this.#held.size > 0) events.push(...this.#nextHeld(), ...this.#close(status));
    return events;
  }

  #text(event: Extract<ChatEvent, { type: "text-delta" }>): ItemEvent[] {
    const { message, part, events } = this.#partOf("output_text");
    part.text += event.text;
    if (event.state !== undefined) this.states.set(this.output.length, event.state);
    const logprobs = toLogprobs(event.logprobs);
    part.logprobs.push(...logprobs);
    const delta = { ...this.#place(message), delta: event.text, logprobs };
    // A signature alone has no words to send.
    return event.text === "" ? events : [...events, { type: "response.output_text.delta", ...delta }];
  }

  #refusal(text: string): ItemEvent[] {
    const { message, part, events } = this.#partOf("refusal");
    part.text += text;
    return [...events, { type: "response.refusal.delta", ...this.#place(message), delta: text }];
  }

  #annotation(annotation: JsonValue): ItemEvent[] {
    const { message, part, events } = this.#partOf("output_text");
    part.annotations.push(annotation);
    const annotation_index = part.annotations.length - 1;
    return [
      ...events,
      { type: "response.output_text.annotation.added", ...this.#place(message), annotation_index, annotation },
    ];
  }

  #thinking(text: string): ItemEvent[] {
    const events: ItemEvent[] = [];
    if (this.#open?.kind !== "reasoning") {
      events.push(...this.#close("completed"));
      const id = this.#newId("rs");
      this.#open = { kind: "reasoning", id, text: "" };
      events.push(this.#added({ id, type: "reasoning", summary: [] }), {
        type: "response.reasoning_summary_part.added",
        ...this.#summaryPlace(id),
        part: { type: "summary_text", text: "" },
      });
    }
    if (this.#open?.kind !== "reasoning") return events;
    this.#open.text += text;
    const delta = { ...this.#summaryPlace(this.#open.id), delta: text };
    return text === "" ? events : [...events, { type: "response.reasoning_summary_text.delta", ...delta }];
  }

  #endThinking(state: VendorState | undefined): ItemEvent[] {
    if (this.#open?.kind === "reasoning") return this.#closeReasoning(this.#open, state);
    if (state === undefined) return [];
    const events = this.#close("completed");
    const id = this.#newId("rs");
    events.push(this.#added({ id, type: "reasoning", summary: [] }));
    return [...events, this.#done(this.#reasoningItem(id, "", state), state)];
  }

  #startCall(index: number, call: Call): ItemEvent[] {
    const events = this.#close("completed");
    this.#calling = index;
    const open: OpenCall = { ...call, kind: "call", id: this.#newId("fc") };
    this.#open = open;
    return [...events, this.#added({ ...callItem({ ...open, arguments: "" }), status: "in_progress" })];
  }

  #callDelta(index: number, text: string): ItemEvent[] {
    const held = this.#held.get(index);
    if (held !== undefined) held.arguments += text;
    if (index !== this.#calling || this.#open?.kind !== "call" || text === "") return [];
    this.#open.arguments += text;
    const place = { item_id: this.#open.id, output_index: this.output.length };
    return [{ type: "response.function_call_arguments.delta", ...place, delta: text }];
  }

  #endCall(index: number, state: VendorState | undefined): ItemEvent[] {
    const held = this.#held.get(index);
    if (held !== undefined) Object.assign(held, { ended: true }, state === undefined ? {} : { state });
    if (index !== this.#calling || this.#open?.kind !== "call") return [];
    this.#calling = undefined;
    return [...this.#closeCall(this.#open, "completed", state), ...this.#nextHeld()];
  }

  /** The call that waited longest takes its turn, with what came for it so far; one that is over makes way at once. */
  #nextHeld(): ItemEvent[] {
    const next = this.#held.entries().next();
    if (next.done === true) return [];
    const [index, { ended, state, ...call }] = next.value;
    this.#held.delete(index);
    const events = [...this.#startCall(index, { ...call, arguments: "" }), ...this.#callDelta(index, call.arguments)];
    return ended === true ? [...events, ...this.#endCall(index, state)] : events;
  }

  /** An item of this very protocol is written as it is; another vendor's block has no place here. */
  #vendor(state: VendorState): ItemEvent[] {
    if (state.protocol !== "openai-responses" || !isJsonObject(state.value)) return [];
    const { type, annotation } = state.value;
    if (type === "output_text.annotation") return annotation === undefined ? [] : this.#annotation(annotation);
    return [...this.#close("completed"), this.#added(state.value), this.#done(state.value)];
  }

  /** The open message with an open part of this type, and what it took to have them. */
  #partOf(type: Part["type"]): { message: OpenMessage; part: Part; events: ItemEvent[] } {
    const events: ItemEvent[] = [];
    let message = this.#open;
    if (message?.kind !== "message") {
      events.push(...this.#close("completed"));
      message = { kind: "message", id: this.#newId("msg"), done: [] };
      this.#open = message;
      events.push(
        this.#added({ id: message.id, type: "message", status: "in_progress", content: [], role: "assistant" }),
      );
    }
    if (message.part !== undefined && message.part.type === type) return { message, part: message.part, events };
    events.push(...this.#closePart(message));
    const part: Part = { type, text: "", logprobs: [], annotations: [] };
    message.part = part;
    events.push({ type: "response.content_part.added", ...this.#place(message), part: toPart(part) });
    return { message, part, events };
  }

  #closePart(message: OpenMessage): ItemEvent[] {
    const { part } = message;
    if (part === undefined) return [];
    const place = this.#place(message);
    const written = toPart(part);
    const whole: ItemEvent =
      part.type === "output_text"
        ? { type: "response.output_text.done", ...place, text: part.text, logprobs: part.logprobs }
        : { type: "response.refusal.done", ...place, refusal: part.text };
    message.done.push(written);
    delete message.part;
    return [whole, { type: "response.content_part.done", ...place, part: written }];
  }

  #close(status: Status): ItemEvent[] {
    const open = this.#open;
    switch (open?.kind) {
      case undefined:
        return [];
      case "message": {
        const events = this.#closePart(open);
        this.#open = undefined;
        const item = { id: open.id, type: "message", status, content: open.done, role: "assistant" };
        return [...events, this.#done(item)];
      }
      case "reasoning":
        return this.#closeReasoning(open, undefined);
      case "call":
        this.#calling = undefined;
        return this.#closeCall(open, status, undefined);
    }
  }

  #closeReasoning(open: OpenReasoning, state: VendorState | undefined): ItemEvent[] {
    this.#open = undefined;
    const place = this.#summaryPlace(open.id);
    const part = { type: "summary_text", text: open.text };
    return [
      { type: "response.reasoning_summary_text.done", ...place, text: open.text },
      { type: "response.reasoning_summary_part.done", ...place, part },
      this.#done(this.#reasoningItem(open.id, open.text, state), state),
    ];
  }

  #closeCall(open: OpenCall, status: Status, state: VendorState | undefined): ItemEvent[] {
    this.#open = undefined;
    // A tool without arguments still owes its client JSON to parse; half of it, cut off by a limit, stays as it came.
    const written = { ...open, arguments: open.arguments === "" ? "{}" : open.arguments };
    const place = { item_id: open.id, output_index: this.output.length };
    const events: ItemEvent[] = [];
    if (open.arguments === "") events.push({ type: "response.function_call_arguments.delta", ...place, delta: "{}" });
    return [
      ...events,
      { type: "response.function_call_arguments.done", ...place, name: open.name, arguments: written.arguments },
      this.#done({ ...callItem(written), status }, state),
    ];
  }

  #reasoningItem(id: string, text: string, state: VendorState | undefined): JsonObject {
    const summary = text === "" ? [] : [{ type: "summary_text", text }];
    if (state === undefined) return { id, type: "reasoning", summary };
    if (state.protocol === "openai-responses" && isJsonObject(state.value)) return { ...state.value, id, summary };
    const encrypted = this.#options.sealsState ? { encrypted_content: sealState(state) } : {};
    return { id, type: "reasoning", ...encrypted, summary };
  }

  #added(item: JsonObject): ItemEvent {
    return { type: "response.output_item.added", output_index: this.output.length, item };
  }

  #done(item: JsonObject, state?: VendorState): ItemEvent {
    const output_index = this.output.length;
    if (state !== undefined) this.states.set(output_index, state);
    this.output.push(item);
    return { type: "response.output_item.done", output_index, item };
  }

  #place(message: OpenMessage): JsonObject {
    return { item_id: message.id, output_index: this.output.length, content_index: message.done.length };
  }

  #summaryPlace(id: string): JsonObject {
    return { item_id: id, output_index: this.output.length, summary_index: 0 };
  }

  #newId(kind: "msg" | "rs" | "fc"): string {
    return makeId(kind, this.#options.trace, this.output.length);
  }
}

function callItem({ id, callId, name, arguments: args }: Call & { readonly id: string }): JsonObject {
  return { id, type: "function_call", status: "completed", arguments: args, call_id: callId, name };
}

function toPart(part: Part): JsonObject {
  if (part.type === "refusal") return { type: "refusal", refusal: part.text };
  return { type: "output_text", annotations: [...part.annotations], logprobs: [...part.logprobs], text: part.text };
}

/** Chat Completions has `bytes: null` where this protocol has a list. */
function toLogprobs(value: JsonValue | undefined): JsonValue[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: JsonValue) => {
    if (!isJsonObject(entry)) return entry;
    const top = Array.isArray(entry["top_logprobs"]) ? toLogprobs(entry["top_logprobs"]) : undefined;
    return { ...entry, bytes: entry["bytes"] ?? [], ...(top === undefined ? {} : { top_logprobs: top }) };
  });
}
