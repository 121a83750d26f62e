import type { Memory } from "../memory.ts";
import { dotProducts } from "./dot-products.ts";
import { strideOf } from "./quantize.ts";
import type { Quantized } from "./quantize.ts";
import type { ResolvedFilter } from "./filter.ts";
import { COUNT_BITS } from "./terms.ts";
import type { QueryTerm } from "./terms.ts";
import { bestOf } from "./best-of.ts";
import type { Scored } from "./best-of.ts";

/** What the index knows of one memory. Times are epoch milliseconds; absent is `undefined`. */
export type IndexEntry = {
  readonly row: number;
  readonly kind: number;
  readonly status: number;
  readonly core: boolean;
  readonly recorded: number;
  readonly superseded: number | undefined;
  readonly expires: number | undefined;
  readonly session: string | undefined;
  readonly agent: string | undefined;
};

/** BM25's usual constants; memories are short, so length counts a little less than in articles. */
const K1 = 1.2;
const B = 0.6;

const PROBE_BITS = 12;
const MAX_MEMORIES_KEPT = 2_048;
const FIRST_CAPACITY = 64;
const BYTES_PER_ENTRY = 160;

/**
 * One owner's search index in memory: flat arrays that are filled by copying what the rows hold, so that a cold owner of
 * 1,000 memories is loaded in about 2 ms, and scanned from end to end by each search. A slot is a place in the arrays,
 * in the order of the rows.
 */
export class OwnerIndex {
  /** What the file counted when this was read; another process's write shows as a difference. */
  changes: number;
  /** Hits that were read before; a change replaces its own. */
  readonly memories = new Map<number, Memory>();
  readonly #stride: number;
  readonly #entries: IndexEntry[] = [];
  readonly #lengths: number[] = [];
  readonly #termEnds: number[] = [];
  #terms = new Uint32Array(FIRST_CAPACITY * 64);
  #scales: number[] = [];
  #vectors: Int8Array;
  #dots = new Int32Array(FIRST_CAPACITY);
  #scores = new Float64Array(FIRST_CAPACITY);
  #words = 0;

  constructor(dimensions: number, changes: number) {
    this.#stride = strideOf(dimensions);
    this.#vectors = new Int8Array(FIRST_CAPACITY * this.#stride);
    this.changes = changes;
  }

  get size(): number {
    return this.#entries.length;
  }

  get lastRow(): number {
    return this.#entries.at(-1)?.row ?? 0;
  }

  get bytes(): number {
    const hits = this.memories.size * 2_048;
    return this.#vectors.byteLength + this.#terms.byteLength + this.size * BYTES_PER_ENTRY + hits;
  }

  rowAt(slot: number): number {
    return this.#entries[slot]?.row ?? -1;
  }

  /** Rows come in ascending order. `terms` begins with the text's length; `vector` with its scale. */
  append(entry: IndexEntry, terms: Uint8Array, vector: Uint8Array | undefined): void {
    const slot = this.size;
    this.#reserve(slot + 1);
    this.#entries.push(entry);
    const start = this.#termEnds.at(-1) ?? 0;
    const words = new Uint32Array(terms.buffer, terms.byteOffset, terms.byteLength >> 2);
    const length = words[0] ?? 0;
    this.#reserveTerms(start + words.length);
    this.#terms.set(words.subarray(1), start);
    this.#termEnds.push(start + Math.max(0, words.length - 1));
    this.#lengths.push(length);
    this.#words += length;
    if (vector === undefined) {
      this.#scales.push(0);
      return;
    }
    this.#scales.push(new DataView(vector.buffer, vector.byteOffset).getFloat32(0, true));
    this.#vectors.set(new Int8Array(vector.buffer, vector.byteOffset + 4, this.#stride), slot * this.#stride);
  }

  /** Puts a changed memory's new values in place. */
  replace(entry: IndexEntry): void {
    const slot = this.#slotOf(entry.row);
    if (slot !== undefined) this.#entries[slot] = entry;
    this.memories.delete(entry.row);
  }

  keep(row: number, memory: Memory): void {
    if (this.memories.size >= MAX_MEMORIES_KEPT) this.memories.clear();
    this.memories.set(row, memory);
  }

