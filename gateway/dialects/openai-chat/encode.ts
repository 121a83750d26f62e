import type { ChatEvent, FinishReason } from "../../../router/chat.ts";
import type { GatewayError } from "../../../router/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import type { AnswerFrame } from "../../../router/provider.ts";
import { totalInputTokens, type Usage } from "../../../router/usage.ts";
import type { AnswerInfo, StreamEncoder, WholeEncoder } from "../dialect.ts";
import { openAiErrorBody } from "../openai-error.ts";
import { conformChunk, conformCompletion } from "./conform.ts";

/** Feeds on frames, ends as a `chat.completion`. A whole answer of the same protocol that lacks nothing is passed on byte for byte. */
export function createWholeEncoder(info: AnswerInfo): WholeEncoder {
  const choices = new Map<number, WholeChoice>();
  let usage: Usage | undefined;
  let raw: string | undefined;
  let id = `chatcmpl-${info.trace}`;
  let model = info.modelId;

  function choiceOf(index: number): WholeChoice {
    const known = choices.get(index);
    if (known !== undefined) return known;
    const created: WholeChoice = {
      text: "",
      refusal: "",
      thinking: "",
      calls: [],
      finish: "stop",
      logprobs: [],
      hasText: false,
    };
    choices.set(index, created);
    return created;
  }

  return {
    push(frame: AnswerFrame) {
      if (info.passThrough && !info.request.stream && frame.raw !== undefined) raw = frame.raw;
      for (const event of frame.events) {
        if (event.type === "start") {
          id = event.id ?? id;
          model = event.model ?? model;
        } else if (event.type === "usage") usage = event.usage;
        else if (event.type !== "warning") addToChoice(choiceOf(event.choice ?? 0), event);
      }
    },
    end() {
      if (raw !== undefined) return conformCompletion(raw, { id, model, created: info.createdSeconds });
      const ordered = [...choices.entries()].toSorted(([a], [b]) => a - b);
      return JSON.stringify({
        id,
        object: "chat.completion",
        created: info.createdSeconds,
        model,
        choices: ordered.map(([index, choice]) => wholeChoice(index, choice)),
        ...(usage === undefined ? {} : { usage: toOpenAiUsage(usage) }),
      });
    },
  };
}

type WholeChoice = {
  text: string;
  refusal: string;
  thinking: string;
  hasText: boolean;
  calls: { id: string; name: string; arguments: string }[];
  finish: string;
  logprobs: JsonValue[];
};

type ChoiceEvent = Exclude<ChatEvent, { type: "start" | "usage" | "warning" }>;

function addToChoice(choice: WholeChoice, event: ChoiceEvent): void {
  switch (event.type) {
    case "text-delta":
      choice.text += event.text;
      choice.hasText = true;
      if (event.logprobs !== undefined) choice.logprobs = choice.logprobs.concat(event.logprobs);
      return;
    case "refusal-delta":
      choice.refusal += event.text;
      return;
    case "thinking-delta":
      choice.thinking += event.text;
      return;
    case "tool-call-start":
      choice.calls[event.index] = { id: event.id, name: event.name, arguments: "" };
      return;
    case "tool-call-delta": {
      const call = choice.calls[event.index];
      if (call !== undefined) call.arguments += event.arguments;
      return;
    }
    case "finish":
      choice.finish = toFinishReason(event.reason);
      return;
    case "thinking-end":
    case "tool-call-end":
    case "vendor":
      // State that this dialect has no place for; the gateway keeps it by tool-call id.
      return;
  }
}

function wholeChoice(index: number, choice: WholeChoice): JsonObject {
  const calls = choice.calls.map((call) => ({
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: call.arguments === "" ? "{}" : call.arguments },
  }));
  return {
    index,
    message: {
      role: "assistant",
      content: choice.hasText ? choice.text : null,
      refusal: choice.refusal === "" ? null : choice.refusal,
      ...(choice.thinking === "" ? {} : { reasoning_content: choice.thinking }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
      annotations: [],
    },
    logprobs: choice.logprobs.length === 0 ? null : { content: choice.logprobs, refusal: null },
    finish_reason: choice.finish,
  };
}

/**
 * Writes `chat.completion.chunk` events. Per choice: role (first chunk) → deltas → finish; then the usage chunk when
 * the client asked for it, then `[DONE]`. Chunks of the same protocol that lack nothing pass through byte for byte, but
 * for the usage chunk that only we asked for.
 */
export function createStreamEncoder(info: AnswerInfo): StreamEncoder {
  return new ChunkWriter(info);
}

class ChunkWriter implements StreamEncoder {
  readonly #info: AnswerInfo;
  readonly #started = new Set<number>();
  /** Calls whose arguments have begun, as `choice:index`. */
  readonly #withArguments = new Set<string>();
  #usage: Usage | undefined;
  #id: string;
  #model: string;
  #head = "";
  /** The vendor's own chunks make the stream, and whether one of them has told the usage. */
  #passed = false;
  #passedUsage = false;

