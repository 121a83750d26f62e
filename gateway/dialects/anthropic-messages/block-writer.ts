import type { ChatEvent, FinishReason } from "../../../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { noUsage, type Usage } from "../../../router/usage.ts";

export type BlockStep =
  | { readonly type: "open"; readonly index: number; readonly block: JsonObject }
  | { readonly type: "delta"; readonly index: number; readonly delta: JsonObject }
  | { readonly type: "close"; readonly index: number; readonly block: JsonObject };

type OpenBlock = {
  readonly kind: "text" | "thinking" | "tool";
  readonly index: number;
  readonly start: JsonObject;
  text: string;
};
type HeldCall = { readonly id: string; readonly name: string; arguments: string };

/**
 * Our flat events as Anthropic's blocks, one open at a time: no block → (a delta of some kind) → that block open →
 * (its end, or a delta of another kind) → no block. Tool calls that a vendor interleaves are held and written one
 * after the other, because blocks may not overlap. Choices beyond the first have no place in a message.
 */
export class BlockWriter {
  id: string | undefined;
  model: string | undefined;
  usage: Usage = noUsage;
  #finish: Extract<ChatEvent, { type: "finish" }> | undefined;
  #refusal = "";
  #open: OpenBlock | undefined;
  #next = 0;
  #calling: number | undefined;
  readonly #held = new Map<number, HeldCall>();

  step(event: ChatEvent): readonly BlockStep[] {
    if ("choice" in event && (event.choice ?? 0) !== 0) return [];
    switch (event.type) {
      case "start":
        this.id = event.id;
        this.model = event.model;
        return [];
      case "text-delta":
        return this.#append("text", event.text);
      case "refusal-delta":
        this.#refusal += event.text;
        return this.#append("text", event.text);
      case "thinking-delta":
        return this.#append("thinking", event.text);
      case "thinking-end":
        return this.#endThinking(ownBlock(event));
      case "tool-call-start":
        if (this.#calling === undefined) return this.#startCall(event.index, event);
        this.#held.set(event.index, { id: event.id, name: event.name, arguments: "" });
        return [];
      case "tool-call-delta":
        return this.#callDelta(event.index, event.arguments);
      case "tool-call-end":
        if (event.index !== this.#calling) return [];
        this.#calling = undefined;
        return this.#close();
      case "vendor": {
        const block = ownBlock(event);
        return block === undefined || block["type"] === "citations_delta" ? [] : this.#whole(block);
      }
      case "usage":
        this.usage = event.usage;
        return [];
      case "finish":
        this.#finish = event;
        return [];
      case "warning":
        return [];
    }
  }

  /** Closes what is open and writes the calls still held. */
  finish(): readonly BlockStep[] {
    const steps = this.#close();
    for (const [index, call] of this.#held) {
      this.#held.delete(index);
      steps.push(...this.#startCall(index, call), ...this.#callDelta(index, call.arguments), ...this.#close());
    }
    this.#calling = undefined;
    return steps;
  }

  /** `stop_reason` and what belongs to it. */
  stop(): JsonObject {
    const explained =
      this.#refusal === "" ? {} : { stop_details: { type: "refusal", category: null, explanation: this.#refusal } };
    // OpenAI refuses in words and then just stops; here the reason is where a client looks for it.
    const refused = this.#refusal !== "" && this.#finish?.reason === "stop";
    return {
      stop_reason: refused ? stopReasons["content-filter"] : toStopReason(this.#finish),
      stop_sequence: this.#finish?.stopSequence ?? null,
      ...explained,
    };
  }

  #append(kind: "text" | "thinking", text: string): BlockStep[] {
    const start = kind === "text" ? { type: "text", text: "" } : { type: "thinking", thinking: "", signature: "" };
    const steps = this.#open?.kind === kind ? [] : this.#openBlock(kind, start);
    if (this.#open !== undefined) this.#open.text += text;
    const delta = kind === "text" ? { type: "text_delta", text } : { type: "thinking_delta", thinking: text };
    return [...steps, { type: "delta", index: this.#next - 1, delta }];
  }

  #endThinking(block: JsonObject | undefined): BlockStep[] {
    if (this.#open?.kind === "thinking") return this.#close(block);
    return block === undefined ? [] : this.#whole(block);
  }

  #startCall(index: number, call: { readonly id: string; readonly name: string }): BlockStep[] {
    this.#calling = index;
    return this.#openBlock("tool", { type: "tool_use", id: call.id, name: call.name, input: {} });
  }

  #callDelta(index: number, text: string): BlockStep[] {
    const held = this.#held.get(index);
    if (held !== undefined) held.arguments += text;
    if (index !== this.#calling || this.#open?.kind !== "tool" || text === "") return [];
    this.#open.text += text;
    return [{ type: "delta", index: this.#open.index, delta: { type: "input_json_delta", partial_json: text } }];
  }

  #openBlock(kind: OpenBlock["kind"], start: JsonObject): BlockStep[] {
    const steps = this.#close();
    this.#open = { kind, index: this.#next, start, text: "" };
    this.#next += 1;
    return [...steps, { type: "open", index: this.#open.index, block: start }];
  }

  #close(signed?: JsonObject): BlockStep[] {
    if (this.#open === undefined) return [];
    const { kind, index, start, text } = this.#open;
    this.#open = undefined;
    if (kind === "text") return [{ type: "close", index, block: { ...start, text } }];
    if (kind === "tool") return [{ type: "close", index, block: { ...start, input: parseInput(text) } }];
    const signature = typeof signed?.["signature"] === "string" ? signed["signature"] : "";
    const close: BlockStep = { type: "close", index, block: { ...start, thinking: text, signature } };
    return signature === ""
      ? [close]
      : [{ type: "delta", index, delta: { type: "signature_delta", signature } }, close];
  }

  #whole(block: JsonObject): BlockStep[] {
    const steps = this.#close();
    const index = this.#next;
    this.#next += 1;
    return [...steps, { type: "open", index, block }, { type: "close", index, block }];
  }
}

/** The block an event carries, when Anthropic made it. */
function ownBlock(event: Extract<ChatEvent, { type: "thinking-end" | "vendor" }>): JsonObject | undefined {
  const { state } = event;
  return state?.protocol === "anthropic-messages" && isJsonObject(state.value) ? state.value : undefined;
}

const stopReasons: Record<FinishReason, string> = {
  stop: "end_turn",
  length: "max_tokens",
  "tool-calls": "tool_use",
  "content-filter": "refusal",
  pause: "pause_turn",
  unknown: "end_turn",
};

function toStopReason(finish: Extract<ChatEvent, { type: "finish" }> | undefined): string {
  return finish?.stopSequence === undefined ? stopReasons[finish?.reason ?? "unknown"] : "stop_sequence";
}

/** `input` must be an object: arguments that are not one (cut by a limit) are handed over inside one, as they came. */
function parseInput(text: string): JsonObject {
  if (text === "") return {};
  try {
    const value: JsonValue = JSON.parse(text);
    return isJsonObject(value) ? value : { value };
  } catch {
    return { unparsed: text };
  }
}
