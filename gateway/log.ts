import pino, { type Logger } from "pino";
import { GatewayError } from "../router/errors.ts";

export type { Logger } from "pino";

/** JSON lines on standard output, one per request. Nothing that is logged may hold content or a secret. */
export function createLogger(level: string): { readonly log: Logger; readonly flush: () => void } {
  // Buffered: a synchronous write per request costs more CPU than the rest of the line. Flushed every second and at exit.
  const destination = pino.destination({ fd: 1, sync: false, minLength: 4096, periodicFlush: 1000 });
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: describeError, err: describeError },
    },
    destination,
  );
  let open = true;
  // Whoever read our output has gone (`npm start | head`): requests go on, without a log.
  destination.on("error", () => {
    open = false;
    log.level = "silent";
  });
  return {
    log,
    flush: () => {
      if (open) destination.flushSync();
    },
  };
}

/**
 * Name, message and where it came from; an SDK's error object would bring its request headers along. What a vendor said
 * and what JSON.parse choked on are left out: both like to quote the prompt.
 */
export function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const cause = error.cause instanceof Error ? `${error.cause.name}: ${messageOf(error.cause)}` : undefined;
  // A stack begins with the message.
  const where = error.message === "" ? error.stack : error.stack?.split(error.message).at(-1)?.trim();
  return {
    name: error.name,
    message: messageOf(error),
    ...(error instanceof GatewayError ? { code: error.code, vendor: error.vendor } : {}),
    ...(cause === undefined ? {} : { cause }),
    stack: where,
  };
}

function messageOf(error: Error): string {
  if (error instanceof SyntaxError) return "not valid JSON";
  // `openai failed (400): <the vendor's words>`
  if (error instanceof GatewayError && error.vendor !== undefined) return error.message.split(":", 1).join("");
  return error.message;
}
