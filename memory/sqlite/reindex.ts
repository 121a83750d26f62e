import type { Memory } from "../memory.ts";
import type { Database } from "./database.ts";
import { arrays } from "./owners.ts";
import { packVector, quantize } from "./quantize.ts";
import { toMemory } from "./rows.ts";

/** One unit vector per memory, in order. */
export type EmbedMemories = (memories: readonly Memory[], signal?: AbortSignal) => Promise<readonly Float32Array[]>;

export type ReindexOptions = { readonly signal?: AbortSignal; readonly batch?: number };

const BATCH = 64;

const selectStale = `
  SELECT memory.row, memory.owner, owner.tenant, owner.user, memory.version, memory.body
  FROM memory JOIN owner ON owner.id = memory.owner
  WHERE memory.row > ? AND memory.embedder IS NOT ? ORDER BY memory.row LIMIT ?`;

/**
 * Gives every memory a vector of the embedder in use, in batches, one short write each. The only pass over all owners:
 * it hands each memory to the embedder and back to its own row, and to nobody else.
 */
export async function reindexMemories(
  database: Database,
  embedder: { readonly number: number; readonly dimensions: number },
  embed: EmbedMemories,
  options: ReindexOptions,
): Promise<number> {
  const select = database.prepare(selectStale);
  let after = 0;
  let renewed = 0;
  for (;;) {
    options.signal?.throwIfAborted();
    const rows = arrays(select.all(after, embedder.number, options.batch ?? BATCH));
    if (rows.length === 0) return renewed;
    const memories = rows.map((row) => toMemory({ tenant: String(row[2]), user: String(row[3]) }, row[4], row[5]));
    const vectors = await embed(memories, options.signal);
    const packed = vectors.map((vector) => packVector(quantize(vector, embedder.dimensions)));
    renewed += await database.write(() => {
      const update = database.prepare("UPDATE memory SET embedder = ?, vector = ? WHERE row = ?");
      const touch = database.prepare("UPDATE owner SET changes = changes + 1 WHERE id = ?");
      let updated = 0;
      for (const [index, row] of rows.entries()) {
        const vector = packed[index];
        if (vector !== undefined) updated += Number(update.run(embedder.number, vector, Number(row[0])).changes);
      }
      for (const owner of new Set(rows.map((row) => Number(row[1])))) touch.run(owner);
      return updated;
    });
    after = Number(rows.at(-1)?.[0]);
  }
}
