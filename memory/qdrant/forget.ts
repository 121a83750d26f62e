import { MemoryStoreError } from "../memory-store-error.ts";
import { countTerms } from "../sqlite/terms.ts";
import { everything } from "./filter.ts";
import type { PointFilter } from "./filter.ts";
import { chunks } from "./owned-points.ts";
import type { OwnedPoints } from "./owned-points.ts";
import type { StoredRecord } from "./records.ts";
import { toSparseVector } from "./sparse.ts";

const BATCH = 256;
/** Adds of other processes can fall between a deletion and the look at what is left. */
const MAX_TRIES = 3;
/** How far an episode's index text can reach into its neighbours' words. */
const NEIGHBOUR_REACH = 3;

/** Deletes and looks whether they are gone. Returns how many were there. */
export async function forgetMemories(points: OwnedPoints, ids: readonly string[]): Promise<number> {
  let gone = 0;
  for (const batch of chunks([...new Set(ids)], BATCH)) {
    const found = await points.byIds(batch);
    if (found.length === 0) continue;
    const forgotten = found.map((record) => record.memory.id);
    for (const record of found) await unlearn(points, record, forgotten);
    await deleteAll(points, { must: [points.withIds(forgotten)], mustNot: [] });
    gone += found.length;
  }
  return gone;
}

export async function eraseOwner(points: OwnedPoints): Promise<number> {
  const count = await points.count(everything);
  if (count > 0) await deleteAll(points, everything);
  return count;
}

async function deleteAll(points: OwnedPoints, filter: PointFilter): Promise<void> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    await points.delete(filter);
    if ((await points.count(filter)) === 0) return;
  }
  throw new MemoryStoreError("unavailable", "Qdrant was told to delete memories and still has them. Try again.");
}

/**
 * An episode is indexed together with its neighbours, so a forgotten one could still be found through theirs: they are
 * indexed again, each by its own words alone.
 */
async function unlearn(points: OwnedPoints, record: StoredRecord, forgotten: readonly string[]): Promise<void> {
  const { session, position } = record;
  if (session === undefined || position === undefined) return;
  const near: PointFilter = {
    must: [
      { key: "session", match: { value: session } },
      { key: "position", range: { gte: position - NEIGHBOUR_REACH, lte: position + NEIGHBOUR_REACH } },
    ],
    mustNot: [points.withIds(forgotten)],
  };
  for (const { memory } of await points.scroll(near, { limit: BATCH })) {
    const { length, packed } = countTerms(memory.text);
    await points.setSparse(memory, toSparseVector(length, packed));
  }
}
