export type Scored = { readonly slot: number; readonly score: number };

/**
 * The `limit` best of `slots` by `scores[slot]`, best first; of two equals the later slot. A score of minus infinity is
 * no hit. Keeps a small sorted list: limits are tens, and almost every candidate fails the first comparison.
 */
export function bestOf(scores: Float64Array, slots: Int32Array, limit: number): readonly Scored[] {
  if (limit < 1) return [];
  const best: Scored[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let index = slots.length - 1; index >= 0; index--) {
    const slot = slots[index] ?? 0;
    const score = scores[slot] ?? 0;
    if (score <= least || score === Number.NEGATIVE_INFINITY) continue;
    insert(best, { slot, score });
    if (best.length > limit) best.pop();
    if (best.length === limit) least = best.at(-1)?.score ?? least;
  }
  return best;
}

function insert(best: Scored[], item: Scored): void {
  let low = 0;
  let high = best.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((best[middle]?.score ?? 0) >= item.score) low = middle + 1;
    else high = middle;
  }
  best.splice(low, 0, item);
}
