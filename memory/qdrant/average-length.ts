import type { Owner } from "../memory.ts";
import type { OwnedPoints } from "./owned-points.ts";

export type AverageLengths = {
  /** Words per memory of the owner, as of a moment ago; at least 1. */
  load(owner: Owner, points: OwnedPoints): Promise<number>;
  /** After the owner's memories changed. */
  drop(owner: Owner): void;
};

const MAX_OWNERS = 10_000;
const KEEP_MS = 60_000;
/** Memories have some hundred different lengths; what has a rarer one weighs nothing in the average. */
const MAX_LENGTHS = 1_000;

export function createAverageLengths(clock: () => number): AverageLengths {
  const kept = new Map<string, { readonly average: number; readonly until: number }>();
  return {
    async load(owner, points) {
      const key = JSON.stringify([owner.tenant, owner.user]);
      const known = kept.get(key);
      if (known !== undefined && clock() < known.until) return known.average;
      let words = 0;
      let memories = 0;
      for (const length of await points.wordCounts(MAX_LENGTHS)) {
        words += length.words * length.memories;
        memories += length.memories;
      }
      const average = Math.max(1, words / Math.max(1, memories));
      if (kept.size >= MAX_OWNERS) kept.clear();
      kept.set(key, { average, until: clock() + KEEP_MS });
      return average;
    },
    drop(owner) {
      kept.delete(JSON.stringify([owner.tenant, owner.user]));
    },
  };
}
