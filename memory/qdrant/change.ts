import { randomUUID } from "node:crypto";
import { MemoryStoreError } from "../memory-store-error.ts";
import type { MemoryPatch } from "../memory-store.ts";
import type { Memory } from "../memory.ts";
import type { OwnedPoints } from "./owned-points.ts";
import { changingFields } from "./records.ts";

/** So many changes of one memory can come between a process's own and its look at what came of it. */
const MAX_WRITERS = 8;

/**
 * Compare-and-set: the server writes the fields where the version is still the one that was read, in one step, but does
 * not say whether it did. So every change leaves its writer's mark; the marks of the last changes tell who came through.
 */
export async function changeMemory(
  points: OwnedPoints,
  id: string,
  version: number,
  patch: MemoryPatch,
): Promise<Memory | undefined> {
  const [before] = await points.byIds([id]);
  if (before === undefined || before.memory.version !== version) return undefined;
  const memory: Memory = { ...before.memory, ...patch, version: version + 1 };
  const mark = randomUUID();
  const writers = [...before.writers, mark].slice(-MAX_WRITERS);
  const unchanged = { must: [points.withIds([id]), { key: "version", match: { value: version } }], mustNot: [] };
  await points.setPayload(unchanged, { ...changingFields(memory), writers });
  const [after] = await points.byIds([id]);
  if (after === undefined) return undefined;
  const own = after.writers.indexOf(mark);
  if (own !== -1) return memory;
  if (after.memory.version > version + MAX_WRITERS) {
    throw new MemoryStoreError("busy", `Memory ${id} is changed too often at once. Read it and try again.`);
  }
  return undefined;
}
