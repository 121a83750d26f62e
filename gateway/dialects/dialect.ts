import type { IncomingHttpHeaders } from "node:http";
import type { ChatRequest, Protocol } from "../../router/chat.ts";
import type { GatewayError } from "../../router/errors.ts";
import type { JsonObject } from "../../router/json.ts";
import type { AnswerFrame } from "../../router/provider.ts";

/**
 * The port of a client's wire format: how its requests are read and its answers written. Encoders hold one answer
 * each; they are fed every frame in order and write a frame's raw bytes unchanged where `passThrough` says that the
 * vendor spoke the same protocol.
 */
export interface Dialect {
  readonly protocol: Protocol;
  /** Throws `GatewayError` `invalid_request` with the field's path. */
  parse(body: JsonObject, headers: IncomingHttpHeaders): ChatRequest;
  errorBody(error: GatewayError, trace: string): JsonObject;
  createWholeEncoder(info: AnswerInfo): WholeEncoder;
  createStreamEncoder(info: AnswerInfo): StreamEncoder;
}

export type AnswerInfo = {
  readonly request: ChatRequest;
  readonly trace: string;
  /** The id the vendor knows the model by. */
  readonly modelId: string;
  /** Unix time of the request. */
  readonly createdSeconds: number;
  readonly passThrough: boolean;
};

export interface WholeEncoder {
  push(frame: AnswerFrame): void;
  /** The body, as JSON text. Call once, after the last frame. */
  end(): string;
}

export interface StreamEncoder {
  /** SSE text for one frame; may be empty. */
  push(frame: AnswerFrame): string;
  /** What closes a stream that ended well. */
  end(): string;
  /** What closes a stream that failed after its first byte. */
  fail(error: GatewayError): string;
}

/** A comment every SSE parser skips: keeps proxies from closing a stream while a model thinks. */
export const ssePing = ": ping\n\n";
