import { accessSync, closeSync, constants, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import { MemoryStoreError } from "../memory-store-error.ts";
import { isBusy, toStoreError } from "./failures.ts";
import { schema } from "./schema.ts";
import { Writer } from "./writer.ts";

/**
 * One SQLite file, opened once per process and shared by everything that is kept in it. Reads are synchronous and never
 * wait for a writer (WAL). Writes go through `write`. Commits survive a killed process at once; a power cut may take
 * the last moments, never the file (`synchronous = NORMAL`).
 */
export type Database = {
  readonly path: string;
  /** Prepared once per text. Columns come back as arrays, in the order they were selected. */
  prepare(sql: string): StatementSync;
  /**
   * Runs `work` in a transaction that it may share with other writes of the same tick, and resolves after the commit.
   * `work` is synchronous and touches only the database; when it throws, its own changes are undone and nobody else's.
   */
  write<T>(work: () => T): Promise<T>;
  /** Brings the tables of one area up to date: `steps` are run once each, in order, also across processes. */
  migrate(area: string, steps: readonly string[]): void;
  /**
   * Empties the write-ahead log into the file, so that bytes deleted before are on disk no more. While another process
   * still reads them that cannot be done; it is then tried again until it can.
   */
  scrub(): void;
  /** Commits what waits and closes the file. */
  close(): void;
};

export type DatabaseOptions = {
  /** How long a write waits for another process before it fails. */
  readonly lockTimeoutMs?: number;
};

/** A lock is waited for synchronously only this long; longer waits leave the event loop free (`writer.ts`). */
const SYNC_LOCK_MS = 20;
const OPEN_LOCK_MS = 10_000;
const CACHE_KIB = 65_536;
/** A full check reads every page, so it is only made while that is quick. */
const FULL_CHECK_MAX_BYTES = 32 * 1024 * 1024;
const MAX_STATEMENTS = 512;
/** Half an hour; no read lasts longer. */
const SCRUB_RETRY_MS = 500;
const SCRUB_ATTEMPTS = 3_600;

/** Opens or creates the file. Throws `MemoryStoreError`; a file that cannot be used is never changed or removed. */
export function openDatabase(path: string, options: DatabaseOptions = {}): Database {
  makeDirectory(path);
  const connection = connect(path);
  try {
    configure(connection);
    check(connection, path);
    migrateMain(connection, path);
    connection.exec(`PRAGMA busy_timeout = ${SYNC_LOCK_MS}`);
  } catch (error) {
    connection.close();
    throw toStoreError(error, path);
  }
  return createDatabase(connection, path, options);
}

function createDatabase(connection: DatabaseSync, path: string, options: DatabaseOptions): Database {
  const statements = new Map<string, StatementSync>();
  let retry: NodeJS.Timeout | undefined;
  function scrubWithin(attempts: number): void {
    if (truncateLog(connection) || attempts <= 1) return;
    retry = setTimeout(() => scrubWithin(attempts - 1), SCRUB_RETRY_MS).unref();
  }
  const writer = new Writer(connection, path, options.lockTimeoutMs ?? OPEN_LOCK_MS);
  return {
    path,
    prepare(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      if (statements.size >= MAX_STATEMENTS) throw new MemoryStoreError("bad_input", "too many different statements");
      const statement = connection.prepare(sql, { returnArrays: true });
      statements.set(sql, statement);
      return statement;
    },
    write: (work) => writer.write(work),
    migrate(area, steps) {
      migrateArea(connection, path, area, steps);
    },
    scrub() {
      writer.flush();
      clearTimeout(retry);
      scrubWithin(SCRUB_ATTEMPTS);
    },
    close() {
      if (!connection.isOpen) return;
      clearTimeout(retry);
      writer.close();
      truncateLog(connection);
      statements.clear();
      connection.close();
    },
  };
}

function makeDirectory(path: string): void {
  const directory = dirname(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const advice = "Give this user read and write access, or name another data directory.";
    throw new MemoryStoreError("unavailable", `Cannot use the data directory ${directory}. ${advice}`, {
      cause: error,
    });
  }
}

function connect(path: string): DatabaseSync {
  try {
    // SQLite would create it for everyone to read; what it puts beside the file has the file's permissions.
    if (path !== ":memory:") closeSync(openSync(path, "a", 0o600));
  } catch (error) {
    const advice = "Give this user read and write access to it, or name another data directory.";
    throw new MemoryStoreError("unavailable", `Cannot open ${path}. ${advice}`, { cause: error });
  }
  try {
    return new DatabaseSync(path, { timeout: OPEN_LOCK_MS, enableForeignKeyConstraints: true });
  } catch (error) {
    throw toStoreError(error, path);
  }
}

function configure(connection: DatabaseSync): void {
  useWriteAheadLog(connection);
  // secure_delete overwrites what is deleted with zeros: "forget" is a promise about bytes, not only about rows.
  connection.exec(`
    PRAGMA synchronous = NORMAL;
    PRAGMA secure_delete = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA trusted_schema = OFF;
  `);
}

/** SQLite does not call its busy handler while the journal mode changes, so two first openings can collide here. */
function useWriteAheadLog(connection: DatabaseSync): void {
  const deadline = Date.now() + OPEN_LOCK_MS;
  for (;;) {
    try {
      connection.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function check(connection: DatabaseSync, path: string): void {
  connection.prepare("SELECT count(*) FROM sqlite_schema").get();
  if (path === ":memory:" || statSync(path).size > FULL_CHECK_MAX_BYTES) return;
  const found = connection.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (found !== "ok") {
    const advice = "Restore it from a backup, or move it away to start with an empty memory.";
    throw new MemoryStoreError("corrupt", `${path} is damaged (${String(found)}). It was not changed. ${advice}`);
  }
}

function migrateMain(connection: DatabaseSync, path: string): void {
  const version = () => Number(connection.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version() === schema.length) return;
  // The version is read again under the write lock: another process may have migrated in between.
  inTransaction(connection, () => {
    const from = version();
    refuseNewer(path, "", from, schema.length);
    for (const step of schema.slice(from)) connection.exec(step);
    connection.exec(`PRAGMA user_version = ${schema.length}`);
  });
}

function migrateArea(connection: DatabaseSync, path: string, area: string, steps: readonly string[]): void {
  try {
    connection.exec(`PRAGMA busy_timeout = ${OPEN_LOCK_MS}`);
    inTransaction(connection, () => {
      const row = connection.prepare("SELECT version FROM area WHERE name = ?").get(area);
      const from = Number(row?.["version"] ?? 0);
      refuseNewer(path, ` (${area})`, from, steps.length);
      for (const step of steps.slice(from)) connection.exec(step);
      connection.prepare("INSERT OR REPLACE INTO area (name, version) VALUES (?, ?)").run(area, steps.length);
    });
  } catch (error) {
    throw toStoreError(error, path);
  } finally {
    connection.exec(`PRAGMA busy_timeout = ${SYNC_LOCK_MS}`);
  }
}

function refuseNewer(path: string, area: string, found: number, known: number): void {
  if (found <= known) return;
  const what = `${path} has schema ${found}${area}; this version knows ${known}.`;
  throw new MemoryStoreError("newer_schema", `${what} Run the newer version, or name another data directory.`);
}

function inTransaction(connection: DatabaseSync, work: () => void): void {
  connection.exec("BEGIN IMMEDIATE");
  try {
    work();
    connection.exec("COMMIT");
  } catch (error) {
    if (connection.isTransaction) connection.exec("ROLLBACK");
    throw error;
  }
}

function truncateLog(connection: DatabaseSync): boolean {
  try {
    return connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"] === 0;
  } catch (error) {
    if (isBusy(error)) return false;
    throw error;
  }
}
