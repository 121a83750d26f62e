import type { JsonObject, JsonValue } from "./json.ts";
import type { Usage } from "./usage.ts";

/**
 * Our words for a chat. Every client dialect is parsed into a {@link ChatRequest}, every vendor answer into
 * {@link ChatEvent}s: N dialects and M vendor protocols cost N + M translations.
 */

/** A wire format. A client dialect and a vendor protocol are one thing seen from two sides. */
export type Protocol = "openai-chat" | "openai-responses" | "anthropic-messages" | "gemini-generate";

/**
 * Something only its maker can read (a signature, encrypted reasoning, a built-in tool's block). Replayed byte for
 * byte to the same protocol, left out for any other.
 */
export type VendorState = {
  readonly protocol: Protocol;
  /** The credential that produced it, where the vendor binds the state to one (OpenAI encrypted reasoning). */
  readonly credential?: string;
  readonly value: JsonValue;
};

/** A client's prompt-cache marker; `ttl` absent means the vendor's default. */
export type CacheMark = { readonly ttl?: "5m" | "1h" };

export type MediaSource =
  | { readonly kind: "base64"; readonly mediaType: string; readonly data: string }
  | { readonly kind: "url"; readonly url: string; readonly mediaType?: string }
  /** A file uploaded to one vendor: means nothing to another. */
  | { readonly kind: "file-id"; readonly protocol: Protocol; readonly id: string };

export type TextPart = {
  readonly type: "text";
  readonly text: string;
  readonly cache?: CacheMark;
  /** What the vendor signed this text with (Gemini), from the `text-delta` that carried it. */
  readonly state?: VendorState;
};
export type ImagePart = {
  readonly type: "image";
  readonly source: MediaSource;
  readonly detail?: string;
  readonly cache?: CacheMark;
};
export type FilePart = {
  readonly type: "file";
  readonly source: MediaSource;
  readonly name?: string;
  readonly cache?: CacheMark;
};
export type AudioPart = { readonly type: "audio"; readonly source: MediaSource; readonly format?: string };
export type ToolResultPart = {
  readonly type: "tool-result";
  readonly toolCallId: string;
  readonly content: readonly (TextPart | ImagePart | FilePart)[];
  readonly isError?: boolean;
  readonly cache?: CacheMark;
};
export type ThinkingPart = { readonly type: "thinking"; readonly text: string; readonly state?: VendorState };
export type ToolCallPart = {
  readonly type: "tool-call";
  readonly id: string;
  readonly name: string;
  /** JSON text as the model wrote it; `""` when the tool takes nothing. */
  readonly arguments: string;
  readonly state?: VendorState;
  readonly cache?: CacheMark;
};
export type RefusalPart = { readonly type: "refusal"; readonly text: string };
/** A block that exists in one protocol only. Carried to that protocol; elsewhere dropped with a warning. */
export type VendorPart = { readonly type: "vendor"; readonly state: VendorState };

/** A user message may hold tool results (Anthropic's shape); elsewhere they are messages of their own. */
export type UserPart = TextPart | ImagePart | FilePart | AudioPart | ToolResultPart | VendorPart;
export type AssistantPart = TextPart | RefusalPart | ThinkingPart | ToolCallPart | VendorPart;

/**
 * One message. `source` is its place in the client's own list (`body.messages` or `body.input`), so that a
 * pass-through can edit the raw body where a translation would edit this.
 */
export type ChatMessage =
  | {
      readonly role: "system" | "developer";
      readonly content: readonly TextPart[];
      readonly name?: string;
      readonly source?: number;
    }
  | { readonly role: "user"; readonly content: readonly UserPart[]; readonly name?: string; readonly source?: number }
  | {
      readonly role: "assistant";
      readonly content: readonly AssistantPart[];
      readonly name?: string;
      readonly source?: number;
    }
  | { readonly role: "tool"; readonly content: readonly ToolResultPart[]; readonly source?: number };

export type FunctionTool = {
  readonly type: "function";
  readonly name: string;
  readonly description?: string;
  /** JSON Schema; absent means a tool without arguments. Property order is meaning: never sort it. */
  readonly parameters?: JsonObject;
  readonly strict?: boolean;
  readonly cache?: CacheMark;
};
/** A tool the vendor runs itself, or of a shape only it knows (web search, code execution, custom grammar). */
export type VendorTool = { readonly type: "vendor"; readonly name: string; readonly state: VendorState };
export type ChatTool = FunctionTool | VendorTool;

