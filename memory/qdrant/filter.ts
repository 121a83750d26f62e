import type { Schemas } from "@qdrant/js-client-rest";
import type { MemoryFilter } from "../memory-store.ts";
import { filterValues } from "../sqlite/filter.ts";
import type { FilterValues } from "../sqlite/filter.ts";

type Condition = Schemas["Condition"];

/** Conditions without an owner; `owned-points.ts` adds it. */
export type PointFilter = { readonly must: readonly Condition[]; readonly mustNot: readonly Condition[] };

export const everything: PointFilter = { must: [], mustNot: [] };

/** `undefined` when nothing can pass. Throws `bad_input` for a time that is none and a kind that is unknown. */
export function toPointFilter(filter: MemoryFilter): PointFilter | undefined {
  const values = filterValues(filter);
  const { kinds, statuses, session, agent, core } = filter;
  if (kinds?.length === 0 || statuses?.length === 0) return undefined;
  const must: Condition[] = [];
  if (kinds !== undefined) must.push({ key: "kind", match: { any: [...kinds] } });
  if (statuses !== undefined) must.push({ key: "status", match: { any: [...statuses] } });
  if (session !== undefined) must.push({ key: "session", match: { value: toKeyword(session) } });
  if (agent !== undefined) must.push({ key: "agent", match: { value: toKeyword(agent) } });
  if (core !== undefined) must.push({ key: "core", match: { value: core } });
  return { must: [...must, ...timeConditions(values)], mustNot: absentOrLater(values) };
}

export function and(filter: PointFilter, ...must: readonly Condition[]): PointFilter {
  return { ...filter, must: [...filter.must, ...must] };
}

/** Qdrant refuses lone surrogates; the record itself keeps them. */
export function toKeyword(text: string): string {
  return text.toWellFormed();
}

function timeConditions({ asOf, recordedAfter, recordedBefore }: FilterValues): Condition[] {
  const ranges: Condition[] = [];
  if (asOf !== null) ranges.push({ key: "recorded", range: { lte: asOf } });
  if (recordedAfter !== null) ranges.push({ key: "recorded", range: { gt: recordedAfter } });
  if (recordedBefore !== null) ranges.push({ key: "recorded", range: { lt: recordedBefore } });
  return ranges;
}

/** A memory without the time passes, as one whose time is still to come. */
function absentOrLater({ asOf, notExpiredAt }: FilterValues): Condition[] {
  const ranges: Condition[] = [];
  if (asOf !== null) ranges.push({ key: "superseded", range: { lte: asOf } });
  if (notExpiredAt !== null) ranges.push({ key: "expires", range: { lte: notExpiredAt } });
  return ranges;
}
