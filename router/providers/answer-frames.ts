import type { AnswerFrame } from "../provider.ts";
import { type StreamDecoder, streamFrames, wholeFrames } from "../vendor-call.ts";

/**
 * The frames of an answer as it came, which need not be as it was asked for: a host that cannot stream, or that failed
 * before it began, answers a stream's request whole. Such a body is no event to pass on.
 */
export function answerFrames(
  provider: string,
  response: Response,
  asked: { readonly stream: boolean; readonly signal: AbortSignal },
  decoder: StreamDecoder,
  decodeWhole: (text: string) => AnswerFrame,
): AsyncIterable<AnswerFrame> {
  if (!asked.stream) return wholeFrames(provider, response, asked.signal, decodeWhole);
  const isWhole = /^application\/json\b/i.test(response.headers.get("content-type") ?? "");
  if (isWhole) {
    return wholeFrames(provider, response, asked.signal, (text) => ({ events: decodeWhole(text).events }));
  }
  return streamFrames(provider, response, asked.signal, decoder);
}
