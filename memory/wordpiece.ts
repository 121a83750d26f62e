/**
 * How a word is written, which decides how an unknown one is hashed. `word`: letters and digits of an alphabet. `run`:
 * neighbouring characters of a script that puts no spaces between words (Chinese, Japanese, Thai…). `symbol`: one emoji or sign.
 */
export type WordKind = "word" | "run" | "symbol";

/**
 * Cuts text into the words an embedder sums, lower-cased and without accents; "don't" becomes "do" and "not". Punctuation,
 * what prints nothing, control characters and lone surrogates only separate or vanish. At most {@link maxWords}
 * words of the first {@link maxCharacters} UTF-16 units are visited.
 */
export function scanWords(text: string, visit: (word: string, kind: WordKind) => void): void {
  const folded = fold(text.length > maxCharacters ? text.slice(0, maxCharacters) : text);
  let left = maxWords;
  let start = 0;
  let open = separator;
  for (let index = 0; index <= folded.length; index += 1) {
    const kind = index < folded.length ? (classes[folded.charCodeAt(index)] ?? separator) : separator;
    if (kind === open && kind !== symbol) continue;
    if (kind === mark && (open === word || open === run)) continue;
    if (open !== separator) {
      visit(folded.slice(start, index), kindNames[open] ?? "symbol");
      left -= 1;
      if (left === 0) return;
    }
    start = index;
    open = kind === mark ? separator : kind;
    // A symbol past U+FFFF is two units, which belong together.
    if (kind === symbol && isHighSurrogate(folded.charCodeAt(index))) index += 1;
  }
}

/**
 * Splits one word into the longest pieces the vocabulary has, BERT's way: the first as it is, the others marked `##`.
 * `undefined` when some part of the word is in no piece, or the word is longer than {@link maxWordLength}.
 */
export function splitWord(text: string, vocabulary: ReadonlyMap<string, number>): readonly number[] | undefined {
  if (text.length > maxWordLength) return undefined;
  const pieces: number[] = [];
  let start = 0;
  while (start < text.length) {
    let end = text.length;
    let piece: number | undefined;
    for (; end > start; end -= 1) {
      const part = text.slice(start, end);
      piece = vocabulary.get(start === 0 ? part : `##${part}`);
      if (piece !== undefined) break;
    }
    if (piece === undefined) return undefined;
    pieces.push(piece);
    start = end;
  }
  return pieces;
}

/** What is read of one text: a chapter's worth. Longer texts are chunked by the caller or judged by their beginning. */
export const maxCharacters = 32_768;
export const maxWords = 4096;
/** A longer word (base64, a hash, a part of a URL) is known by its whole self only. Also bounds the quadratic split. */
export const maxWordLength = 64;

/**
 * Lower case; compatibility forms unified (full width, ligatures); accents of Latin, Greek and Cyrillic off. Marks of other scripts
 * stay: without them Hindi loses its vowels and Japanese its voicing. Skin tones go: 👍🏽 is 👍.
 */
function fold(text: string): string {
  const lower = text.toLowerCase();
  const plain = isAscii(lower)
    ? lower
    : lower.toWellFormed().normalize("NFKD").replace(invisible, "").replaceAll("ß", "ss").normalize("NFC");
  return plain.includes("n't") || plain.includes("n’t") ? plain.replace(negation, " not") : plain;
}

const negation = /n['’]t(?![a-z])/g;
/** Combining accents, variation selectors, skin tones, and what prints nothing (zero-width, soft hyphen, controls of direction). */
const invisible = /[\u0300-\u036F\uFE00-\uFE0F]|[\u{1F3FB}-\u{1F3FF}]|\p{Cf}/gu;

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 127) return false;
  return true;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

const separator = 0;
const word = 1;
const run = 2;
const symbol = 3;
/** A combining mark goes with the word or run before it, and is nothing by itself. */
const mark = 4;
const kindNames: readonly (WordKind | undefined)[] = [undefined, "word", "run", "symbol"];

const unitClasses = [
  [/\p{M}+/gu, mark],
  [/[\p{L}\p{N}]+/gu, word],
  // Signs that stand in prose and code for nothing but themselves; ^ and ` and the replacement character only separate.
  [/[\p{S}--[`^\uFFFD]]+/gv, symbol],
  [
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/gu,
    run,
  ],
] as const;

/** Of each UTF-16 unit, because a table costs a nanosecond where a regular expression costs a hundred. */
const classes = classifyUnits();

/**
 * Past U+FFFF, which a table of units cannot tell apart, nearly everything that people write is emoji, and the rest rare Chinese
 * characters: each is a symbol by itself. Later lines overrule earlier ones.
 */
function classifyUnits(): Uint8Array {
  const table = new Uint8Array(0x10000);
  const everyUnit = String.fromCharCode(...Array.from({ length: 0xd800 }, (_, unit) => unit));
  const rest = String.fromCharCode(...Array.from({ length: 0x2000 }, (_, unit) => unit + 0xe000));
  for (const [pattern, kind] of unitClasses) {
    for (const match of everyUnit.matchAll(pattern)) table.fill(kind, match.index, match.index + match[0].length);
    for (const match of rest.matchAll(pattern)) {
      table.fill(kind, 0xe000 + match.index, 0xe000 + match.index + match[0].length);
    }
  }
  table.fill(symbol, 0xd800, 0xdc00);
  return table;
}
