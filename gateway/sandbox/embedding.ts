import { createHash } from "node:crypto";
import { contentWords } from "./words.ts";

/**
 * A vector that is the same for the same text and near for texts that share words: every word, and every three letters of
 * it with less weight, adds to a few places chosen by its hash. Unit length.
 */
export function toEmbedding(text: string, dimensions: number): number[] {
  const vector = new Float64Array(dimensions);
  for (const word of contentWords(text)) {
    add(vector, `w:${word.stem}`, 1);
    const padded = ` ${word.stem} `;
    for (let index = 0; index + 3 <= padded.length; index += 1)
      add(vector, `g:${padded.slice(index, index + 3)}`, 0.25);
  }
  // A text without any word we know still needs a direction of its own.
  add(vector, `t:${text}`, 0.05);
  const length = Math.hypot(...vector);
  return Array.from(vector, (value) => value / length);
}

function add(vector: Float64Array, feature: string, weight: number): void {
  const hash = createHash("sha256").update(feature).digest();
  for (let place = 0; place < 4; place += 1) {
    const index = hash.readUInt32LE(place * 4) % vector.length;
    const sign = (hash[16 + place] ?? 0) % 2 === 0 ? 1 : -1;
    vector[index] = (vector[index] ?? 0) + sign * weight;
  }
}
