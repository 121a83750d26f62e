import { setTimeout as delay } from "node:timers/promises";
import type { Job, JobQueue } from "./job-queue.ts";

export type WorkerParts = {
  readonly queue: JobQueue;
  /** One job's effect; must be idempotent, because a job is delivered at least once. */
  readonly run: (job: Job, signal: AbortSignal) => Promise<void>;
  readonly onFailure: (error: unknown, job: Job | undefined) => void;
  readonly onJob?: (outcome: "done" | "failed", ms: number) => void;
  /** Owners served side by side. */
  readonly concurrency: number;
  /** A job that runs longer is stopped, and given to whoever claims next. */
  readonly leaseMs: number;
  /** How often an empty queue is looked at: for jobs that another process pushed, or whose delay has passed. */
  readonly pollMs: number;
};

/**
 * Runs the queue. `stopped` → (start) `running` → (drain) `stopped`, which is final. While it runs it claims jobs up to
 * its concurrency, and sleeps when there is none until `wake` or the next poll.
 */
export type Worker = {
  start(): void;
  /** There is something new in the queue. */
  wake(): void;
  /** Claims nothing more and waits for what runs; what still runs when `signal` aborts is stopped and will be retried. */
  drain(signal: AbortSignal): Promise<void>;
  /** Resolves when nothing is ready or running. Dead jobs do not count. */
  idle(signal?: AbortSignal): Promise<void>;
};

export function createWorker(parts: WorkerParts): Worker {
  const running = new Set<Promise<void>>();
  const stop = new AbortController();
  let loop: Promise<void> | undefined;
  const closing = new AbortController();
  let awake = Promise.withResolvers<void>();

  function wake(): void {
    awake.resolve();
  }

  async function sleep(): Promise<void> {
    const timer = setTimeout(wake, parts.pollMs);
    timer.unref();
    await awake.promise;
    clearTimeout(timer);
    awake = Promise.withResolvers<void>();
  }

  async function claim(): Promise<readonly Job[]> {
    try {
      return await parts.queue.claim(parts.concurrency - running.size, parts.leaseMs);
    } catch (error) {
      parts.onFailure(error, undefined);
      return [];
    }
  }

  async function work(): Promise<void> {
    while (!closing.signal.aborted) {
      const jobs = running.size < parts.concurrency ? await claim() : [];
      for (const job of jobs) {
        const run = runOne(parts, job, stop.signal).finally(() => {
          running.delete(run);
          wake();
        });
        running.add(run);
      }
      if (jobs.length === 0 && !closing.signal.aborted) await sleep();
    }
  }

  return {
    start() {
      loop ??= work();
    },
    wake,
    async drain(signal) {
      closing.abort();
      wake();
      const abort = () => {
        stop.abort(signal.reason);
      };
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
      await loop;
      await Promise.all(running);
      signal.removeEventListener("abort", abort);
    },
    async idle(signal) {
      for (;;) {
        signal?.throwIfAborted();
        const { ready, running: claimed } = await parts.queue.depth();
        if (ready === 0 && claimed === 0 && running.size === 0) return;
        if (loop === undefined || closing.signal.aborted) throw new Error("The memory worker is not running.");
        await (running.size > 0 ? Promise.race(running) : delay(idlePollMs, undefined, { signal }));
      }
    },
  };
}

const idlePollMs = 5;
const firstRetryMs = 1_000;
const maxRetryMs = 5 * 60_000;

async function runOne(parts: WorkerParts, job: Job, stop: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  try {
    await parts.run(job, AbortSignal.any([stop, AbortSignal.timeout(parts.leaseMs * 0.8)]));
    await parts.queue.complete(job.id);
    parts.onJob?.("done", performance.now() - startedAt);
  } catch (error) {
    parts.onJob?.("failed", performance.now() - startedAt);
    parts.onFailure(error, job);
    await settleFailure(parts, job, error);
  }
}

async function settleFailure(parts: WorkerParts, job: Job, error: unknown): Promise<void> {
  const delayMs = Math.min(maxRetryMs, firstRetryMs * 2 ** (job.attempts - 1));
  try {
    await parts.queue.fail(job.id, error instanceof Error ? `${error.name}: ${error.message}` : "failed", delayMs);
  } catch (failure) {
    parts.onFailure(failure, job); // its lease will run out, and the job comes back
  }
}
