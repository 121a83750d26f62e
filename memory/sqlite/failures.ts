import { MemoryStoreError } from "../memory-store-error.ts";
import type { MemoryStoreFailure } from "../memory-store-error.ts";

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const BUSY = 5;
const LOCKED = 6;

const known: Readonly<Record<number, { readonly code: MemoryStoreFailure; readonly advice: string }>> = {
  [BUSY]: { code: "busy", advice: "Another process holds its lock. Try again." },
  [LOCKED]: { code: "busy", advice: "Another process holds its lock. Try again." },
  3: { code: "unavailable", advice: "Access was denied. Give this user read and write access." },
  8: { code: "unavailable", advice: "It is read-only. Give this user write access to the file and its directory." },
  10: { code: "unavailable", advice: "The disk did not read or write. Check the volume." },
  11: {
    code: "corrupt",
    advice: "It is damaged and was not changed. Restore a backup, or move it away to start empty.",
  },
  13: { code: "disk_full", advice: "The disk is full. Free some space; what was committed is safe." },
  14: { code: "unavailable", advice: "It cannot be opened. Give this user access to the file and its directory." },
  26: { code: "corrupt", advice: "It is not a database and was not changed. Move it away, or name another directory." },
};

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === BUSY || code === LOCKED;
}

/** An error of SQLite's, in words for a person; every other error passes through. */
export function toStoreError(error: unknown, path: string): Error {
  const failure = known[resultCode(error) ?? -1];
  if (failure !== undefined) return new MemoryStoreError(failure.code, `${path}: ${failure.advice}`, { cause: error });
  return error instanceof Error ? error : new Error(String(error));
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff; // the upper bits refine the same failure
}