  /** Slots that the filter lets through, ascending. */
  passing(filter: ResolvedFilter): Int32Array {
    const slots = new Int32Array(this.size);
    let count = 0;
    for (let slot = 0; slot < this.#entries.length; slot++) {
      const entry = this.#entries[slot];
      if (entry !== undefined && filter(entry)) slots[count++] = slot;
    }
    return slots.subarray(0, count);
  }

  /** Best first; of two equals the later one. */
  nearest(query: Quantized, slots: Int32Array, limit: number): readonly Scored[] {
    if (query.scale === 0) return [];
    dotProducts(this.#vectors, this.#stride, query.values, this.size, this.#dots);
    const scores = this.#scores;
    for (const slot of slots) {
      const scale = this.#scales[slot] ?? 0;
      scores[slot] = scale === 0 ? Number.NEGATIVE_INFINITY : (this.#dots[slot] ?? 0) * scale * query.scale;
    }
    return bestOf(scores, slots, limit);
  }

  /** BM25 over the memories in `slots`, as if there were no others. */
  matching(query: readonly QueryTerm[], slots: Int32Array, limit: number): readonly Scored[] {
    if (query.length === 0 || slots.length === 0) return [];
    const hits = this.#findHits(query, slots);
    const averageLength = Math.max(1, this.#words / this.size);
    const weights = query.map((term, index) => {
      const memories = hits.memoriesWith[index] ?? 0;
      return term.weight * Math.log(1 + (slots.length - memories + 0.5) / (memories + 0.5));
    });
    const scores = this.#scores;
    for (const slot of slots) scores[slot] = Number.NEGATIVE_INFINITY;
    const { found, count } = hits;
    for (let index = 0; index < count; index += 3) {
      const slot = found[index] ?? 0;
      const times = found[index + 2] ?? 0;
      const norm = K1 * (1 - B + (B * (this.#lengths[slot] ?? 0)) / averageLength);
      const gain = ((weights[found[index + 1] ?? 0] ?? 0) * times * (K1 + 1)) / (times + norm);
      scores[slot] = Math.max(scores[slot] ?? 0, 0) + gain;
    }
    return bestOf(scores, slots, limit);
  }

  /** Triples of slot, query term and how often. The probe table turns "is this one of the query's terms?" into a look. */
  #findHits(query: readonly QueryTerm[], slots: Int32Array) {
    const mask = (1 << PROBE_BITS) - 1;
    const probe = new Uint16Array(mask + 1);
    const hashes = new Uint32Array(query.length);
    for (const [index, term] of query.entries()) {
      hashes[index] = term.hash;
      let at = term.hash & mask;
      while (probe[at] !== 0) at = (at + 1) & mask;
      probe[at] = index + 1;
    }
    const memoriesWith = new Uint32Array(query.length);
    let found = new Int32Array(1_024);
    let count = 0;
    const terms = this.#terms;
    for (const slot of slots) {
      const end = this.#termEnds[slot] ?? 0;
      for (let position = slot === 0 ? 0 : (this.#termEnds[slot - 1] ?? 0); position < end; position++) {
        const packed = terms[position] ?? 0;
        const hash = packed >>> COUNT_BITS;
        let at = hash & mask;
        let candidate = probe[at] ?? 0;
        while (candidate !== 0 && hashes[candidate - 1] !== hash) {
          at = (at + 1) & mask;
          candidate = probe[at] ?? 0;
        }
        if (candidate === 0) continue;
        if (count + 3 > found.length) found = grown(found, new Int32Array(found.length * 2));
        memoriesWith[candidate - 1] = (memoriesWith[candidate - 1] ?? 0) + 1;
        found[count] = slot;
        found[count + 1] = candidate - 1;
        found[count + 2] = packed & ((1 << COUNT_BITS) - 1);
        count += 3;
      }
    }
    return { found, count, memoriesWith };
  }

  #slotOf(row: number): number | undefined {
    let low = 0;
    let high = this.size - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.rowAt(middle);
      if (found === row) return middle;
      if (found < row) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  #reserve(size: number): void {
    if (size <= this.#dots.length) return;
    const capacity = this.#dots.length * 2;
    this.#vectors = grown(this.#vectors, new Int8Array(capacity * this.#stride));
    this.#dots = new Int32Array(capacity);
    this.#scores = new Float64Array(capacity);
  }

  #reserveTerms(size: number): void {
    if (size <= this.#terms.length) return;
    this.#terms = grown(this.#terms, new Uint32Array(Math.max(size, this.#terms.length * 2)));
  }
}

function grown<T extends Int8Array | Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
