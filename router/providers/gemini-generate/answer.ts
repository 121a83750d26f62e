import type { ChatEvent, FinishReason, VendorState } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";
import type { AnswerFrame } from "../../provider.ts";
import { parseVendorJson, type StreamDecoder } from "../../vendor-call.ts";
import { embeddedFailure } from "../../vendor-errors.ts";
import type { ToolNames } from "../tool-names.ts";
import { makeCallId } from "./call-ids.ts";
import { geminiErrors } from "./errors.ts";
import { toFinish } from "./finish.ts";
import { toLogprobs } from "./logprobs.ts";
import { PartialArgs } from "./partial-args.ts";
import { toUsage } from "./usage.ts";

export type AnswerContext = {
  /** Who answers, for errors. */
  readonly provider: string;
  readonly names: Pick<ToolNames, "toClient">;
  /** What the answer's header says it was served as. */
  readonly serviceTier?: string;
};

/** The whole answer as one frame. */
export function decodeGenerated(text: string, context: AnswerContext): AnswerFrame {
  const reader = new ChunkReader(context);
  const events = reader.read(parseVendorJson(context.provider, text));
  return { events: [...events, ...reader.end()], raw: text };
}

/**
 * Gemini marks no end of its stream. It is over when every one of the `choices` asked for has its finish reason and the
 * usage is here; some hosts send that in a chunk of its own.
 */
export function createGeneratedDecoder(context: AnswerContext, choices = 1): StreamDecoder {
  const reader = new ChunkReader(context);
  let done = false;
  return {
    push({ data }) {
      const events = reader.read(parseVendorJson(context.provider, data));
      done = reader.isFinished(choices) && reader.hasUsage;
      return { events: done ? [...events, ...reader.end()] : events, raw: data };
    },
    get done() {
      return done;
    },
    get closing() {
      return reader.isFinished(choices);
    },
    end: () => ({ events: reader.end() }),
  };
}

/** Metadata of a candidate that no other dialect has a word for. */
const metadataFields = ["groundingMetadata", "urlContextMetadata", "citationMetadata"] as const;

/** Candidates are asked for by number; more than this is not our vendor. */
const maxCandidates = 64;

/**
 * Each candidate: parts in order, a function call open across chunks while it `willContinue`, then a finish reason.
 * Usage repeats with every chunk; the last one counts.
 */
class ChunkReader {
  readonly #context: AnswerContext;
  readonly #candidates = new Map<number, CandidateReader>();
  #started = false;
  #usage: JsonObject | undefined;
  #blocked: JsonObject | undefined;

  constructor(context: AnswerContext) {
    this.#context = context;
  }

