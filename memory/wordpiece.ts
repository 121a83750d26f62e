/** How a word is written, which decides how an unknown one is hashed. */
export type WordKind = "word" | "run" | "symbol";

/**
 * Cuts text into the words an embedder sums. `word`: letters and digits of an alphabet. `run`: neighbouring characters of
 * a script that puts no spaces between words (Chinese, Japanese, Thai…). `symbol`: one emoji or sign. Punctuation only
 * separates. At most {@link maxWords} words of the first {@link maxCharacters} UTF-16 units are visited.
 */
export function scanWords(text: string, visit: (word: string, kind: WordKind) => void): void {
  const bounded = text.length > maxCharacters ? text.slice(0, maxCharacters) : text;
  if (isAscii(bounded)) scanAscii(bounded.toLowerCase(), visit);
  else scanUnicode(fold(bounded), visit);
}

/**
 * Splits one word into the longest pieces the vocabulary has, BERT's way: the first as it is, the others marked `##`.
 * `undefined` when some part of the word is in no piece, or the word is longer than {@link maxWordLength}.
 */
export function splitWord(word: string, vocabulary: ReadonlyMap<string, number>): readonly number[] | undefined {
  if (word.length > maxWordLength) return undefined;
  const pieces: number[] = [];
  let start = 0;
  while (start < word.length) {
    let end = word.length;
    let piece: number | undefined;
    for (; end > start; end -= 1) {
      const part = word.slice(start, end);
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
/** A longer word (base64, a hash, a URL part) is known by its whole self only. Also bounds the quadratic split. */
export const maxWordLength = 64;

/** Of each ASCII code: 0 separates, 1 belongs to a word, 2 is a symbol. */
const asciiClass = classifyAscii();

function classifyAscii(): Uint8Array {
  const classes = new Uint8Array(128);
  for (const character of "abcdefghijklmnopqrstuvwxyz0123456789") classes[character.charCodeAt(0)] = 1;
  for (const character of "$+<=>^|~") classes[character.charCodeAt(0)] = 2;
  return classes;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 127) return false;
  return true;
}

function scanAscii(text: string, visit: (word: string, kind: WordKind) => void): void {
  let left = maxWords;
  let start = -1;
  for (let index = 0; index <= text.length; index += 1) {
    const kind = index < text.length ? asciiClass[text.charCodeAt(index)] : 0;
    if (kind === 1) {
      if (start < 0) start = index;
      continue;
    }
    if (start >= 0) {
      visit(text.slice(start, index), "word");
      start = -1;
      left -= 1;
      if (left === 0) return;
    }
    if (kind === 2) {
      visit(text.charAt(index), "symbol");
      left -= 1;
      if (left === 0) return;
    }
  }
}

/**
 * Lower case, compatibility forms unified (full width, ligatures), accents of Latin, Greek and Cyrillic off. Marks of other scripts
 * stay: without them Hindi loses its vowels and Japanese its voicing. Lone surrogates become U+FFFD, which is no word.
 */
function fold(text: string): string {
  return text
    .toWellFormed()
    .toLowerCase()
    .normalize("NFKD")
    .replace(invisible, "")
    .replaceAll("ß", "ss")
    .normalize("NFC");
}

/** Combining accents, variation selectors, skin tones, and what prints nothing (zero-width, soft hyphen, controls of direction). */
const invisible = /[\u0300-\u036F\uFE00-\uFE0F]|[\u{1F3FB}-\u{1F3FF}]|\p{Cf}/gu;

const unspaced =
  "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const unicodeWord = new RegExp(
  `(?<run>(?:[${unspaced}]|(?<=[${unspaced}])[\\p{M}ー])+)|(?<word>(?:(?![${unspaced}])[\\p{L}\\p{M}\\p{N}])+)|(?<symbol>[\\p{S}--\\uFFFD])`,
  "gv",
);

function scanUnicode(text: string, visit: (word: string, kind: WordKind) => void): void {
  let left = maxWords;
  for (const match of text.matchAll(unicodeWord)) {
    visit(match[0], match[1] !== undefined ? "run" : match[2] !== undefined ? "word" : "symbol");
    left -= 1;
    if (left === 0) return;
  }
}
