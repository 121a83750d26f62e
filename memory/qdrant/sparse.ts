import type { Schemas } from "@qdrant/js-client-rest";
import { B, K1 } from "../sqlite/owner-index.ts";
import { COUNT_BITS, queryTerms } from "../sqlite/terms.ts";

/**
 * The text arm, by our own words and weights on both sides, so that both stores find the same: the server multiplies what
 * a query term weighs by its rarity among the memories that pass (`params.idf`), the rest of BM25 is in the vectors.
 *
 * A memory's weight depends on the average length of the owner's memories, which changes with every one of them; here it
 * is a constant, and `lengthCorrection` brings a score to what the true average makes of it.
 */
const AVERAGE_LENGTH = 24;
const COUNT_MASK = (1 << COUNT_BITS) - 1;
const DECIMALS = 1e5;

export type SparseVector = Schemas["SparseVector"];

/** `packed` as in `TermCounts`. */
export function toSparseVector(length: number, packed: Uint32Array): SparseVector {
  const norm = lengthNorm(length, AVERAGE_LENGTH);
  const indices: number[] = [];
  const values: number[] = [];
  for (const term of packed) {
    const times = term & COUNT_MASK;
    indices.push(term >>> COUNT_BITS);
    values.push(Math.round((((K1 + 1) * times) / (times + norm)) * DECIMALS) / DECIMALS);
  }
  return { indices, values };
}

/** `undefined` for a text that looks for nothing. */
export function toSparseQuery(text: string): SparseVector | undefined {
  const terms = queryTerms(text);
  if (terms.length === 0) return undefined;
  return { indices: terms.map(({ hash }) => hash), values: terms.map(({ weight }) => weight) };
}

/**
 * What a score is multiplied by when the owner's memories have another average length than `AVERAGE_LENGTH`. Exact for
 * words that stand once in a memory, as nearly all do, and close for others.
 */
export function lengthCorrection(length: number, averageLength: number): number {
  return (1 + lengthNorm(length, AVERAGE_LENGTH)) / (1 + lengthNorm(length, averageLength));
}

function lengthNorm(length: number, averageLength: number): number {
  return K1 * (1 - B + (B * length) / averageLength);
}