export type ToolChoice =
  | { readonly type: "auto" | "none" | "required" }
  | { readonly type: "tool"; readonly name: string }
  | { readonly type: "allowed"; readonly mode: "auto" | "required"; readonly names: readonly string[] };

export type ResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json-object" }
  | {
      readonly type: "json-schema";
      readonly name: string;
      readonly description?: string;
      readonly schema: JsonObject;
      readonly strict?: boolean;
    };

/** From least to most; `none` switches thinking off. */
export const effortLadder = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;
export type Effort = (typeof effortLadder)[number];

export type Reasoning = {
  readonly effort?: Effort;
  /** Anthropic's and Gemini's older way to say it, in tokens. */
  readonly budgetTokens?: number;
  /** Whether the client wants to see a summary of the thinking. */
  readonly summary?: "auto" | "concise" | "detailed" | "none";
};

export type Sampling = {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly seed?: number;
  readonly logitBias?: Readonly<Record<string, number>>;
  readonly logprobs?: boolean;
  readonly topLogprobs?: number;
  /** How many choices; absent means 1. */
  readonly choices?: number;
};

export type ChatRequest = {
  /** The client's dialect and body: read only by a provider that speaks the same protocol, never changed. */
  readonly dialect: Protocol;
  readonly raw: JsonObject;
  /** The client's headers that its own dialect's vendor reads (`anthropic-beta`), lower-case names; passed on by allow-list. */
  readonly dialectHeaders?: Readonly<Record<string, string>>;
  /** As the client wrote it: `auto`, `auto:cheap`, a model id, `provider/model` or an alias. */
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  /** Memory blocks, by index into `messages`: each joins that user message ahead of the client's own words. */
  readonly injections: ReadonlyMap<number, string>;
  readonly tools: readonly ChatTool[];
  readonly toolChoice?: ToolChoice;
  readonly parallelToolCalls?: boolean;
  readonly responseFormat?: ResponseFormat;
  readonly sampling: Sampling;
  readonly maxOutputTokens?: number;
  readonly stop: readonly string[];
  readonly reasoning?: Reasoning;
  readonly stream: boolean;
  /** Whether the client asked for a usage event in the stream; upstream it is always asked for. */
  readonly includeUsage: boolean;
  readonly endUser?: string;
  readonly metadata?: JsonObject;
  readonly serviceTier?: string;
  readonly promptCacheKey?: string;
  /** Fields of the client's body that our words do not cover, by name: passed on only within the same protocol. */
  readonly unknownFields: readonly string[];
};

export type FinishReason = "stop" | "length" | "tool-calls" | "content-filter" | "pause" | "unknown";

/**
 * What a model answers, whole or streamed: one `start`, any number of deltas, at most one `usage`, then exactly one
 * `finish` per choice. Nothing follows the last finish. `choice` absent means 0. Tool calls of a choice are numbered
 * from 0 by `index`; `tool-call-start` carries id and name once; a whole answer is the same events, each delta once.
 */
export type ChatEvent =
  /** `usage`: what went in, where the vendor says so before it answers; the `usage` event replaces it. */
  | { readonly type: "start"; readonly id?: string; readonly model?: string; readonly usage?: Usage }
  | {
      readonly type: "text-delta";
      readonly text: string;
      readonly choice?: number;
      readonly logprobs?: JsonValue;
      readonly state?: VendorState;
    }
  | { readonly type: "refusal-delta"; readonly text: string; readonly choice?: number }
  | { readonly type: "thinking-delta"; readonly text: string; readonly choice?: number }
  /** Closes the thinking block that its deltas opened; alone, it is a redacted or empty block. */
  | { readonly type: "thinking-end"; readonly state?: VendorState; readonly choice?: number }
  | {
      readonly type: "tool-call-start";
      readonly index: number;
      readonly id: string;
      readonly name: string;
      readonly choice?: number;
    }
  | { readonly type: "tool-call-delta"; readonly index: number; readonly arguments: string; readonly choice?: number }
  | { readonly type: "tool-call-end"; readonly index: number; readonly state?: VendorState; readonly choice?: number }
  /** A block only this protocol knows (a built-in tool's call or result, an annotation). */
  | { readonly type: "vendor"; readonly state: VendorState; readonly choice?: number }
  | { readonly type: "warning"; readonly warning: string }
  | { readonly type: "usage"; readonly usage: Usage }
  | {
      readonly type: "finish";
      readonly reason: FinishReason;
      /** The vendor's own word, `""` when it gave none. */
      readonly rawReason: string;
      readonly stopSequence?: string;
      readonly choice?: number;
    };
