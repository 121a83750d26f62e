import type { ServerResponse } from "node:http";
import { setImmediate, setTimeout } from "node:timers/promises";
import type { Delivery, Failure } from "./directives.ts";
import type { ErrorReply, Problem, Reply, VendorWire } from "./wire.ts";

/** No request hangs longer than this, whatever it asked for. */
const longestHangMs = 600_000;

/** Writes a reply, or what the delivery says shall happen instead. `signal` fires when the client has gone. */
export async function deliver(options: {
  readonly reply: Reply;
  readonly wire: VendorWire;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  /** Breaks the connection from this side. */
  readonly cut: () => void;
}): Promise<void> {
  const { reply, wire, response, signal, cut } = options;
  const { delivery } = reply;
  if (delivery.latencyMs !== undefined) await setTimeout(delivery.latencyMs, undefined, { signal });
  const failure = delivery.failure;
  const atOnce = failure === undefined ? undefined : toProblem(failure, delivery);
  if (atOnce !== undefined && !(reply.kind === "stream" && delivery.after !== undefined)) {
    return sendError(response, wire.toError(atOnce));
  }
  if (failure?.mode === "html") return sendHtml(response);
  if (failure?.mode === "hang" && delivery.after === undefined) {
    await setTimeout(longestHangMs, undefined, { signal });
    return cut();
  }
  if (reply.kind === "json") return sendJson(reply, options);
  return sendStream(reply, atOnce, options);
}

export function sendError(response: ServerResponse, error: ErrorReply): void {
  response.writeHead(error.status, { "content-type": "application/json", ...error.headers });
  response.end(JSON.stringify(error.body));
}

/** A failure that is an error of the vendor's; undefined for those that break the transport. */
function toProblem(failure: Failure, delivery: Delivery): Problem | undefined {
  const retry = delivery.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: delivery.retryAfterSeconds };
  if (failure.mode === "status") {
    const wait = failure.status === 429 ? { retryAfterSeconds: 1, ...retry } : retry;
    return {
      status: failure.status,
      message: `[sandbox] This is the error ${failure.status} that was asked for.`,
      ...wait,
    };
  }
  if (failure.mode === "quota") {
    return {
      status: 429,
      code: "insufficient_quota",
      message: "[sandbox] You exceeded your current quota, please check your plan and billing details.",
    };
  }
  if (failure.mode === "context") {
    return {
      status: 400,
      code: "context_length_exceeded",
      message: "[sandbox] The input is longer than this model's context.",
    };
  }
  return undefined;
}

function sendHtml(response: ServerResponse): void {
  response.writeHead(502, { "content-type": "text/html" });
  response.end(
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><p>sandbox</p></body></html>",
  );
}

type Options = Parameters<typeof deliver>[0];

function sendJson(reply: Extract<Reply, { kind: "json" }>, { wire, response, cut }: Options): void {
  const mode = reply.delivery.failure?.mode;
  const body = Buffer.from(
    mode === "200-error" ? JSON.stringify(wire.toError(errorInside).body) : JSON.stringify(reply.body),
  );
  const half = body.subarray(0, Math.floor(body.length / 2));
  const headers = { "content-type": "application/json", ...reply.headers };
  if (mode === "cut") {
    response.writeHead(200, { ...headers, "content-length": String(body.length) });
    response.write(half, cut);
    return;
  }
  response.writeHead(200, headers);
  response.end(mode === "empty" ? "" : mode === "malformed" ? half : body);
}

const errorInside: Problem = { status: 500, message: "[sandbox] This error stands in an answer with status 200." };

async function sendStream(
  reply: Extract<Reply, { kind: "stream" }>,
  problem: Problem | undefined,
  { response, signal, cut }: Options,
): Promise<void> {
  const { failure, after } = reply.delivery;
  response.writeHead(200, { "content-type": reply.contentType, "cache-control": "no-cache" });
  const until = failure === undefined ? reply.frames.length : (after ?? defaultAfter(failure, reply.frames.length));
  await writeFrames(reply.frames.slice(0, until), reply.delivery, response, signal);
  if (failure === undefined) {
    response.end();
    return;
  }
  const next = reply.frames[until] ?? reply.frames.at(-1) ?? "";
  if (failure.mode === "hang") await setTimeout(longestHangMs, undefined, { signal });
  if (failure.mode === "cut" || failure.mode === "hang") {
    // Ends the connection without the last chunk: a reader that takes the end of the stream for its finish is wrong.
    cut();
    return;
  }
  if (failure.mode === "malformed") response.write(breakJson(next));
  else if (failure.mode !== "empty")
    for (const frame of reply.toErrorFrames(problem ?? errorInside, until)) response.write(frame);
  response.end();
}

function defaultAfter(failure: Failure, frames: number): number {
  if (failure.mode === "cut") return Math.max(1, Math.floor(frames / 2));
  return failure.mode === "malformed" ? 1 : 0;
}

/** Cuts the JSON of a frame in half and keeps its framing. */
function breakJson(frame: string): string {
  const body = frame.trimEnd();
  const from = Math.max(0, body.indexOf("{"));
  return `${body.slice(0, from + Math.ceil((body.length - from) / 2)).toWellFormed()}\n\n`;
}

async function writeFrames(
  frames: readonly string[],
  delivery: Delivery,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const size = delivery.chunkBytes ?? 0;
  if (size > 0) {
    const bytes = Buffer.from(frames.join(""));
    for (let from = 0; from < bytes.length; from += size) {
      response.write(bytes.subarray(from, from + size));
      await setImmediate(undefined, { signal });
    }
    return;
  }
  for (const [index, frame] of frames.entries()) {
    if (index > 0 && delivery.eventDelayMs !== undefined)
      await setTimeout(delivery.eventDelayMs, undefined, { signal });
    signal.throwIfAborted();
    if (!response.write(frame)) await drained(response, signal);
  }
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error("The client has gone."));
  signal.addEventListener("abort", stop, { once: true });
  response.once("drain", resolve);
  try {
    await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    response.off("drain", resolve);
  }
}
