import pino, { type Logger } from "pino";

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
  return { log, flush: () => destination.flushSync() };
}

/** Name, message and where it came from; an SDK's error object would bring its request headers along. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const cause = error.cause instanceof Error ? `${error.cause.name}: ${error.cause.message}` : undefined;
  return { name: error.name, message: error.message, ...(cause === undefined ? {} : { cause }), stack: error.stack };
}
