import type { Breakers, Health } from "./breakers.ts";
import { isHostFailure } from "./breakers.ts";
import type { ChatRequest } from "./chat.ts";
import { GatewayError, failures } from "./errors.ts";
import type { AnswerWatcher, Attempted, Timer } from "./attempt.ts";
import { attemptModel } from "./attempt.ts";
import type { HoldLimits } from "./hold-back.ts";
import type { Model } from "./model.ts";
import { modelName } from "./model.ts";
import type { Provider } from "./provider.ts";
import type { RetryLimits } from "./retry-wait.ts";
import { retryWaitMs } from "./retry-wait.ts";
import type { Attempt, Candidate, Execution, Plan } from "./router.ts";

export type ExecuteLimits = HoldLimits &
  RetryLimits & {
    /** From the request's beginning to the last event of its answer. */
    readonly requestTimeoutMs: number;
    /** Until an attempt's first meaningful event. The last candidate may use all the time that is left. */
    readonly attemptTimeoutMs: number;
    readonly maxAttempts: number;
  };

export const defaultExecuteLimits: ExecuteLimits = {
  requestTimeoutMs: 900_000,
  attemptTimeoutMs: 120_000,
  maxAttemptsPerCandidate: 3,
  maxAttempts: 8,
  backoffMs: 250,
  maxBackoffMs: 4_000,
  maxRetryAfterMs: 8_000,
  maxHeldEvents: 64,
  maxHeldBytes: 256 * 1024,
};

export type ExecuteDeps = {
  readonly providers: ReadonlyMap<string, Provider>;
  readonly breakers: Breakers;
  /** Watches the answer that was chosen: measures it, and remembers it for the session. */
  readonly watch: (plan: Plan, candidate: Candidate, request: ChatRequest, startedAtMs: number) => AnswerWatcher;
  readonly now: () => number;
  /** 0 up to 1. */
  readonly random: () => number;
  /** Rejects when the signal aborts. */
  readonly sleep: (delayMs: number, signal: AbortSignal) => Promise<void>;
  readonly timer: Timer;
  readonly limits: ExecuteLimits;
};

/** Tries the plan's candidates until one begins to answer. Throws what the client should hear when none does. */
export async function executePlan(
  deps: ExecuteDeps,
  plan: Plan,
  request: ChatRequest,
  signal: AbortSignal,
  onAttempt?: (attempt: Attempt) => void,
): Promise<Execution> {
  signal.throwIfAborted();
  const attempts: Attempt[] = [];
  const note = (attempt: Attempt): void => {
    attempts.push(attempt);
    onAttempt?.(attempt);
  };
  const deadline = deps.now() + deps.limits.requestTimeoutMs;
  const run: Run = { deps, plan, request, signal, deadline, attempts, note };
  const failed: FailedCandidate[] = [];
  let waiting = plan.candidates;
  for (let [candidate] = waiting; candidate !== undefined; [candidate] = waiting) {
    waiting = waiting.slice(1);
    if (run.attempts.length >= deps.limits.maxAttempts || deps.now() >= run.deadline) break;
    if (!deps.breakers.of(candidate.model).admit(deps.now())) continue;
    const outcome = await tryCandidate(run, candidate, waiting.length === 0);
    if ("execution" in outcome) return outcome.execution;
    failed.push(outcome);
    if (isHostFailure(outcome.failure.code)) waiting = hostLast(waiting, outcome.model.provider);
  }
  const [first] = plan.candidates;
  if (failed.length === 0 && first !== undefined) {
    // Every breaker is open. Failing now for certain would be worse than failing perhaps.
    const outcome = await tryCandidate(run, first, true);
    if ("execution" in outcome) return outcome.execution;
    failed.push(outcome);
    if (isHostFailure(outcome.failure.code)) waiting = hostLast(waiting, outcome.model.provider);
  }
  throw summary(failed);
}

/** The host is the trouble: its other models have their turn when those of other hosts have had theirs. */
function hostLast(candidates: readonly Candidate[], host: string): readonly Candidate[] {
  const isOfHost = ({ model }: Candidate): boolean => model.provider === host;
  return [...candidates.filter((candidate) => !isOfHost(candidate)), ...candidates.filter(isOfHost)];
}

type Run = {
  readonly deps: ExecuteDeps;
  readonly plan: Plan;
  readonly request: ChatRequest;
  readonly signal: AbortSignal;
  readonly deadline: number;
  readonly attempts: readonly Attempt[];
  readonly note: (attempt: Attempt) => void;
};
type FailedCandidate = { readonly model: Model; readonly failure: GatewayError };

