import { GatewayError } from "./errors.ts";
import type { EmbedAnswer, EmbedCall, Provider } from "./provider.ts";
import type { RetryLimits } from "./retry-wait.ts";
import { retryWaitMs } from "./retry-wait.ts";
import type { Attempt } from "./router.ts";

/** Who turns text into vectors: a vendor, a host, or the embedder in this process. */
export type EmbedProvider = Pick<Provider, "id" | "embed" | "embedsTokens">;

export type EmbedDeps = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** 0 up to 1. */
  readonly random: () => number;
  /** Rejects when the signal aborts. */
  readonly sleep: (delayMs: number, signal: AbortSignal) => Promise<void>;
  readonly limits: RetryLimits & { readonly requestTimeoutMs: number; readonly attemptTimeoutMs: number };
};

/**
 * Asks one provider, again under the rules that chat is retried by. Never another: vectors of two models cannot be
 * compared. `onAttempt` hears of each attempt as it ends. Throws `GatewayError`; the client's abort passes through.
 */
export async function embedWithRetries(
  deps: EmbedDeps,
  provider: EmbedProvider,
  call: EmbedCall,
  onAttempt: (attempt: Attempt) => void,
): Promise<EmbedAnswer> {
  const deadline = deps.now() + deps.limits.requestTimeoutMs;
  const model = { id: call.model, provider: provider.id };
  for (let tries = 1; ; tries += 1) {
    const startedAt = deps.now();
    const attempt = {
      model,
      kind: tries === 1 ? "first" : "retry",
      startedAt: new Date(startedAt).toISOString(),
    } as const;
    try {
      const answer = await embedOnce(deps, provider, call, deadline);
      onAttempt({ ...attempt, durationMs: deps.now() - startedAt });
      return answer;
    } catch (error) {
      if (!(error instanceof GatewayError) || call.signal.aborted) throw error;
      const { code, message } = error;
      onAttempt({ ...attempt, durationMs: deps.now() - startedAt, failure: { code, message } });
      const waitMs = retryWaitMs(error, tries, deps.limits, deps.random);
      if (waitMs === undefined || deps.now() + waitMs >= deadline) throw error;
      await deps.sleep(waitMs, call.signal);
    }
  }
}

async function embedOnce(
  { now, limits }: EmbedDeps,
  provider: EmbedProvider,
  call: EmbedCall,
  deadline: number,
): Promise<EmbedAnswer> {
  if (provider.embed === undefined) throw new GatewayError("unsupported", `${provider.id} offers no embeddings.`);
  const timeout = AbortSignal.timeout(Math.max(1, Math.min(limits.attemptTimeoutMs, deadline - now())));
  try {
    return await provider.embed({ ...call, signal: AbortSignal.any([call.signal, timeout]) });
  } catch (error) {
    if (!timeout.aborted || call.signal.aborted) throw error;
    throw new GatewayError("timeout", `${provider.id}/${call.model} did not answer in time.`, { cause: error });
  }
}
