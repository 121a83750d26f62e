export type Scored = { readonly slot: number; readonly score: number };

/**
 * The `limit` best of the first `count` scores above `floor`, best first; of two equals the later slot. Keeps a small
 * sorted list: limits are tens, and almost every candidate fails the first comparison.
 */
export function bestOf(scores: Float64Array, count: number, limit: number, floor: number): readonly Scored[] {
  if (limit < 1) return [];
  const best: Scored[] = [];
  let least = floor;
  for (let slot = count - 1; slot >= 0; slot--) {
    const score = scores[slot] ?? 0;
    if (score <= least) continue;
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