  constructor(info: AnswerInfo) {
    this.#info = info;
    this.#id = `chatcmpl-${info.trace}`;
    this.#model = info.modelId;
  }

  push(frame: AnswerFrame): string {
    if (this.#info.passThrough && frame.raw !== undefined) return this.#pass(frame, frame.raw);
    let text = "";
    for (const event of frame.events) {
      // The decoder's own frame at the end repeats what the vendor's chunks have said already.
      if (this.#passed && event.type !== "usage") continue;
      text += this.#translate(event);
    }
    return text;
  }

  end(): string {
    const owesUsage = this.#info.request.includeUsage && !this.#passedUsage;
    const last = owesUsage && this.#usage !== undefined ? this.#chunk([], toOpenAiUsage(this.#usage)) : "";
    return `${last}data: [DONE]\n\n`;
  }

  fail(error: GatewayError): string {
    return `data: ${JSON.stringify(openAiErrorBody(error))}\n\n`;
  }

  #pass(frame: AnswerFrame, raw: string): string {
    this.#passed = true;
    for (const event of frame.events) {
      if (event.type === "start") this.#translate(event);
      else if (event.type === "usage") {
        this.#usage = event.usage;
        this.#passedUsage = true;
      }
    }
    if (!this.#info.request.includeUsage && isUsageChunk(frame)) return "";
    const head = { id: this.#id, model: this.#model, created: this.#info.createdSeconds };
    return `data: ${conformChunk(raw, head)}\n\n`;
  }

  #translate(event: ChatEvent): string {
    switch (event.type) {
      case "start":
        this.#id = event.id ?? this.#id;
        this.#model = event.model ?? this.#model;
        return "";
      case "text-delta":
        return this.#delta(
          event.choice,
          { content: event.text },
          event.logprobs === undefined ? {} : { logprobs: { content: event.logprobs, refusal: null } },
        );
      case "refusal-delta":
        return this.#delta(event.choice, { refusal: event.text });
      case "thinking-delta":
        return this.#delta(event.choice, { reasoning_content: event.text });
      case "tool-call-start": {
        const { index, id, name } = event;
        return this.#delta(event.choice, {
          tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }],
        });
      }
      case "tool-call-delta":
        if (event.arguments === "") return "";
        this.#withArguments.add(`${event.choice ?? 0}:${event.index}`);
        return this.#delta(event.choice, {
          tool_calls: [{ index: event.index, function: { arguments: event.arguments } }],
        });
      case "tool-call-end":
        // A tool without arguments still owes its client JSON to parse.
        if (this.#withArguments.has(`${event.choice ?? 0}:${event.index}`)) return "";
        return this.#delta(event.choice, { tool_calls: [{ index: event.index, function: { arguments: "{}" } }] });
      case "finish":
        return this.#delta(event.choice, {}, { finish_reason: toFinishReason(event.reason) });
      case "usage":
        this.#usage = event.usage;
        return "";
      case "thinking-end":
      case "vendor":
      case "warning":
        return "";
    }
  }

  #delta(choice: number | undefined, fields: JsonObject, rest: JsonObject = {}): string {
    const index = choice ?? 0;
    const opening = this.#started.has(index) ? {} : { role: "assistant", content: "", refusal: null };
    this.#started.add(index);
    return this.#chunk([{ index, delta: { ...opening, ...fields }, logprobs: null, finish_reason: null, ...rest }]);
  }

  #chunk(choices: readonly JsonObject[], counts: JsonObject | null = null): string {
    this.#head ||= `{"id":${JSON.stringify(this.#id)},"object":"chat.completion.chunk","created":${this.#info.createdSeconds},"model":${JSON.stringify(this.#model)},`;
    const counted = this.#info.request.includeUsage ? `,"usage":${JSON.stringify(counts)}` : "";
    return `data: ${this.#head}"choices":${JSON.stringify(choices)}${counted}}\n\n`;
  }
}

/** The chunk that exists for its usage alone: without choices. The finish event may have waited for it too. */
function isUsageChunk({ events, raw }: AnswerFrame): boolean {
  if (raw === undefined || !events.some((event) => event.type === "usage")) return false;
  const chunk: unknown = JSON.parse(raw);
  return isJsonObject(chunk) && Array.isArray(chunk["choices"]) && chunk["choices"].length === 0;
}

function toFinishReason(reason: FinishReason): string {
  switch (reason) {
    case "stop":
    case "pause":
    case "unknown":
      return "stop";
    case "length":
      return "length";
    case "tool-calls":
      return "tool_calls";
    case "content-filter":
      return "content_filter";
  }
}

function toOpenAiUsage(usage: Usage): JsonObject {
  const input = totalInputTokens(usage);
  return {
    prompt_tokens: input,
    completion_tokens: usage.outputTokens,
    total_tokens: input + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cacheReadTokens, audio_tokens: usage.audioInputTokens },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      audio_tokens: usage.audioOutputTokens,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}
