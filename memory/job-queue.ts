import type { Owner } from "./memory.ts";

/**
 * The durable queue between an answer and what is learned from it. Jobs of one owner run one at a time and in the
 * order they were pushed; jobs of different owners run side by side. Delivery is at least once: a job's effect must be
 * idempotent by its id. One suite, `test/conformance/queue.test.ts`, runs over every implementation.
 *
 * States: `ready` → (claim) `running` → (complete) gone | (fail) `ready` again after a delay | (fail, attempts used up)
 * `dead` → (retry) `ready`. A lease that runs out returns a running job to `ready`.
 */
export interface JobQueue {
  /** Durable when it resolves. Pushing an id that is there changes nothing. Throws `QueueFullError` at the bound. */
  push(job: NewJob): Promise<void>;
  /** At most `limit` jobs, never two of one owner, oldest first. */
  claim(limit: number, leaseMs: number): Promise<readonly Job[]>;
  complete(id: string): Promise<void>;
  /** Back to `ready` after `delayMs`, or to `dead` when `maxAttempts` is reached. */
  fail(id: string, error: string, delayMs: number): Promise<void>;
  depth(): Promise<QueueDepth>;
  /** Newest first. */
  list(
    owner: Pick<Owner, "tenant"> & Partial<Owner>,
    state: JobState | undefined,
    limit: number,
  ): Promise<readonly Job[]>;
  /** Moves a dead job back to `ready` with its attempts forgotten. False when there is none. */
  retry(tenant: string, id: string): Promise<boolean>;
  /** Drops every job of an owner, dead ones too. Returns how many there were. */
  erase(owner: Owner): Promise<number>;
  close(): Promise<void>;
}

export type JobState = "ready" | "running" | "dead";

export type NewJob = {
  readonly id: string;
  readonly owner: Owner;
  readonly kind: string;
  /** JSON text. */
  readonly payload: string;
};

export type Job = NewJob & {
  readonly state: JobState;
  /** How often it has been claimed. */
  readonly attempts: number;
  readonly pushedAt: string;
  readonly lastError?: string;
};

export type QueueDepth = {
  readonly ready: number;
  readonly running: number;
  readonly dead: number;
  /** Age of the oldest job that waits, in milliseconds; 0 when none does. */
  readonly oldestReadyMs: number;
};

/** The queue's bound is reached: the caller says so to the client rather than losing the turn silently. */
export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
}