  read(chunk: JsonValue): ChatEvent[] {
    const { provider } = this.#context;
    // A whole-answer endpoint that streams gives an array; an error may come as an array too.
    const body: JsonValue | undefined = Array.isArray(chunk) ? chunk[0] : chunk;
    if (!isJsonObject(body)) throw new GatewayError("bad_answer", `${provider} answered something that is no answer.`);
    if (body["error"] !== undefined) throw embeddedFailure({ provider, body, rules: geminiErrors });
    if (isJsonObject(body["usageMetadata"])) this.#usage = { ...this.#usage, ...body["usageMetadata"] };
    const events: ChatEvent[] = this.#start(body);
    const feedback = body["promptFeedback"];
    if (isJsonObject(feedback) && typeof feedback["blockReason"] === "string") this.#blocked = feedback;
    const candidates = Array.isArray(body["candidates"]) ? body["candidates"] : [];
    for (const candidate of candidates) {
      if (isJsonObject(candidate)) events.push(...this.#readerOf(candidate, body).read(candidate));
    }
    return events;
  }

  isFinished(choices: number): boolean {
    if (this.#candidates.size === 0) return this.#blocked !== undefined;
    return this.#candidates.size >= choices && this.#candidates.values().every((reader) => reader.isFinished);
  }

  end(): ChatEvent[] {
    const events: ChatEvent[] = [];
    const finishes: ChatEvent[] = [];
    for (const reader of this.#candidates.values()) {
      const { before, finish } = reader.end();
      events.push(...before);
      finishes.push(finish);
    }
    if (finishes.length === 0) {
      if (this.#blocked === undefined) {
        throw new GatewayError("bad_answer", `${this.#context.provider} gave no candidate.`);
      }
      const { before, finish } = blockedEvents(this.#blocked);
      events.push(before);
      finishes.push(finish);
    }
    if (this.#usage !== undefined && this.hasUsage)
      events.push({ type: "usage", usage: toUsage(this.#usage, this.#context.serviceTier) });
    return [...events, ...finishes];
  }

  /** Some hosts send an object without counts along with every chunk. */
  get hasUsage(): boolean {
    return typeof this.#usage?.["promptTokenCount"] === "number";
  }

  #start(body: JsonObject): ChatEvent[] {
    if (this.#started) return [];
    this.#started = true;
    const { responseId, modelVersion } = body;
    return [
      {
        type: "start",
        ...(typeof responseId === "string" ? { id: responseId } : undefined),
        ...(typeof modelVersion === "string" ? { model: modelVersion } : undefined),
        ...(this.#usage !== undefined && this.hasUsage
          ? { usage: toUsage(this.#usage, this.#context.serviceTier) }
          : undefined),
      },
    ];
  }

  #readerOf(candidate: JsonObject, body: JsonObject): CandidateReader {
    const choice = typeof candidate["index"] === "number" ? candidate["index"] : 0;
    const known = this.#candidates.get(choice);
    if (known !== undefined) return known;
    if (this.#candidates.size >= maxCandidates) {
      throw new GatewayError("bad_answer", `${this.#context.provider} gave more than ${maxCandidates} candidates.`);
    }
    const responseId = typeof body["responseId"] === "string" ? body["responseId"] : "";
    const reader = new CandidateReader(choice, responseId, this.#context);
    this.#candidates.set(choice, reader);
    return reader;
  }
}

/** A function call whose arguments are still coming. */
type OpenCall = {
  readonly name: string;
  readonly id: string | undefined;
  readonly args: PartialArgs;
  signature: string;
};

class CandidateReader {
  readonly #choice: number;
  readonly #responseId: string;
  readonly #context: AnswerContext;
  #calls = 0;
  #openCall: OpenCall | undefined;
  #thinking = false;
  #finishReason: string | undefined;
  #finishMessage = "";

  constructor(choice: number, responseId: string, context: AnswerContext) {
    this.#choice = choice;
    this.#responseId = responseId;
    this.#context = context;
  }

  read(candidate: JsonObject): ChatEvent[] {
    const content = candidate["content"];
    const parts = isJsonObject(content) && Array.isArray(content["parts"]) ? content["parts"] : [];
    let logprobs = toLogprobs(candidate["logprobsResult"]);
    const events: ChatEvent[] = [];
    for (const part of parts) {
      if (!isJsonObject(part)) continue;
      const made = this.#part(part, logprobs);
      if (made.some((event) => event.type === "text-delta" && event.logprobs !== undefined)) logprobs = undefined;
      events.push(...made);
    }
    for (const field of metadataFields) {
      const value = candidate[field];
      if (isJsonObject(value)) events.push({ type: "vendor", state: stateOf({ [field]: value }), ...this.#on() });
    }
    if (typeof candidate["finishReason"] === "string") this.#finishReason = candidate["finishReason"];
    if (typeof candidate["finishMessage"] === "string") this.#finishMessage = candidate["finishMessage"];
    return events;
  }

  get isFinished(): boolean {
    return this.#finishReason !== undefined;
  }

  end(): { readonly before: ChatEvent[]; readonly finish: ChatEvent } {
    const { provider } = this.#context;
    const rawReason = this.#finishReason;
    if (rawReason === undefined) {
      throw new GatewayError("bad_answer", `${provider} ended its answer before it was complete.`);
    }
    const before = [...this.#endThinking(), ...this.#endCall()];
    const reason = toFinish(rawReason, this.#calls > 0);
    if (reason === "malformed") {
      throw new GatewayError(
        "bad_answer",
        `${provider} gave a malformed answer (${rawReason}). ${this.#finishMessage}`.trim(),
      );
    }
    if (reason === undefined) before.push({ type: "warning", warning: `finishReason "${rawReason}" is not known` });
    return { before, finish: this.#finish(reason ?? "unknown", rawReason) };
  }

  #finish(reason: FinishReason, rawReason: string): ChatEvent {
    return { type: "finish", reason, rawReason, ...this.#on() };
  }

  #part(part: JsonObject, logprobs: JsonValue | undefined): ChatEvent[] {
    if (isJsonObject(part["functionCall"])) {
      return [...this.#endThinking(), ...this.#functionCall(part["functionCall"], signatureIn(part))];
    }
    if (typeof part["text"] === "string") {
      return part["thought"] === true ? this.#thought(part["text"], part) : this.#text(part["text"], part, logprobs);
    }
    // Code it ran, media it made, calls of its own tools, and what may yet come.
    return [...this.#endThinking(), { type: "vendor", state: stateOf(part), ...this.#on() }];
  }

  #thought(text: string, part: JsonObject): ChatEvent[] {
    this.#thinking = true;
    const events: ChatEvent[] = text === "" ? [] : [{ type: "thinking-delta", text, ...this.#on() }];
    return signatureIn(part) === "" ? events : [...events, ...this.#endThinking(signatureIn(part))];
  }

  #text(text: string, part: JsonObject, logprobs: JsonValue | undefined): ChatEvent[] {
    const signature = signatureIn(part);
    // A signature may come on a text of nothing, at the very end.
    if (text === "" && signature === "") return [];
    return [
      ...this.#endThinking(),
      {
        type: "text-delta",
        text,
        ...this.#on(),
        ...(logprobs === undefined ? undefined : { logprobs }),
        ...(signature === "" ? undefined : { state: stateOf(signature) }),
      },
    ];
  }

  /** Arguments come whole, or in pieces between a call with a name and one that does not go on. */
  #functionCall(call: JsonObject, signature: string): ChatEvent[] {
    const events: ChatEvent[] = [];
    const { name, id } = call;
    if (typeof name === "string" && name !== "") {
      events.push(...this.#endCall());
      this.#openCall = {
        name,
        id: typeof id === "string" && id !== "" ? id : undefined,
        args: new PartialArgs(),
        signature,
      };
    }
    const open = this.#openCall;
    if (open === undefined) return events;
    open.signature ||= signature;
    const pieces = Array.isArray(call["partialArgs"]) ? call["partialArgs"] : [];
    for (const piece of pieces) if (isJsonObject(piece)) open.args.add(piece);
    if (call["willContinue"] === true) return events;
    return [...events, ...this.#endCall(isJsonObject(call["args"]) ? JSON.stringify(call["args"]) : undefined)];
  }

  #endCall(wholeArguments?: string): ChatEvent[] {
    const call = this.#openCall;
    if (call === undefined) return [];
    this.#openCall = undefined;
    const index = this.#calls;
    this.#calls += 1;
    const args = wholeArguments ?? call.args.toJson();
    const name = this.#context.names.toClient(call.name);
    const made = { responseId: this.#responseId, choice: this.#choice, index, name, arguments: args };
    return [
      { type: "tool-call-start", index, id: call.id ?? makeCallId(made), name, ...this.#on() },
      { type: "tool-call-delta", index, arguments: args, ...this.#on() },
      {
        type: "tool-call-end",
        index,
        ...this.#on(),
        ...(call.signature === "" ? undefined : { state: stateOf(call.signature) }),
      },
    ];
  }

  #endThinking(signature = ""): ChatEvent[] {
    if (!this.#thinking) return [];
    this.#thinking = false;
    return [{ type: "thinking-end", ...this.#on(), ...(signature === "" ? undefined : { state: stateOf(signature) }) }];
  }

  #on(): { readonly choice?: number } {
    return this.#choice === 0 ? {} : { choice: this.#choice };
  }
}

function blockedEvents(feedback: JsonObject): { readonly before: ChatEvent; readonly finish: ChatEvent } {
  const rawReason = typeof feedback["blockReason"] === "string" ? feedback["blockReason"] : "";
  const said = feedback["blockReasonMessage"];
  const text = typeof said === "string" && said !== "" ? said : `The prompt was blocked (${rawReason}).`;
  return {
    before: { type: "refusal-delta", text },
    finish: { type: "finish", reason: "content-filter", rawReason },
  };
}

function signatureIn(part: JsonObject): string {
  return typeof part["thoughtSignature"] === "string" ? part["thoughtSignature"] : "";
}

function stateOf(value: JsonValue): VendorState {
  return { protocol: "gemini-generate", value };
}
