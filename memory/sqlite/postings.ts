import { COUNT_BITS } from "./terms.ts";

const COUNT_MASK = (1 << COUNT_BITS) - 1;
/** Entries per bucket, on average: terms whose hashes share their low bits are told apart by comparing. */
const PER_BUCKET = 4;

/**
 * Term → memories, for one owner. What is loaded at once lies in two flat arrays, sorted into buckets by counting: that
 * takes 0.5 ms for 1,000 memories, where a map of lists takes 5. What is added later goes into a map, which is read
 * besides and stays small (`addedSize`), for the index is then loaded anew.
 */
export class Postings {
  readonly #mask: number;
  /** Where each bucket begins; one more than there are buckets. */
  readonly #starts: Uint32Array;
  readonly #packed: Uint32Array;
  readonly #slots: Uint32Array;
  readonly #added = new Map<number, number[]>();
  #addedSize = 0;

  /** `terms[slot]` as `TermCounts.packed`. */
  constructor(terms: readonly Uint32Array[]) {
    let size = 0;
    for (const list of terms) size += list.length;
    const buckets = 2 ** Math.max(4, Math.ceil(Math.log2(size / PER_BUCKET + 1)));
    this.#mask = buckets - 1;
    this.#starts = new Uint32Array(buckets + 1);
    this.#packed = new Uint32Array(size);
    this.#slots = new Uint32Array(size);
    this.#fill(terms);
  }

  get bytes(): number {
    return this.#packed.byteLength * 2 + this.#starts.byteLength + this.#addedSize * 32;
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
    const packed = this.#packed;
    const slots = this.#slots;
    const end = this.#starts[bucket + 1] ?? 0;
    for (let index = this.#starts[bucket] ?? 0; index < end; index++) {
      const value = packed[index] ?? 0;
      const slot = slots[index] ?? 0;
      if (value >>> COUNT_BITS !== hash || passes[slot] === 0) continue;
      into[size] = slot;
      into[size + 1] = value & COUNT_MASK;
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
    for (const list of terms) {
      for (let index = 0; index < list.length; index++) {
        const bucket = ((list[index] ?? 0) >>> COUNT_BITS) & this.#mask;
        starts[bucket] = (starts[bucket] ?? 0) + 1;
      }
    }
    for (let bucket = 1; bucket < starts.length; bucket++) {
      starts[bucket] = (starts[bucket] ?? 0) + (starts[bucket - 1] ?? 0);
    }
    for (let slot = terms.length - 1; slot >= 0; slot--) {
      const list = terms[slot] ?? new Uint32Array(0);
      for (let index = 0; index < list.length; index++) {
        const packed = list[index] ?? 0;
        const bucket = (packed >>> COUNT_BITS) & this.#mask;
        const at = (starts[bucket] ?? 0) - 1;
        starts[bucket] = at;
        this.#packed[at] = packed;
        this.#slots[at] = slot;
      }
    }
  }
}
