import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { MemoryStoreError } from "../memory-store-error.ts";
import type { Owner } from "../memory.ts";
import type { Database } from "./database.ts";

/** An owner as the file knows it. `lastRow` is that of the memory added last; `changes` counts every other write. */
export type StoredOwner = { readonly id: number; readonly lastRow: number; readonly changes: number };

export type OwnedStatement = {
  all(owner: StoredOwner, ...values: readonly SQLInputValue[]): SQLOutputValue[][];
  get(owner: StoredOwner, ...values: readonly SQLInputValue[]): SQLOutputValue[] | undefined;
  /** Returns how many rows changed. */
  run(owner: StoredOwner, ...values: readonly SQLInputValue[]): number;
};

const MEMORIES_PER_OWNER = 2 ** 25;
const MAX_NAME_CHARS = 1_024;
const MARK = "{owned}";

/**
 * The one place where "of this owner" becomes SQL: every statement about memories is made here, and one without the mark
 * does not start. The mark becomes the owner's own stretch of the primary key; the caller's values begin at `?3`.
 */
export function ownedStatement(database: Database, sql: string): OwnedStatement {
  if (!sql.includes(MARK)) throw new MemoryStoreError("bad_input", `A statement without ${MARK}: ${sql}`);
  const statement = database.prepare(sql.replaceAll(MARK, "(memory.row BETWEEN ?1 AND ?2)"));
  return {
    all: (owner, ...values) => arrays(statement.all(firstRow(owner), lastRow(owner), ...values)),
    get: (owner, ...values) => array(statement.get(firstRow(owner), lastRow(owner), ...values)),
    run: (owner, ...values) => Number(statement.run(firstRow(owner), lastRow(owner), ...values).changes),
  };
}

/** The row after `row`, which is the owner's last. */
export function nextRow(owner: StoredOwner, row: number): number {
  if (row >= lastRow(owner)) throw new MemoryStoreError("bad_input", "This user has too many memories.");
  return row + 1;
}

export function findOwner(database: Database, owner: Owner): StoredOwner | undefined {
  checkOwner(owner);
  const find = database.prepare("SELECT id, last_row, changes FROM owner WHERE tenant = ? AND user = ?");
  const row = array(find.get(owner.tenant, owner.user));
  return row && { id: Number(row[0]), lastRow: Number(row[1]), changes: Number(row[2]) };
}

/** Inside a write. */
export function findOrAddOwner(database: Database, owner: Owner): StoredOwner {
  const found = findOwner(database, owner);
  if (found !== undefined) return found;
  const insert = database.prepare("INSERT INTO owner (tenant, user) VALUES (?, ?)");
  const id = Number(insert.run(owner.tenant, owner.user).lastInsertRowid);
  const added = { id, lastRow: id * MEMORIES_PER_OWNER, changes: 0 };
  saveOwner(database, added);
  return added;
}

/** Inside a write: stores what the owner's counters have become. */
export function saveOwner(database: Database, owner: StoredOwner): void {
  database
    .prepare("UPDATE owner SET last_row = ?, changes = ? WHERE id = ?")
    .run(owner.lastRow, owner.changes, owner.id);
}

/**
 * An owner is two non-empty names. Lone surrogates would be stored as the replacement character, and two users whose
 * names differ only there would be one: they are refused.
 */
export function checkOwner(owner: Owner): void {
  for (const name of [owner.tenant, owner.user]) {
    const isName = typeof name === "string" && name !== "" && name.length <= MAX_NAME_CHARS && name.isWellFormed();
    if (!isName) {
      const rule = `1 to ${MAX_NAME_CHARS} characters of well-formed Unicode`;
      throw new MemoryStoreError("bad_input", `A memory's tenant and user must each be ${rule}.`);
    }
  }
}

export function arrays(rows: unknown): SQLOutputValue[][] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every statement is prepared with returnArrays, which node's types do not follow
  return rows as SQLOutputValue[][];
}

export function array(row: unknown): SQLOutputValue[] | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  return row as SQLOutputValue[] | undefined;
}

function firstRow(owner: StoredOwner): number {
  return owner.id * MEMORIES_PER_OWNER;
}

function lastRow(owner: StoredOwner): number {
  return (owner.id + 1) * MEMORIES_PER_OWNER - 1;
}
