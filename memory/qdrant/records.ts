import type { IndexedMemory } from "../memory-store.ts";
import { MemoryStoreError } from "../memory-store-error.ts";
import type { Memory, Owner } from "../memory.ts";
import { parseBody, toBody, toEntry, toRow } from "../sqlite/rows.ts";
import { toKeyword } from "./filter.ts";
import { toSparseVector } from "./sparse.ts";
import type { SparseVector } from "./sparse.ts";

/**
 * What a point holds: the whole record as JSON text in `body` (Qdrant's own JSON takes no lone surrogates), and beside
 * it, indexed, what filters and sorts. `owned-points.ts` adds whose it is.
 */
export type Payload = {
  readonly id: string;
  readonly version: number;
  readonly kind: string;
  readonly status: string;
  readonly core: boolean;
  readonly recorded: number;
  readonly superseded: number | null;
  readonly expires: number | null;
  readonly session: string | null;
  readonly agent: string | null;
  readonly position: number | null;
  /** Sorts lists: when it was recorded, and among those of one millisecond which was added later. */
  readonly order: number;
  /** Whose vector it has: a vector's name in the collection. */
  readonly embedder: string | null;
  /** Who made the last changes, oldest first: how a process knows its own (`change.ts`). */
  readonly writers: readonly string[];
  readonly body: string;
};

export type Point = {
  readonly memoryId: string;
  readonly payload: Payload;
  readonly sparse: SparseVector;
  /** Absent for no vector, and for the zero vector, which is near nothing. */
  readonly dense: readonly number[] | undefined;
};

/** A record as it was read. */
export type StoredRecord = {
  readonly pointId: string;
  readonly memory: Memory;
  readonly order: number;
  readonly session: string | undefined;
  readonly position: number | undefined;
  readonly writers: readonly string[];
};

/** The fields that {@link readRecord} needs, with the owner's. */
export const recordFields = ["id", "version", "order", "session", "position", "writers", "body"] as const;

/** Adds that come later sort later, within a millisecond of recorded time and about a thousand of them. */
const ORDERS_PER_MS = 1_000;
let added = 0;

/** Throws `bad_input` for what could not be read back as it was given; the embedded store has the same rules. */
export function toPoint(owner: Owner, item: IndexedMemory, dimensions: number, vectorName: string): Point {
  const { memory } = item;
  const row = toRow(owner, item, dimensions);
  const terms = new Uint32Array(row.terms.buffer, row.terms.byteOffset, row.terms.byteLength / 4);
  const dense = row.vector === null ? undefined : toComponents(row.vector, dimensions);
  added = (added + 1) % ORDERS_PER_MS;
  return {
    memoryId: memory.id,
    sparse: toSparseVector(terms[0] ?? 0, terms.subarray(1)),
    dense,
    payload: {
      id: memory.id,
      kind: memory.kind,
      ...changingFields(memory),
      recorded: row.entry.recorded,
      session: row.entry.session === undefined ? null : toKeyword(row.entry.session),
      agent: row.entry.agent === undefined ? null : toKeyword(row.entry.agent),
      position: Number.isSafeInteger(row.position) ? row.position : null,
      order: row.entry.recorded * ORDERS_PER_MS + added,
      embedder: row.vector === null ? null : vectorName,
      writers: [],
    },
  };
}

/** What a change can touch. */
export function changingFields(memory: Memory) {
  const { core, superseded, expires } = toEntry(memory);
  return {
    version: memory.version,
    status: memory.status,
    core,
    superseded: superseded ?? null,
    expires: expires ?? null,
    body: toBody(memory),
  };
}

export function readRecord(owner: Owner, point: { readonly id: unknown; readonly payload?: unknown }): StoredRecord {
  const payload = point.payload;
  if (typeof payload !== "object" || payload === null) throw damaged(point.id);
  const fields = new Map<string, unknown>(Object.entries(payload));
  const body = fields.get("body");
  if (typeof body !== "string") throw damaged(point.id);
  const stored = parseBody(body);
  const scope = { ...stored.scope, tenant: owner.tenant, user: owner.user };
  const session = fields.get("session");
  const writers = fields.get("writers");
  return {
    pointId: String(point.id),
    memory: Object.assign(stored, { scope, version: numberOf(fields.get("version")) ?? 0 }),
    order: numberOf(fields.get("order")) ?? 0,
    session: typeof session === "string" ? session : undefined,
    position: numberOf(fields.get("position")),
    writers: Array.isArray(writers) ? writers.map(String) : [],
  };
}

/** The eight-bit vector of the embedded store: the same neighbours in the same order, in a third of the JSON. */
export function toComponents(packed: Uint8Array, dimensions: number): readonly number[] | undefined {
  const values = Array.from(new Int8Array(packed.buffer, packed.byteOffset + SCALE_BYTES, dimensions));
  return values.some((value) => value !== 0) ? values : undefined;
}

const SCALE_BYTES = 4;

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function damaged(id: unknown): MemoryStoreError {
  return new MemoryStoreError("corrupt", `Qdrant's point ${String(id)} is no memory of this program.`);
}
