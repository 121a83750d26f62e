import type { Schemas } from "@qdrant/js-client-rest";
import { K1, lengthNorm } from "../sqlite/owner-index.ts";
import { COUNT_BITS, queryTerms } from "../sqlite/terms.ts";

/**
 * The text arm, by our own words and weights on both sides, so that both stores find the same: the vectors hold all of
 * BM25 but a term's rarity, which the server counts among the memories that pass (`params.idf`).
 */
export type SparseVector = Schemas["SparseVector"];

const COUNT_MASK = (1 << COUNT_BITS) - 1;
const DECIMALS = 1e6;

/** `packed` as in `TermCounts`. */
export function toSparseVector(length: number, packed: Uint32Array): SparseVector {
  const norm = lengthNorm(length);
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
