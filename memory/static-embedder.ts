import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Embedder } from "./embedder.ts";
import manifest from "./static-embedder/manifest.json" with { type: "json" };
import { addHashed, hashText } from "./hashed-features.ts";
import { scanWords, splitWord, type WordKind } from "./wordpiece.ts";

export type StaticEmbedder = Embedder & {
  /** As `embed`, for one text, at once: tens of microseconds. The vector is the caller's own. */
  embedOne(text: string): Float32Array;
};

/**
 * The embedder that is always there: one vector per word, summed. It needs no key, no network and no native code, and gives
 * the same bits for the same text on every machine, because everything before the last division is integer arithmetic.
 *
 * Words of the vocabulary (English, mostly) carry meaning distilled from all-MiniLM-L6-v2; see `static-embedder/distil.py`
 * and `docs/decisions/2026-11-21-default-embedder.md`. What the vocabulary does not have (other languages, names, emoji, numbers)
 * is hashed from its characters, so that equal or similar words in two texts still match.
 *
 * `folder` holds the weights. Throws when they are missing or are not the ones this version was built with.
 */
export async function createStaticEmbedder(folder = weightsFolder): Promise<StaticEmbedder> {
  const [vectors, words] = await Promise.all([
    readChecked(folder, "vectors.bin", manifest.sha256["vectors.bin"]),
    readChecked(folder, "vocabulary.txt", manifest.sha256["vocabulary.txt"]),
  ]);
  const table = new Int8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength);
  const embedOne = wordSummer(table, readVocabulary(words));
  return {
    id: manifest.id,
    dimensions,
    embedOne,
    embed: async (texts, signal) => {
      signal?.throwIfAborted();
      return texts.map((text) => embedOne(text));
    },
  };
}

const weightsFolder = new URL("./static-embedder/", import.meta.url);
const dimensions = manifest.dimensions;

async function readChecked(folder: URL, name: string, expected: string): Promise<Buffer<ArrayBuffer>> {
  const file = new URL(name, folder);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new Error(`The default embedder's ${name} cannot be read: restore memory/static-embedder/${name}.`, {
      cause,
    });
  });
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found === expected) return bytes;
  throw new Error(
    `The default embedder's ${name} is not the file it was built with (SHA-256 ${found}, expected ${expected}): ` +
      `restore memory/static-embedder/${name}, and see that git does not change its line ends or bytes.`,
  );
}

function readVocabulary(bytes: Buffer): ReadonlyMap<string, number> {
  return new Map(
    bytes
      .toString("utf8")
      .trimEnd()
      .split("\n")
      .map((piece, row) => [piece, row]),
  );
}

/** The sums are kept in one buffer between calls: nothing in here may await. */
function wordSummer(table: Int8Array, vocabulary: ReadonlyMap<string, number>): (text: string) => Float32Array {
  const sums = new Int32Array(dimensions);
  const add = (word: string, kind: WordKind): void => {
    const row = vocabulary.get(word);
    if (row !== undefined) addRow(sums, table, row);
    else if (kind === "run") addRun(sums, word);
    else addUnknown(sums, word, kind === "word" ? splitWord(word, vocabulary) : undefined, table);
  };
  return (text) => {
    sums.fill(0);
    scanWords(text, add);
    return unit(sums);
  };
}

function addRow(sums: Int32Array, table: Int8Array, row: number): void {
  const start = row * dimensions;
  for (let index = 0; index < dimensions; index += 1) {
    sums[index] = (sums[index] ?? 0) + (table[start + index] ?? 0);
  }
}

function addUnknown(sums: Int32Array, word: string, pieces: readonly number[] | undefined, table: Int8Array): void {
  for (const piece of pieces ?? []) addRow(sums, table, piece);
  addHashed(sums, hashText(word, 0, word.length), wordAmplitude);
  addGrams(sums, `<${word}>`);
}

/** So that "Straßenbahn" is near "Straßenbahnen" and a misspelt name near the name. */
function addGrams(sums: Int32Array, marked: string): void {
  const last = Math.min(marked.length, maxGrams) - gramLength;
  for (let start = 0; start <= last; start += 1) {
    addHashed(sums, hashText(marked, start, start + gramLength), gramAmplitude);
  }
}

/** Every character and every pair of neighbours: words of two characters are the commonest in Chinese. */
function addRun(sums: Int32Array, run: string): void {
  let before = -1;
  let at = 0;
  for (const character of run) {
    const next = at + character.length;
    addHashed(sums, hashText(run, at, next), characterAmplitude);
    if (before >= 0) addHashed(sums, hashText(run, before, next), pairAmplitude);
    before = at;
    at = next;
  }
}

const wordAmplitude = 48;
const gramLength = 3;
const gramAmplitude = 14;
const maxGrams = 64;
const characterAmplitude = 16;
const pairAmplitude = 32;

/** Doubles hold these sums exactly, and IEEE 754 fixes how the root and the division round. */
function unit(sums: Int32Array): Float32Array {
  const vector = new Float32Array(dimensions);
  let squares = 0;
  for (const sum of sums) squares += sum * sum;
  if (squares === 0) return vector;
  const length = Math.sqrt(squares);
  for (let index = 0; index < dimensions; index += 1) vector[index] = (sums[index] ?? 0) / length;
  return vector;
}