/** One candidate with its retries. Throws only what must not be tried elsewhere. */
async function tryCandidate(
  run: Run,
  candidate: Candidate,
  isLast: boolean,
): Promise<FailedCandidate | { readonly execution: Execution }> {
  const { deps, attempts, signal } = run;
  const { model } = candidate;
  const breaker = deps.breakers.of(model);
  for (let tries = 1; ; tries += 1) {
    const startedAtMs = deps.now();
    const warnings: string[] = [];
    const kind = attempts.length === 0 ? "first" : tries === 1 ? "fallback" : "retry";
    try {
      const attempted = await begin(run, candidate, isLast, warnings);
      run.note(attemptOf(model, kind, startedAtMs, deps.now()));
      return { execution: commit(run, candidate, attempted, warnings, startedAtMs) };
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) {
        breaker.release();
        throw error;
      }
      run.note({
        ...attemptOf(model, kind, startedAtMs, deps.now()),
        failure: { code: error.code, message: error.message },
      });
      breaker.fail(error.code, deps.now(), error.retryAfterMs);
      if (failures[error.code].retry === "never") throw error;
      const waitMs = retryWait(run, error, tries, breaker, isLast);
      if (waitMs === undefined) return { model, failure: error };
      await deps.sleep(waitMs, signal);
    }
  }
}

async function begin(run: Run, candidate: Candidate, isLast: boolean, warnings: string[]): Promise<Attempted> {
  const { deps, request, signal, deadline } = run;
  const { model } = candidate;
  const provider = deps.providers.get(model.provider);
  if (provider === undefined) throw new GatewayError("internal", `provider ${model.provider} is not configured`);
  const leftMs = (): number => Math.max(0, deadline - deps.now());
  return attemptModel({
    provider,
    model,
    request,
    signal,
    firstEventTimeoutMs: isLast ? leftMs() : Math.min(leftMs(), deps.limits.attemptTimeoutMs),
    leftMs,
    timer: deps.timer,
    limits: deps.limits,
    warn: (warning) => {
      if (warnings.length < maxWarnings) warnings.push(warning);
    },
  });
}

/** Warnings become a header: a translation that loses more than this has said enough. */
const maxWarnings = 50;

/** How long to wait before the same candidate is asked again; `undefined` when the next one's turn has come. */
function retryWait(run: Run, error: GatewayError, tries: number, breaker: Health, isLast: boolean): number | undefined {
  const { deps, attempts, deadline } = run;
  const { limits } = deps;
  const waitMs = retryWaitMs(error, tries, limits, deps.random);
  if (waitMs === undefined || attempts.length >= limits.maxAttempts) return undefined;
  if (!isLast && breaker.stateAt(deps.now()) === "open") return undefined;
  return deps.now() + waitMs < deadline ? waitMs : undefined;
}

function attemptOf(model: Model, kind: Attempt["kind"], startedAtMs: number, now: number): Attempt {
  return { model, kind, startedAt: new Date(startedAtMs).toISOString(), durationMs: now - startedAtMs };
}

function commit(
  run: Run,
  candidate: Candidate,
  attempted: Attempted,
  warnings: readonly string[],
  startedAtMs: number,
): Execution {
  const { deps, plan, request, attempts } = run;
  return {
    model: candidate.model,
    answer: attempted.open(deps.watch(plan, candidate, request, startedAtMs)),
    attempts,
    warnings: mergeWarnings(candidate.warnings, warnings),
  };
}

/** Of two warnings about one parameter, the provider's tells what was done, the plan's what was expected. */
function mergeWarnings(planned: readonly string[], actual: readonly string[]): readonly string[] {
  if (actual.length === 0) return planned;
  const subjects = new Set(actual.map(subjectOf));
  return [...new Set([...planned.filter((warning) => !subjects.has(subjectOf(warning))), ...actual])];
}

function subjectOf(warning: string): string {
  const colon = warning.indexOf(":");
  return colon === -1 ? warning : warning.slice(0, colon);
}

/** One failure is itself. Of several, one that passes with time decides the code: then the client may try again. */
function summary(failed: readonly FailedCandidate[]): GatewayError {
  const [first] = failed;
  const last = failed.at(-1);
  if (first === undefined || last === undefined)
    return new GatewayError("timeout", "no time was left to ask any model");
  if (failed.length === 1) return first.failure;
  const passing = failed.find(({ failure }) => failures[failure.code].retry === "same")?.failure ?? last.failure;
  const told = failed.map(({ model, failure }) => `${modelName(model)}: ${failure.message}`).join("; ");
  return new GatewayError(passing.code, `every candidate failed: ${told}`, {
    cause: passing,
    ...(passing.retryAfterMs === undefined ? {} : { retryAfterMs: passing.retryAfterMs }),
    ...(passing.vendor === undefined ? {} : { vendor: passing.vendor }),
  });
}
