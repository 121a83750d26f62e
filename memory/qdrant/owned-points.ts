import type { Schemas } from "@qdrant/js-client-rest";
import { MemoryStoreError } from "../memory-store-error.ts";
import type { Memory, Owner } from "../memory.ts";
import { stableId } from "../ids.ts";
import { checkOwner } from "../sqlite/owners.ts";
import type { Collection } from "./collection.ts";
import { SPARSE } from "./collection.ts";
import { statusOf } from "./failures.ts";
import { and } from "./filter.ts";
import type { PointFilter } from "./filter.ts";
import { readRecord, recordFields } from "./records.ts";
import type { Point, StoredRecord } from "./records.ts";
import type { SparseVector } from "./sparse.ts";

type Condition = Schemas["Condition"];

export type Search = {
  readonly query: readonly number[] | SparseVector;
  readonly using: string;
  readonly filter: PointFilter;
  readonly limit: number;
};
export type FoundRecord = StoredRecord & { readonly score: number };
export type ScrollOptions = {
  readonly limit: number;
  readonly orderBy?: { readonly key: "order" | "position"; readonly direction: "asc" | "desc" };
  /** A point's id, that it begins at. */
  readonly offset?: string;
};

const ADD_BATCH_POINTS = 128;
/** A batch's size in JSON, far below the 32 MB that Qdrant takes by default. */
const ADD_BATCH_CHARS = 4_000_000;
const ID_BATCH = 256;

/**
 * The points of one owner: the one place where "of this owner" becomes a condition, or part of a point's id. Nothing in
 * the store reaches points any other way, and what comes back is checked to be the owner's.
 */
export class OwnedPoints {
  readonly #owner: Owner;
  readonly #key: string;
  readonly #collection: Collection;

  /** Throws `bad_input` for what is no owner. */
  constructor(owner: Owner, collection: Collection) {
    checkOwner(owner);
    this.#owner = owner;
    this.#key = ownerKey(owner);
    this.#collection = collection;
  }

  async add(points: readonly Point[]): Promise<void> {
    const structs = points.map((point) => ({
      id: this.#pointId(point.memoryId),
      payload: { owner: this.#key, tenant: this.#owner.tenant, user: this.#owner.user, ...point.payload },
      vector: {
        [SPARSE]: point.sparse,
        ...(point.dense === undefined ? {} : { [this.#collection.vectorName]: [...point.dense] }),
      },
    }));
    for (const batch of toBatches(structs)) {
      const args = { wait: true, points: batch, update_mode: "insert_only" as const };
      await this.#collection.ask((client, name) => client.upsert(name, args));
    }
  }

  /** In the order of the ids, without those that are not there. */
  async byIds(ids: readonly string[]): Promise<readonly StoredRecord[]> {
    const found = new Map<string, StoredRecord>();
    for (const batch of chunks([...new Set(ids)], ID_BATCH)) {
      const filter = { must: [this.withIds(batch)], mustNot: [] };
      for (const record of await this.scroll(filter, { limit: batch.length })) found.set(record.memory.id, record);
    }
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  async scroll(filter: PointFilter, options: ScrollOptions): Promise<readonly StoredRecord[]> {
    const { limit, orderBy, offset } = options;
    if (limit < 1) return [];
    const { points } = await this.#collection.ask((client, name) =>
      client.scroll(name, {
        filter: this.#within(filter),
        limit,
        with_payload: payloadFields,
        ...(orderBy === undefined ? {} : { order_by: orderBy }),
        ...(offset === undefined ? {} : { offset }),
      }),
    );
    return points.map((point) => this.#read(point));
  }

  /** Several searches in one request; the answers in their order, best first. */
  async search(searches: readonly Search[]): Promise<readonly (readonly FoundRecord[])[]> {
    if (searches.length === 0) return [];
    const requests = searches.map(({ query, using, filter, limit }) => ({
      query: "indices" in query ? query : [...query],
      using,
      filter: this.#within(filter),
      limit,
      with_payload: payloadFields,
      ...(using === SPARSE && this.#collection.ownRarity ? { params: { idf: { corpus: this.#within(filter) } } } : {}),
    }));
    const answers = await this.#collection.ask((client, name) => client.queryBatch(name, { searches: requests }));
    return answers.map(({ points }) => points.map((point) => ({ ...this.#read(point), score: point.score })));
  }

  async count(filter: PointFilter): Promise<number> {
    const args = { filter: this.#within(filter), exact: true };
    const { count } = await this.#collection.ask((client, name) => client.count(name, args));
    return count;
  }

  /** Writes `payload` over what passes the filter, in one step of the server. */
  async setPayload(filter: PointFilter, payload: Readonly<Record<string, unknown>>): Promise<void> {
    const args = { wait: true, ordering: "strong" as const, filter: this.#within(filter), payload };
    await this.#collection.ask((client, name) => client.setPayload(name, args));
  }

  /** Replaces what the text index holds of a memory, if the memory is still there. */
  async setSparse(memory: Memory, sparse: SparseVector): Promise<void> {
    const points = [{ id: this.#pointId(memory.id), vector: { [SPARSE]: sparse } }];
    try {
      await this.#collection.ask((client, name) => client.updateVectors(name, { wait: true, points }));
    } catch (error) {
      const isGone = error instanceof MemoryStoreError && statusOf(error.cause) === 404;
      if (!isGone || (await this.byIds([memory.id])).length > 0) throw error;
    }
  }

  async delete(filter: PointFilter): Promise<void> {
    const args = { wait: true, ordering: "strong" as const, filter: this.#within(filter) };
    await this.#collection.ask((client, name) => client.delete(name, args));
  }

  withIds(ids: readonly string[]): Condition {
    return { has_id: ids.map((id) => this.#pointId(id)) };
  }

  #within(filter: PointFilter): Schemas["Filter"] {
    const owned = and(filter, { key: "owner", match: { value: this.#key } });
    return { must: [...owned.must], ...(owned.mustNot.length === 0 ? {} : { must_not: [...owned.mustNot] }) };
  }

  #pointId(memoryId: string): string {
    return stableId("memory", this.#owner.tenant, this.#owner.user, memoryId);
  }

  #read(point: { readonly id: unknown; readonly payload?: unknown }): StoredRecord {
    const record = readRecord(this.#owner, point);
    // The point's id holds the owner's name: one of another owner could not have it.
    if (record.pointId !== this.#pointId(record.memory.id)) {
      throw new MemoryStoreError("corrupt", `Qdrant answered with point ${record.pointId}, which is another owner's.`);
    }
    return record;
  }
}

const payloadFields = [...recordFields];

/** The length keeps ("a:b", "c") and ("a", "b:c") apart. */
function ownerKey({ tenant, user }: Owner): string {
  return `${tenant.length}:${tenant}:${user}`;
}

function toBatches<T>(points: readonly T[]): readonly T[][] {
  const batches: T[][] = [];
  let chars = 0;
  for (const point of points) {
    const size = JSON.stringify(point).length;
    const last = batches.at(-1);
    if (last === undefined || last.length >= ADD_BATCH_POINTS || chars + size > ADD_BATCH_CHARS) {
      batches.push([point]);
      chars = size;
    } else {
      last.push(point);
      chars += size;
    }
  }
  return batches;
}

export function chunks<T>(values: readonly T[], size: number): readonly T[][] {
  const lists: T[][] = [];
  for (let start = 0; start < values.length; start += size) lists.push(values.slice(start, start + size));
  return lists;
}
