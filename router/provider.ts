import type { ChatEvent, ChatRequest, Protocol } from "./chat.ts";
import type { Model } from "./model.ts";
import type { Usage } from "./usage.ts";

/**
 * The port every vendor stands behind. One provider is one host with one way to authenticate; it may speak several
 * protocols (OpenAI: Chat Completions and Responses).
 */
export interface Provider {
  readonly id: string;
  /** Resolves when the vendor's headers are here, before any event. Throws `GatewayError` for every vendor failure; an abort passes through. */
  chat(call: ProviderCall): Promise<ProviderAnswer>;
  /** Absent where the host sells no embeddings. */
  embed?(call: EmbedCall): Promise<EmbedAnswer>;
  /** Whether `embed` also takes tokens: their numbers mean something to the host that made them alone. */
  readonly embedsTokens?: boolean;
  /** The input tokens of a request by the vendor's own count, memory included. Absent where the host does not count. */
  countTokens?(call: ProviderCall): Promise<number>;
}

export type ProviderCall = {
  /** The client's request with memory in `injections`. The provider translates it afresh on every attempt. */
  readonly request: ChatRequest;
  readonly model: Model;
  readonly signal: AbortSignal;
  /** Names one thing that could not be carried as asked (`temperature: clamped to 1`). */
  readonly warn: (warning: string) => void;
};

/**
 * A piece of the answer: what it means, and for a client of the same protocol the vendor's own bytes. `raw` is one SSE
 * event's data (stream) or the whole body (whole); it is absent for events we made ourselves.
 */
export type AnswerFrame = { readonly events: readonly ChatEvent[]; readonly raw?: string };

export type ProviderAnswer = {
  /** The protocol of `raw`. */
  readonly protocol: Protocol;
  /** The vendor's request id and rate-limit headers, lower-case names, for the client's own headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends after the last finish, or throws `GatewayError`. Returning early from the iteration cancels the vendor's request. */
  readonly frames: AsyncIterable<AnswerFrame>;
};

export type EmbedCall = {
  readonly model: string;
  readonly input: readonly string[];
  /** In place of `input`, each text's tokens: only where the provider `embedsTokens`. */
  readonly tokens?: readonly (readonly number[])[];
  readonly dimensions?: number;
  /** As the client named them; a provider that passes it on does so hashed. */
  readonly endUser?: string;
  readonly signal: AbortSignal;
};
export type EmbedAnswer = { readonly vectors: readonly Float32Array[]; readonly usage: Usage };
