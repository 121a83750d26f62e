import type { GatewayError } from "./errors.ts";
import { failures } from "./errors.ts";

export type RetryLimits = {
  readonly maxAttemptsPerCandidate: number;
  /** The first wait before a retry; doubled each time, and a random part of it is waited. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** A vendor that asks for a longer wait is not waited for. */
  readonly maxRetryAfterMs: number;
};

/** How long to wait before the same model is asked again after `tries` attempts; `undefined` when it must not be. */
export function retryWaitMs(
  error: GatewayError,
  tries: number,
  limits: RetryLimits,
  random: () => number,
): number | undefined {
  if (failures[error.code].retry !== "same" || tries >= limits.maxAttemptsPerCandidate) return undefined;
  const asked = error.retryAfterMs ?? 0;
  if (asked > limits.maxRetryAfterMs) return undefined;
  const backoff = Math.min(limits.backoffMs * 2 ** (tries - 1), limits.maxBackoffMs);
  // At least half of it: a wait of nothing would hit a struggling vendor again at once.
  return asked + backoff * (0.5 + random() / 2);
}
