import { COUNT_BITS } from "./terms.ts";

const COUNT_MASK = (1 << COUNT_BITS) - 1;
/** Entries per bucket, on average: terms whose hashes share their low bits are told apart by comparing. */
const PER_BUCKET = 16;
const EMPTY = new Uint32Array(0);

/**
 * Term → memories, for one owner. What is loaded at once lies in one flat array, sorted into buckets by counting, which
 * is some ten times faster than a map of lists. What is added later goes into such a map, which is read besides and
 * stays small, for the index is then loaded anew.
 */
export class Postings {
  readonly #mask: number;
  /** Where each bucket begins, counted in entries; one more than there are buckets. */
  readonly #starts: Uint32Array;
  /** Entry after entry: the packed term, then the slot. */
  readonly #entries: Uint32Array;
  readonly #added = new Map<number, number[]>();
  #addedSize = 0;

  /** `terms[slot]` as `TermCounts.packed`. */
  constructor(terms: readonly Uint32Array[]) {
    let size = 0;
    for (const list of terms) size += list.length;
    const buckets = 2 ** Math.max(4, Math.ceil(Math.log2(size / PER_BUCKET + 1)));
    this.#mask = buckets - 1;
    this.#starts = new Uint32Array(buckets + 1);
    this.#entries = new Uint32Array(size * 2);
    this.#fill(terms);
  }

  get bytes(): number {
    return this.#entries.byteLength + this.#starts.byteLength + this.#addedSize * 32;
  }

  /** Slots come in ascending order from call to call. */
  add(slot: number, terms: Uint32Array): void {
    for (const packed of terms) {
      const hash = packed >>> COUNT_BITS;
      const list = this.#added.get(hash);
      if (list === undefined) this.#added.set(hash, [slot, packed & COUNT_MASK]);
      else list.push(slot, packed & COUNT_MASK);
    }
    this.#addedSize += terms.length;
  }

  /** Writes slot and count of each memory that holds the term and passes, and returns how many numbers it wrote. */
  find(hash: number, passes: Uint8Array, into: Uint32Array): number {
    let size = 0;
    const bucket = hash & this.#mask;
    const entries = this.#entries;
    const end = (this.#starts[bucket + 1] ?? 0) * 2;
    for (let index = (this.#starts[bucket] ?? 0) * 2; index < end; index += 2) {
      const packed = entries[index] ?? 0;
      const slot = entries[index + 1] ?? 0;
      if (packed >>> COUNT_BITS !== hash || passes[slot] === 0) continue;
      into[size] = slot;
      into[size + 1] = packed & COUNT_MASK;
      size += 2;
    }
    const list = this.#added.get(hash) ?? [];
    for (let index = 0; index < list.length; index += 2) {
      const slot = list[index] ?? 0;
      if (passes[slot] === 0) continue;
      into[size] = slot;
      into[size + 1] = list[index + 1] ?? 0;
      size += 2;
    }
    return size;
  }

  /** A counting sort: count per bucket, turn the counts into ends, then place from the last to the first. */
  #fill(terms: readonly Uint32Array[]): void {
    const starts = this.#starts;
    const entries = this.#entries;
    const mask = this.#mask;
    for (const list of terms) {
      for (let index = 0; index < list.length; index++) {
        const bucket = ((list[index] ?? 0) >>> COUNT_BITS) & mask;
        starts[bucket] = (starts[bucket] ?? 0) + 1;
      }
    }
    for (let bucket = 1; bucket < starts.length; bucket++) {
      starts[bucket] = (starts[bucket] ?? 0) + (starts[bucket - 1] ?? 0);
    }
    for (let slot = terms.length - 1; slot >= 0; slot--) {
      const list = terms[slot] ?? EMPTY;
      for (let index = 0; index < list.length; index++) {
        const packed = list[index] ?? 0;
        const bucket = (packed >>> COUNT_BITS) & mask;
        const at = (starts[bucket] ?? 0) - 1;
        starts[bucket] = at;
        entries[at * 2] = packed;
        entries[at * 2 + 1] = slot;
      }
    }
  }
}
