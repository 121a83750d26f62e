import type { ChatEvent, FinishReason } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import type { JsonObject, JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { AnswerFrame } from "../../provider.ts";
import type { SseEvent } from "../../sse.ts";
import type { Usage } from "../../usage.ts";
import type { StreamDecoder } from "../../vendor-call.ts";
import { parseVendorJson } from "../../vendor-call.ts";
import type { VendorErrorRules } from "../../vendor-errors.ts";
import { embeddedFailure } from "../../vendor-errors.ts";
import { toChatUsage } from "./usage.ts";

export type ChatDecoderOptions = {
  readonly provider: string;
  readonly rules: VendorErrorRules;
  /** How many choices were asked for. */
  readonly choices: number;
  readonly toClientToolName: (name: string) => string;
};

/** A whole Chat Completions answer as one frame. Throws `GatewayError` for an error inside a 200. */
export function decodeWholeChat(text: string, options: ChatDecoderOptions): AnswerFrame {
  return new ChatDecoder(options).whole(text);
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  eos: "stop",
  end_turn: "stop",
  length: "length",
  max_tokens: "length",
  model_length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter",
};

type Call = { readonly index: number; id: string; name: string; held: string; started: boolean; ended: boolean };
type Choice = {
  readonly index: number;
  thinking: boolean;
  readonly calls: Call[];
  /** The vendor's own numbering, which some hosts leave out or keep at 0. */
  readonly callAt: Map<number, Call>;
  /** A tool was called that only this protocol knows. */
  vendorCall: boolean;
  finish: string | undefined;
};

/**
 * The chunks of one answer. Vendors send `finish_reason` before the usage, and ours come the other way round, so the
 * finishes are held until the usage, `[DONE]` or the end. `[DONE]` itself is framing and never a frame's `raw`.
 */
export class ChatDecoder implements StreamDecoder {
  done = false;
  readonly #options: ChatDecoderOptions;
  readonly #choices = new Map<number, Choice>();
  #started = false;
  #id = "";
  #usage: Usage | undefined;

  constructor(options: ChatDecoderOptions) {
    this.#options = options;
  }

  /** Every choice has finished: only the usage may still come, and a host that never sends it must not hold us. */
  get closing(): boolean {
    return !this.done && this.#choices.size >= this.#options.choices && this.#allFinished();
  }

  push(event: SseEvent): AnswerFrame | undefined {
    if (event.data.trim() === "[DONE]") {
      if (this.#choices.size === 0) throw this.#broken("ended its stream without an answer");
      return { events: this.#flush() };
    }
    const body = this.#object(event.data, event.event === "error");
    const events: ChatEvent[] = [];
    this.#chunk(body, "delta", events);
    if (this.#usage !== undefined && this.closing) events.push(...this.#flush());
    return { events, raw: event.data };
  }

  end(): AnswerFrame | undefined {
    if (this.done) return undefined;
    if (this.#choices.size === 0 || !this.#allFinished()) throw this.#broken("broke off its stream");
    return { events: this.#flush() };
  }

  whole(text: string): AnswerFrame {
    const body = this.#object(text, false);
    const events: ChatEvent[] = [];
    this.#chunk(body, "message", events);
    if (this.#choices.size === 0) throw this.#broken("answered without a choice");
    events.push(...this.#flush());
    return { events, raw: text };
  }

  #object(text: string, isError: boolean): JsonObject {
    const { provider, rules } = this.#options;
    const body = parseVendorJson(provider, text);
    if (!isJsonObject(body)) throw this.#broken("answered something that is no object");
    if (isError || (body["error"] !== undefined && body["error"] !== null) || body["object"] === "error") {
      throw embeddedFailure({ provider, body, rules });
    }
    return body;
  }

  #chunk(body: JsonObject, field: "delta" | "message", events: ChatEvent[]): void {
    const choices = Array.isArray(body["choices"]) ? body["choices"] : [];
    this.#start(body, choices.length > 0, events);
    for (const choice of choices) if (isJsonObject(choice)) this.#choice(choice, field, events);
    const usage = usageOf(body);
    if (usage !== undefined) this.#usage = toChatUsage(usage, textOf(body["service_tier"]));
    else if (this.#usage !== undefined && textOf(body["service_tier"]) !== undefined) {
      this.#usage = { ...this.#usage, serviceTier: textOf(body["service_tier"]) ?? "" };
    }
  }

  /** Azure's first chunk carries filter results, an empty id and no choice: not the start of the answer. */
  #start(body: JsonObject, hasChoices: boolean, events: ChatEvent[]): void {
    if (this.#started) return;
    const id = textOf(body["id"]);
    const model = textOf(body["model"]);
    if (!hasChoices && id === undefined) return;
    this.#started = true;
    this.#id = id ?? "";
    events.push({
      type: "start",
      ...(id === undefined ? undefined : { id }),
      ...(model === undefined ? undefined : { model }),
    });
  }

  #choice(raw: JsonObject, field: "delta" | "message", events: ChatEvent[]): void {
    const index = typeof raw["index"] === "number" ? raw["index"] : 0;
    const choice = this.#choiceAt(index);
    const delta = raw[field];
    if (isJsonObject(delta)) this.#delta(choice, delta, raw["logprobs"], events);
    const reason = textOf(raw["finish_reason"]);
    // OpenRouter's way to say that the host behind it failed.
    if (reason === "error") throw embeddedFailure({ ...this.#options, body: { error: raw["error"] ?? {} } });
    if (reason !== undefined) choice.finish = reason;
    // In a whole answer the choice ends here whether or not the host says why.
    else if (field === "message") choice.finish ??= "";
  }

  #delta(choice: Choice, delta: JsonObject, logprobs: JsonValue | undefined, events: ChatEvent[]): void {
    const tag = choiceTag(choice);
    const thinking = thinkingText(delta);
    if (thinking !== undefined) {
      choice.thinking = true;
      events.push({ type: "thinking-delta", text: thinking, ...tag });
    }
    const content = contentText(delta["content"]);
    if (content !== undefined) {
      this.#endThinking(choice, events);
      const scored = logprobs === undefined || logprobs === null ? undefined : { logprobs };
      events.push({ type: "text-delta", text: content, ...tag, ...scored });
    }
    const refusal = textOf(delta["refusal"]);
    if (refusal !== undefined) {
      this.#endThinking(choice, events);
      events.push({ type: "refusal-delta", text: refusal, ...tag });
    }
    const calls = delta["tool_calls"];
    if (Array.isArray(calls)) for (const call of calls) if (isJsonObject(call)) this.#toolDelta(choice, call, events);
    const legacy = delta["function_call"];
    if (isJsonObject(legacy)) this.#toolDelta(choice, { index: 0, function: legacy }, events);
    for (const name of ["audio", "annotations", "images"]) {
      const value = delta[name];
      if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue;
      events.push({ type: "vendor", state: { protocol: "openai-chat", value: { [name]: value } }, ...tag });
    }
  }

  #toolDelta(choice: Choice, delta: JsonObject, events: ChatEvent[]): void {
    this.#endThinking(choice, events);
    const tag = choiceTag(choice);
    if (delta["type"] === "custom" || isJsonObject(delta["custom"])) {
      choice.vendorCall = true;
      events.push({ type: "vendor", state: { protocol: "openai-chat", value: { tool_calls: [delta] } }, ...tag });
      return;
    }
    const body = isJsonObject(delta["function"]) ? delta["function"] : {};
    const call = callFor(choice, delta, textOf(body["name"]) !== undefined);
    // The first delta names it; hosts that repeat or complete the name say the same again.
    call.id ||= textOf(delta["id"]) ?? "";
    call.name ||= textOf(body["name"]) ?? "";
    call.held += argumentsText(body["arguments"]);
    if (!call.started && call.name !== "") {
      this.#endCalls(choice, events);
      call.started = true;
      call.id ||= `call_${this.#id.replaceAll(/\W/g, "")}_${choice.index}_${call.index}`;
      const name = this.#options.toClientToolName(call.name);
      events.push({ type: "tool-call-start", index: call.index, id: call.id, name, ...tag });
    }
    if (call.started && call.held !== "") {
      events.push({ type: "tool-call-delta", index: call.index, arguments: call.held, ...tag });
      call.held = "";
    }
  }

  #endThinking(choice: Choice, events: ChatEvent[]): void {
    if (!choice.thinking) return;
    choice.thinking = false;
    events.push({ type: "thinking-end", ...choiceTag(choice) });
  }

  #endCalls(choice: Choice, events: ChatEvent[]): void {
    for (const call of choice.calls) {
      if (!call.started || call.ended) continue;
      call.ended = true;
      events.push({ type: "tool-call-end", index: call.index, ...choiceTag(choice) });
    }
  }

  #flush(): ChatEvent[] {
    this.done = true;
    const events: ChatEvent[] = [];
    for (const choice of this.#choices.values()) {
      if (choice.calls.some((call) => !call.started)) throw this.#broken("called a tool without naming it");
      this.#endThinking(choice, events);
      this.#endCalls(choice, events);
    }
    if (this.#usage !== undefined) events.push({ type: "usage", usage: this.#usage });
    for (const choice of this.#choices.values()) events.push(finishOf(choice));
    return events;
  }

  #choiceAt(index: number): Choice {
    let choice = this.#choices.get(index);
    if (choice === undefined) {
      choice = { index, thinking: false, calls: [], callAt: new Map(), vendorCall: false, finish: undefined };
      this.#choices.set(index, choice);
    }
    return choice;
  }

  #allFinished(): boolean {
    for (const choice of this.#choices.values()) if (choice.finish === undefined) return false;
    return true;
  }

  #broken(what: string): GatewayError {
    return new GatewayError("bad_answer", `${this.#options.provider} ${what}.`);
  }
}

function finishOf(choice: Choice): ChatEvent {
  const rawReason = choice.finish ?? "";
  const known = finishReasons[rawReason] ?? "unknown";
  const calls = choice.calls.length > 0 || choice.vendorCall;
  // Ollama and Google's compatible endpoint say `stop` after a tool call.
  const reason = calls && (known === "stop" || known === "unknown") ? "tool-calls" : known;
  return { type: "finish", reason, rawReason, ...choiceTag(choice) };
}

/** Which call a delta belongs to. A new id with a name is a new call even where the host numbers every call 0. */
function callFor(choice: Choice, delta: JsonObject, named: boolean): Call {
  const id = textOf(delta["id"]);
  const position = typeof delta["index"] === "number" ? delta["index"] : undefined;
  let call = position === undefined ? undefined : choice.callAt.get(position);
  if (position === undefined) call = id === undefined ? choice.calls.at(-1) : choice.calls.find((one) => one.id === id);
  const isNew = call === undefined || (named && call.started && id !== undefined && id !== call.id);
  if (call === undefined || isNew) {
    call = { index: choice.calls.length, id: "", name: "", held: "", started: false, ended: false };
    choice.calls.push(call);
    if (position !== undefined) choice.callAt.set(position, call);
  }
  return call;
}

function choiceTag(choice: Choice): { choice: number } | undefined {
  return choice.index === 0 ? undefined : { choice: choice.index };
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Mistral's thinking models answer a list of parts. */
function contentText(value: JsonValue | undefined): string | undefined {
  if (!Array.isArray(value)) return textOf(value);
  return textOf(value.map((part) => (isJsonObject(part) ? (textOf(part["text"]) ?? "") : "")).join(""));
}

function thinkingText(delta: JsonObject): string | undefined {
  const said = textOf(delta["reasoning_content"]) ?? textOf(delta["reasoning"]);
  if (said !== undefined || !Array.isArray(delta["content"])) return said;
  return textOf(
    delta["content"].map((part) => (isJsonObject(part) ? (contentText(part["thinking"]) ?? "") : "")).join(""),
  );
}

/** Some hosts give the arguments as an object instead of its JSON. */
function argumentsText(value: JsonValue | undefined): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}

/** Groq says it in `x_groq` on the last chunk when it was not asked. */
function usageOf(body: JsonObject): JsonObject | undefined {
  if (isJsonObject(body["usage"])) return body["usage"];
  const groq = body["x_groq"];
  return isJsonObject(groq) && isJsonObject(groq["usage"]) ? groq["usage"] : undefined;
}
