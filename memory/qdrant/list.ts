import type { MemoryPage, Page } from "../memory-store.ts";
import { MemoryStoreError } from "../memory-store-error.ts";
import { and } from "./filter.ts";
import type { PointFilter } from "./filter.ts";
import type { OwnedPoints } from "./owned-points.ts";
import type { StoredRecord } from "./records.ts";

/** Where a page begins: after this point. Of equal orders, points go by id. */
type Cursor = { readonly order: number; readonly pointId: string };

const MAX_PAGE = 1_000;

/**
 * One page, newest first. Qdrant sorts by one field and says nothing of ties, so the points of the order at which a page
 * begins or ends are read apart, by id: none comes twice, none is missed.
 */
export async function listPage(
  points: OwnedPoints,
  filter: PointFilter,
  page: Page,
  cursor: Cursor | undefined,
): Promise<MemoryPage> {
  const limit = Math.min(Math.max(1, Math.floor(page.limit) || 1), MAX_PAGE);
  const wanted = limit + 1;
  const found = cursor === undefined ? [] : await readTies(points, filter, cursor, wanted);
  if (found.length < wanted) found.push(...(await readOlder(points, filter, cursor?.order, wanted - found.length)));
  const memories = found.slice(0, limit).map((record) => record.memory);
  const last = found[limit - 1];
  if (found.length <= limit || last === undefined) return { memories };
  return { memories, next: `q${last.order}.${last.pointId}` };
}

export function parseCursor(cursor: string | undefined): Cursor | undefined {
  if (cursor === undefined) return undefined;
  const match = /^q(-?\d{1,20})\.([0-9a-f-]{36})$/u.exec(cursor);
  if (match === null) throw new MemoryStoreError("bad_input", "The cursor is not one that this store gave.");
  return { order: Number(match[1]), pointId: match[2] ?? "" };
}

async function readOlder(
  points: OwnedPoints,
  filter: PointFilter,
  order: number | undefined,
  wanted: number,
): Promise<readonly StoredRecord[]> {
  const older = order === undefined ? filter : and(filter, { key: "order", range: { lt: order } });
  const found = await points.scroll(older, { limit: wanted, orderBy: { key: "order", direction: "desc" } });
  const last = found.at(-1);
  if (last === undefined || found.length < wanted) return found.toSorted(byPlace);
  const whole = found.filter((record) => record.order !== last.order).toSorted(byPlace);
  return [...whole, ...(await readTies(points, filter, { order: last.order, pointId: "" }, wanted - whole.length))];
}

/** Those of the cursor's order whose ids come after its own. */
async function readTies(
  points: OwnedPoints,
  filter: PointFilter,
  { order, pointId }: Cursor,
  wanted: number,
): Promise<StoredRecord[]> {
  const ties = and(filter, { key: "order", range: { gte: order, lte: order } });
  // A scroll begins at its offset, which may have been forgotten since.
  const offset = pointId === "" ? {} : { offset: pointId };
  const found = await points.scroll(ties, { limit: wanted + 1, ...offset });
  return found.filter((record) => record.pointId !== pointId).slice(0, wanted);
}

/** As the server sorts ids: a UUID's hex digits in their order. */
function byPlace(a: StoredRecord, b: StoredRecord): number {
  if (a.order !== b.order) return b.order - a.order;
  return a.pointId < b.pointId ? -1 : 1;
}
