import type { MemoryFilter } from "../memory-store.ts";
import { MemoryStoreError } from "../memory-store-error.ts";
import { memoryKinds, memoryStatuses } from "../memory.ts";
import type { MemoryKind, MemoryStatus } from "../memory.ts";
import type { IndexEntry } from "./owner-index.ts";

export type ResolvedFilter = {
  /** True for an entry that the filter lets through. */
  readonly matches: (entry: IndexEntry) => boolean;
  /** Two filters of one key let the same entries through, as long as none of these can expire. */
  readonly key: string;
};

/** A filter with its times as epoch milliseconds and its kinds and statuses as bit masks; `null` does not filter. */
export type FilterValues = {
  readonly kinds: number;
  readonly statuses: number;
  readonly session: string | null;
  readonly agent: string | null;
  readonly core: number | null;
  readonly notExpiredAt: number | null;
  readonly asOf: number | null;
  readonly recordedAfter: number | null;
  readonly recordedBefore: number | null;
};

/** The same filter for SQL: its values begin at `?3`, in the order of `FilterValues`. */
export const filterSql = `
  ((?3 >> kind) & 1) AND ((?4 >> status) & 1)
  AND (?5 IS NULL OR session = ?5)
  AND (?6 IS NULL OR agent = ?6)
  AND (?7 IS NULL OR core = ?7)
  AND (?8 IS NULL OR expires IS NULL OR expires > ?8)
  AND (?9 IS NULL OR (recorded <= ?9 AND (superseded IS NULL OR superseded > ?9)))
  AND (?10 IS NULL OR recorded > ?10)
  AND (?11 IS NULL OR recorded < ?11)`;

export function kindCode(kind: MemoryKind): number {
  return codeOf(memoryKinds, kind, "kind");
}

export function statusCode(status: MemoryStatus): number {
  return codeOf(memoryStatuses, status, "status");
}

/** Throws for anything that is no time: a memory filed under a wrong one would be lost to every filter. */
export function timeOf(text: string, name: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new MemoryStoreError("bad_input", `${name} is not an ISO 8601 time: ${text}`);
  return time;
}

export function filterValues(filter: MemoryFilter): FilterValues {
  return {
    kinds: maskOf(filter.kinds, kindCode),
    statuses: maskOf(filter.statuses, statusCode),
    session: filter.session ?? null,
    agent: filter.agent ?? null,
    core: filter.core === undefined ? null : Number(filter.core),
    notExpiredAt: optionalTime(filter.notExpiredAt, "notExpiredAt"),
    asOf: optionalTime(filter.asOf, "asOf"),
    recordedAfter: optionalTime(filter.recordedAfter, "recordedAfter"),
    recordedBefore: optionalTime(filter.recordedBefore, "recordedBefore"),
  };
}

export function resolveFilter(filter: MemoryFilter): ResolvedFilter {
  const values = filterValues(filter);
  const { kinds, statuses, session, agent, core, notExpiredAt, asOf, recordedAfter, recordedBefore } = values;
  const key = JSON.stringify({ ...values, notExpiredAt: null });
  const matches = (entry: IndexEntry) =>
    ((kinds >> entry.kind) & 1) === 1 &&
    ((statuses >> entry.status) & 1) === 1 &&
    (session === null || entry.session === session) &&
    (agent === null || entry.agent === agent) &&
    (core === null || Number(entry.core) === core) &&
    (notExpiredAt === null || entry.expires === undefined || entry.expires > notExpiredAt) &&
    (asOf === null || (entry.recorded <= asOf && (entry.superseded === undefined || entry.superseded > asOf))) &&
    (recordedAfter === null || entry.recorded > recordedAfter) &&
    (recordedBefore === null || entry.recorded < recordedBefore);
  return { matches, key };
}

function codeOf<T extends string>(known: readonly T[], value: T, name: string): number {
  const code = known.indexOf(value);
  if (code === -1) throw new MemoryStoreError("bad_input", `Unknown ${name}: ${value}`);
  return code;
}

/** An empty list lets nothing through; an absent one everything. */
function maskOf<T>(values: readonly T[] | undefined, code: (value: T) => number): number {
  if (values === undefined) return 0xffff;
  let mask = 0;
  for (const value of values) mask |= 1 << code(value);
  return mask;
}

function optionalTime(text: string | undefined, name: string): number | null {
  return text === undefined ? null : timeOf(text, name);
}
