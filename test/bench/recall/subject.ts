import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemory } from "../../../memory/create-memory.ts";
import type { MemoryService } from "../../../memory/create-memory.ts";
import type { Embedder } from "../../../memory/embedder.ts";
import { createSqliteLedger } from "../../../memory/sqlite-ledger.ts";
import { createSqliteQueue } from "../../../memory/sqlite-queue.ts";
import { createSqliteStore } from "../../../memory/sqlite-store.ts";
import { openDatabase } from "../../../memory/sqlite/database.ts";
import type { Database } from "../../../memory/sqlite/database.ts";

/** The memory under measurement: the real store, queue, ledger and embedder, as the gateway wires them, without a model. */
export type Subject = {
  /** Remembers and searches. Its worker runs once `start` is called. */
  readonly memory: MemoryService;
  /** By how many tokens they may inject in all. */
  readonly within: ReadonlyMap<number, MemoryService>;
  readonly database: Database;
  /** Sets the time at which questions are asked. */
  at(time: Date): void;
  /** What went wrong and was passed over. A measurement with any is void. */
  readonly failures: readonly unknown[];
  close(): Promise<void>;
};

/** The stores that can be measured. */
export const storeNames = ["sqlite"] as const;

const maxJobs = 100_000;
const coreShare = 0.25;
const maxCoreTokens = 400;

export function openSubject(embedder: Embedder, budgets: readonly number[]): Subject {
  const folder = mkdtempSync(join(tmpdir(), "throughline-recall-"));
  const database = openDatabase(join(folder, "throughline.sqlite"));
  const store = createSqliteStore(database, { dimensions: embedder.dimensions, embedderId: embedder.id });
  const queue = createSqliteQueue(database, { maxJobs, maxAttempts: 1, clock: Date.now });
  let now = new Date();
  let ids = 0;
  const ledger = createSqliteLedger(database, { clock: () => now.getTime() });
  const failures: unknown[] = [];
  const keep = (fields: object) => {
    failures.push(fields);
  };
  const open = (budget: number) => {
    const coreTokens = Math.min(maxCoreTokens, Math.floor(budget * coreShare));
    return createMemory({
      store,
      queue,
      ledger,
      embedder,
      clock: () => now,
      newId: () => `bench-${(ids += 1)}`,
      log: { info: keep, warn: keep, error: keep },
      options: { recallTokens: budget, coreTokens, recallDeadlineMs: 10_000, ledgerDeadlineMs: 10_000 },
    });
  };
  const within = new Map(budgets.map((budget) => [budget, open(budget)] as const));
  const memory = within.get(budgets.at(-1) ?? 0) ?? open(defaultBudget);
  return {
    memory,
    within,
    database,
    at(time) {
      now = time;
    },
    failures,
    async close() {
      await memory.drain(AbortSignal.timeout(10_000));
      await store.close();
      await queue.close();
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const defaultBudget = 2_000;
