import type { Memory } from "../memory.ts";
import { MemoryStoreError } from "../memory-store-error.ts";
import { packVector, quantize } from "../sqlite/quantize.ts";
import type { EmbedMemories, ReindexOptions } from "../sqlite/reindex.ts";
import type { Collection } from "./collection.ts";
import { metadataKey } from "./collection.ts";
import { statusOf } from "./failures.ts";
import { readRecord, toComponents } from "./records.ts";

const BATCH = 64;

type Stale = { readonly pointId: string; readonly memory: Memory };

/**
 * Gives every memory a vector of the embedder in use, in batches, and drops the vectors of earlier embedders once a run
 * found nothing left to do. The only pass over all owners: it hands each memory to the embedder and the vector back to its
 * own point, and to nobody else. Returns how many were renewed. Safe to stop, to start again and to run twice at once.
 */
export async function reindexCollection(
  collection: Collection,
  dimensions: number,
  embed: EmbedMemories,
  options: ReindexOptions,
): Promise<number> {
  let renewed = 0;
  let offset: string | undefined;
  do {
    options.signal?.throwIfAborted();
    const batch = await readStale(collection, options.batch ?? BATCH, offset);
    offset = batch.next;
    if (batch.stale.length === 0) continue;
    const vectors = await embed(
      batch.stale.map(({ memory }) => memory),
      options.signal,
    );
    for (const [index, { pointId }] of batch.stale.entries()) {
      const vector = vectors[index];
      if (vector === undefined) continue;
      const components = toComponents(packVector(quantize(vector, dimensions)), dimensions);
      if (await renew(collection, pointId, components)) renewed += 1;
    }
  } while (offset !== undefined);
  if (renewed === 0) await dropOtherVectors(collection);
  return renewed;
}

async function readStale(
  collection: Collection,
  limit: number,
  offset: string | undefined,
): Promise<{ readonly stale: readonly Stale[]; readonly next: string | undefined }> {
  const filter = { must_not: [{ key: "embedder", match: { value: collection.vectorName } }] };
  const { points, next_page_offset: next } = await collection.ask((client, name) =>
    client.scroll(name, {
      filter,
      limit,
      with_payload: ["tenant", "user", "id", "version", "body"],
      ...(offset === undefined ? {} : { offset }),
    }),
  );
  const stale = points.map((point) => {
    const owner = { tenant: String(point.payload?.["tenant"]), user: String(point.payload?.["user"]) };
    return { pointId: String(point.id), memory: readRecord(owner, point).memory };
  });
  return { stale, next: typeof next === "string" ? next : undefined };
}

/** False for a memory that was forgotten in the meantime. */
async function renew(
  collection: Collection,
  pointId: string,
  components: readonly number[] | undefined,
): Promise<boolean> {
  const { vectorName } = collection;
  const vector = { [vectorName]: [...(components ?? [])] };
  const operations = [
    ...(components === undefined ? [] : [{ update_vectors: { points: [{ id: pointId, vector }] } }]),
    { set_payload: { filter: { must: [{ has_id: [pointId] }] }, payload: { embedder: vectorName } } },
  ];
  try {
    await collection.ask((client, name) => client.batchUpdate(name, { wait: true, operations }));
    return true;
  } catch (error) {
    if (error instanceof MemoryStoreError && statusOf(error.cause) === 404) return false;
    throw error;
  }
}

/** A run after the one that renewed them all, so that a process with the earlier embedder has had time to end. */
async function dropOtherVectors({ ask, vectorName }: Collection): Promise<void> {
  const { config } = await ask((client, name) => client.getCollection(name));
  for (const other of Object.keys(config.params.vectors ?? {})) {
    if (other === vectorName || config.metadata?.[metadataKey(other)] === undefined) continue;
    await ask((client, name) => client.deleteVectorName(name, other, { wait: true }));
    await ask((client, name) => client.updateCollection(name, { metadata: { [metadataKey(other)]: null } }));
  }
}
