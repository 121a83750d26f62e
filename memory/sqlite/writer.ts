import type { DatabaseSync, StatementSync } from "node:sqlite";
import { MemoryStoreError } from "../memory-store-error.ts";
import { isBusy, toStoreError } from "./failures.ts";

type Waiting = { readonly run: () => void; readonly resolve: () => void; readonly reject: (error: unknown) => void };

const MAX_WAITING = 10_000;
const LOCK_RETRY_MS = 5;

/**
 * Group commit: all writes of one turn of the event loop share a transaction, each under its own savepoint, for a commit
 * costs the same however many share it. While another process holds the lock the event loop stays free and the batch
 * waits, at most `lockTimeoutMs`.
 */
export class Writer {
  readonly #connection: DatabaseSync;
  readonly #path: string;
  readonly #lockTimeoutMs: number;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #save: StatementSync;
  readonly #release: StatementSync;
  #waiting: Waiting[] = [];
  #waitingSince = 0;
  #scheduled = false;
  #closed = false;

  constructor(connection: DatabaseSync, path: string, lockTimeoutMs: number) {
    this.#connection = connection;
    this.#path = path;
    this.#lockTimeoutMs = lockTimeoutMs;
    this.#begin = connection.prepare("BEGIN IMMEDIATE");
    this.#commit = connection.prepare("COMMIT");
    this.#save = connection.prepare("SAVEPOINT work");
    this.#release = connection.prepare("RELEASE work");
  }

  write<T>(work: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new MemoryStoreError("closed", `${this.#path} is closed.`));
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(new MemoryStoreError("busy", `${this.#path}: too many writes wait. Try again.`));
    }
    if (this.#waiting.length === 0) this.#waitingSince = Date.now();
    return new Promise<T>((resolve, reject) => {
      let done: { readonly value: T } | undefined;
      this.#waiting.push({
        run: () => {
          done = { value: work() };
        },
        resolve: () => {
          if (done !== undefined) resolve(done.value);
        },
        reject,
      });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => this.#runScheduled());
    });
  }

  /** Commits what waits, now. Waits that fail reject their own promises. */
  flush(): void {
    if (this.#waiting.length > 0 && this.#tryBegin(false)) this.#runBatch();
  }

  close(): void {
    this.flush();
    this.#closed = true;
  }

  #runScheduled(): void {
    this.#scheduled = false;
    if (this.#waiting.length > 0 && this.#tryBegin(true)) this.#runBatch();
  }

  /** False when the batch waits on, or was rejected. */
  #tryBegin(mayWait: boolean): boolean {
    try {
      this.#begin.run();
      return true;
    } catch (error) {
      if (mayWait && isBusy(error) && Date.now() - this.#waitingSince < this.#lockTimeoutMs) {
        this.#scheduled = true;
        setTimeout(() => this.#runScheduled(), LOCK_RETRY_MS);
      } else {
        rejectAll(this.#takeBatch(), toStoreError(error, this.#path));
      }
      return false;
    }
  }

  #runBatch(): void {
    const batch = this.#takeBatch();
    const done: Waiting[] = [];
    try {
      for (const item of batch) if (this.#runOne(item, batch.length > 1)) done.push(item);
      if (this.#connection.isTransaction) this.#commit.run();
    } catch (error) {
      if (this.#connection.isTransaction) this.#connection.exec("ROLLBACK");
      rejectAll(batch, toStoreError(error, this.#path)); // one that was rejected before keeps its own reason
      return;
    }
    for (const item of done) item.resolve();
  }

  #runOne(item: Waiting, shared: boolean): boolean {
    if (shared) this.#save.run();
    try {
      item.run();
      if (shared) this.#release.run();
      return true;
    } catch (error) {
      // A full disk ends the whole transaction, and then there is no savepoint to return to: the others fail with it.
      if (!this.#connection.isTransaction) throw error;
      this.#connection.exec(shared ? "ROLLBACK TO work; RELEASE work" : "ROLLBACK");
      item.reject(toStoreError(error, this.#path));
      return false;
    }
  }

  #takeBatch(): Waiting[] {
    const batch = this.#waiting;
    this.#waiting = [];
    return batch;
  }
}

function rejectAll(items: readonly Waiting[], error: Error): void {
  for (const item of items) item.reject(error);
}
