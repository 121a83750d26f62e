import type { ChatEvent } from "./chat.ts";
import { GatewayError } from "./errors.ts";
import type { JsonValue } from "./json.ts";
import type { PooledFetch } from "./pooled-fetch.ts";
import { bodyOf, cancelBody, readWhole, releaseBody } from "./pooled-fetch.ts";
import type { AnswerFrame } from "./provider.ts";
import type { SseEvent } from "./sse.ts";
import { readSse } from "./sse.ts";
import type { VendorErrorRules } from "./vendor-errors.ts";
import { networkFailure, vendorFailure } from "./vendor-errors.ts";

/** Turns the events of one stream into frames. One instance serves one answer. */
export type StreamDecoder = {
  /** Absent for an event that means nothing to anyone (a ping). Throws `GatewayError` for an error event. */
  push(event: SseEvent): AnswerFrame | undefined;
  /** True once the terminal event was pushed: nothing is read after it, heartbeats or not. */
  readonly done: boolean;
  /**
   * True when all but an optional trailer (the usage) is here. What has not come {@link maxTrailerMs} later is not waited
   * for: some hosts neither send it nor end their stream.
   */
  readonly closing?: boolean;
  /** The stream ended by itself. Gives what is still owed (a finish), or throws `bad_answer` when it was cut. */
  end(): AnswerFrame | undefined;
};

const maxTrailerMs = 2000;
const maxErrorBodyBytes = 256 * 1024;

/**
 * The `fetch` for one provider's SDK: a vendor's refusal and the network's failures are thrown as `GatewayError`, with
 * headers and body at hand, before the SDK makes them its own. {@link failureOf} finds them again in what the SDK throws.
 */
export function vendorFetch(pooled: PooledFetch, provider: string, rules: VendorErrorRules): typeof globalThis.fetch {
  return async (input, init) => {
    try {
      const response = await pooled.fetch(input, init);
      if (response.ok) return response;
      const body = await readErrorBody(response);
      throw vendorFailure({ provider, status: response.status, headers: response.headers, body, rules });
    } catch (error) {
      if (error instanceof GatewayError || init?.signal?.aborted === true) throw error;
      throw networkFailure(provider, error);
    }
  };
}

/** What to throw for something that an SDK or a body threw: the abort's own reason, our error inside it, or a network failure. */
export function failureOf(provider: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  let inner = error;
  for (let depth = 0; depth < 6 && inner instanceof Error; depth += 1) {
    if (inner instanceof GatewayError) return inner;
    inner = inner.cause;
  }
  return networkFailure(provider, error);
}

/** The vendor's request id and rate limits, for `ProviderAnswer.headers`. */
export function answerHeaders(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of headers.entries()) {
    if (keptHeaders.has(name) || name.includes("ratelimit-")) kept[name] = value;
  }
  return kept;
}

const keptHeaders = new Set(["x-request-id", "request-id", "openai-processing-ms", "openai-version", "retry-after"]);

/**
 * The frames of a streamed answer. Nothing is read ahead of the consumer. Returning early or aborting closes the
 * vendor's connection; after the terminal event the connection goes back to the pool.
 */
export function streamFrames(
  provider: string,
  response: Response,
  signal: AbortSignal,
  decoder: StreamDecoder,
): AsyncIterable<AnswerFrame> {
  // A vendor that failed before it began to stream answers in JSON, whatever was asked for. Its body is no event to pass on.
  if (isJson(response)) {
    return wholeFrames(provider, response, signal, (text) => ({ events: decodeAsOneEvent(decoder, text) }));
  }
  return closing(response, readFrames(provider, response, signal, decoder), () => decoder.done);
}

/** The one frame of a whole answer, read when the consumer asks for it. `decode` throws `GatewayError` for an error inside. */
export function wholeFrames(
  provider: string,
  response: Response,
  signal: AbortSignal,
  decode: (text: string) => AnswerFrame,
): AsyncIterable<AnswerFrame> {
  return closing(response, readWholeFrame(provider, response, signal, decode), () => false);
}

/** JSON of a vendor's answer. Throws `bad_answer` when it is not. */
export function parseVendorJson(provider: string, text: string): JsonValue {
  try {
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch (cause) {
    throw new GatewayError("bad_answer", `${provider} answered something that is not JSON.`, { cause });
  }
}

export function isJson(response: Response): boolean {
  return /^application\/json\b/i.test(response.headers.get("content-type") ?? "");
}

function decodeAsOneEvent(decoder: StreamDecoder, text: string): readonly ChatEvent[] {
  const events = decoder.push({ data: text })?.events ?? [];
  return decoder.done ? events : [...events, ...(decoder.end()?.events ?? [])];
}

/** A generator's own `return` does nothing before its first `next`, and waits for the vendor during one. */
function closing(
  response: Response,
  frames: AsyncGenerator<AnswerFrame>,
  done: () => boolean,
): AsyncIterable<AnswerFrame> {
  const iterator: AsyncIterator<AnswerFrame> = {
    next: () => frames.next(),
    return: () => {
      if (!done()) cancelBody(response);
      return frames.return(undefined);
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

async function* readFrames(
  provider: string,
  response: Response,
  signal: AbortSignal,
  decoder: StreamDecoder,
): AsyncGenerator<AnswerFrame> {
  const stop = (): void => cancelBody(response, asError(signal.reason));
  signal.addEventListener("abort", stop, { once: true });
  let trailer: NodeJS.Timeout | undefined;
  let trailerMissed = false;
  try {
    if (signal.aborted) stop();
    for await (const event of readSse(bodyOf(response, { keepOpen: true }))) {
      const frame = decoder.push(event);
      if (frame !== undefined) yield onOneLine(frame);
      if (decoder.done) return;
      if (decoder.closing === true && trailer === undefined) {
        trailer = setTimeout(() => {
          trailerMissed = true;
          cancelBody(response);
        }, maxTrailerMs);
      }
    }
    const last = decoder.end();
    if (last !== undefined) yield last;
  } catch (error) {
    if (!trailerMissed || signal.aborted) throw failureOf(provider, error, signal);
    const last = decoder.end();
    if (last !== undefined) yield last;
  } finally {
    clearTimeout(trailer);
    signal.removeEventListener("abort", stop);
    if (decoder.done) releaseBody(response);
    else cancelBody(response);
  }
}

/** Data of several lines is one JSON text all the same; on one line it can be written out again as it is. */
function onOneLine(frame: AnswerFrame): AnswerFrame {
  return frame.raw?.includes("\n") === true ? { ...frame, raw: frame.raw.replaceAll("\n", " ") } : frame;
}

async function* readWholeFrame(
  provider: string,
  response: Response,
  signal: AbortSignal,
  decode: (text: string) => AnswerFrame,
): AsyncGenerator<AnswerFrame> {
  const stop = (): void => cancelBody(response, asError(signal.reason));
  signal.addEventListener("abort", stop, { once: true });
  let text: string;
  try {
    if (signal.aborted) stop();
    text = (await readWhole(response)).toString("utf8");
  } catch (error) {
    throw failureOf(provider, error, signal);
  } finally {
    signal.removeEventListener("abort", stop);
    cancelBody(response);
  }
  yield decode(text);
}

async function readErrorBody(response: Response): Promise<string> {
  try {
    return (await readWhole(response, maxErrorBodyBytes)).toString("utf8");
  } catch {
    // The status and headers are here and say enough; a cut or endless error page adds nothing.
    return "";
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
