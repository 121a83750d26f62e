/** FNV-1a over UTF-16 units `start` to `end`, then mixed, because FNV's low bits of short texts are too alike. */
export function hashText(text: string, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mix(hash);
}

/**
 * Adds ±`amplitude` at {@link spots} places of `sums` that `hash` chooses: a random direction of length
 * `amplitude * sqrt(spots)`. Two different hashes are as good as perpendicular (cosine about 0 ± 1/√dimensions), as dense
 * random vectors would be, at a sixteenth of the work. The length of `sums` is at most 32,768.
 */
export function addHashed(sums: Int32Array, hash: number, amplitude: number): void {
  let state = hash;
  for (let spot = 0; spot < spots; spot += 2) {
    state = mix((state + 0x9e3779b9) | 0);
    const first = (state & 0x7fff) % sums.length;
    sums[first] = (sums[first] ?? 0) + ((state & 0x8000) === 0 ? amplitude : -amplitude);
    const second = ((state >>> 16) & 0x7fff) % sums.length;
    sums[second] = (sums[second] ?? 0) + (state < 0 ? -amplitude : amplitude);
  }
}

/** Even, because one hash step gives two. */
export const spots = 16;

/** The finalizer of MurmurHash3. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
