import type { JsonObject } from "../../router/json.ts";

/**
 * The sandbox's own words for a request and an answer: what the brain needs, whichever vendor's wire it came over.
 * Kept apart from `router/chat.ts` on purpose: a fake vendor that shared the gateway's translation would agree with its
 * mistakes.
 */
export type Vendor = "openai" | "anthropic" | "gemini";
export const vendors: readonly Vendor[] = ["openai", "anthropic", "gemini"];

export type Attachment = {
  readonly kind: "image" | "file" | "audio";
  readonly mediaType: string;
  /** Absent when the request names it by address only. */
  readonly bytes?: number;
  readonly address?: string;
};

type ToolCallView = { readonly id: string; readonly name: string; readonly arguments: JsonObject };
export type ToolResultView = {
  readonly id: string;
  readonly name?: string | undefined;
  readonly text: string;
  readonly isError: boolean;
};

export type Turn = {
  readonly role: "system" | "user" | "assistant";
  readonly texts: readonly string[];
  readonly attachments: readonly Attachment[];
  readonly toolCalls: readonly ToolCallView[];
  readonly toolResults: readonly ToolResultView[];
};

export type ToolView = { readonly name: string; readonly description: string; readonly parameters: JsonObject };

export type ToolChoiceView =
  | { readonly type: "auto" | "none" }
  /** Any of the named tools; of all of them when `names` is absent. */
  | { readonly type: "required"; readonly names?: readonly string[] };

/** How the answer must look: free text, any JSON object, or a value of the schema. */
export type FormatView =
  | { readonly type: "text" }
  | { readonly type: "json-object" }
  | { readonly type: "schema"; readonly schema: JsonObject };

/** A piece of the prompt as it is counted and cached. `mark` is Anthropic's `cache_control`. */
export type PromptSegment = {
  readonly text: string;
  readonly tokens: number;
  readonly mark?: "5m" | "1h";
};

export type RequestView = {
  readonly turns: readonly Turn[];
  readonly tools: readonly ToolView[];
  readonly toolChoice: ToolChoiceView;
  readonly parallelToolCalls: boolean;
  readonly format: FormatView;
  readonly maxTokens?: number;
  readonly stop: readonly string[];
  /** How hard to think; absent when the request does not think. */
  readonly thinking?: string;
};

export type AnswerToolCall = { readonly name: string; readonly arguments: JsonObject };

export type Answer = {
  readonly thinking: string;
  readonly text: string;
  readonly toolCalls: readonly AnswerToolCall[];
  readonly finish: "stop" | "stop-sequence" | "length" | "tool-calls" | "refusal";
  readonly stopSequence?: string;
  readonly thinkingTokens: number;
  /** Text and tool calls, without the thinking. */
  readonly outputTokens: number;
};

/** What a directive asks of the answer itself: to refuse, or to be so many words long. */
export type Wishes = { readonly refuse?: boolean | undefined; readonly words?: number | undefined };

export const emptyTurn = (role: Turn["role"]): Turn => ({
  role,
  texts: [],
  attachments: [],
  toolCalls: [],
  toolResults: [],
});
