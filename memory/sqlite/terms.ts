import { stem } from "./stem.ts";
import { stopWords } from "./stop-words.ts";

/**
 * Words for the text index. A term is kept as a 28-bit hash: the index holds no readable text, and a collision within
 * one owner (about one in 3,000 for a vocabulary of 80,000 words and one query word) is a weak false hit, no more.
 *
 * - Latin and most other scripts: case, width and Latin diacritics folded, English endings stemmed.
 * - Chinese, Japanese, Korean, Thai and other text without spaces: pairs of neighbouring characters, plus single Han
 *   characters, so that one-character words are found.
 * - Words of 9 letters and more also give their 5-letter pieces at half weight, so that a German compound is found by
 *   its parts and the other way round. Pieces match pieces of shorter query words, but are no part of a text's length.
 * - An emoji is a word.
 */
export type TermCounts = {
  /** Words, without pieces of words. */
  readonly length: number;
  /** Hash in the upper 28 bits, occurrences (at most 15) in the lower 4. */
  readonly packed: Uint32Array;
};

export type QueryTerm = { readonly hash: number; readonly weight: number };

export const COUNT_BITS = 4;
const MAX_COUNT = 15;
/** Beyond these, text is stored whole but found only by what comes before. */
const MAX_TEXT_CHARS = 65_536;
const MAX_TERMS = 8_192;
const MAX_QUERY_TERMS = 256;

const PIECE_CHARS = 5;
const LONG_WORD_CHARS = 9;
const PIECE_WEIGHT = 0.5;

/** Seeds keep the classes of terms apart: the piece "berlin" is not the word "berlin". */
const WORD = 0x811c9dc5;
const PIECE = 0x01000193;
const PAIR = 0x9e3779b9;

const tokens = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*|\p{Extended_Pictographic}|\p{Regional_Indicator}{2}/gu;
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]+/gu;
const han = /\p{Script=Han}/u;
const nonAscii = /[\u{80}-\u{10ffff}]/u;
const plainWord = /^[a-z]+$/u;

/** What a text is indexed under. */
export function countTerms(text: string): TermCounts {
  const counts = new Map<number, number>();
  let length = 0;
  const add = (hash: number) => {
    const count = counts.get(hash);
    if (count !== undefined || counts.size < MAX_TERMS) counts.set(hash, (count ?? 0) + 1);
  };
  for (const token of tokenize(text)) {
    length += 1;
    add(token.hash);
    if (token.word.length >= LONG_WORD_CHARS) for (const piece of pieces(token.word)) add(piece);
  }
  const packed = new Uint32Array(counts.size);
  let next = 0;
  for (const [hash, count] of counts) {
    packed[next] = ((hash << COUNT_BITS) | Math.min(count, MAX_COUNT)) >>> 0;
    next += 1;
  }
  return { length, packed };
}

/**
 * What a query looks for: distinct terms without function words, unless there are no others; of a long text the first and
 * the last, where people put their question.
 */
export function queryTerms(text: string): readonly QueryTerm[] {
  const all = tokenize(text);
  const telling = all.filter((token) => !stopWords.has(token.word));
  const terms = weigh(telling.length > 0 ? telling : all);
  if (terms.length <= MAX_QUERY_TERMS) return terms;
  return [...terms.slice(0, MAX_QUERY_TERMS / 2), ...terms.slice(-MAX_QUERY_TERMS / 2)];
}

function weigh(words: readonly Token[]): readonly QueryTerm[] {
  const weights = new Map<number, number>();
  for (const token of words) {
    weights.set(token.hash, 1);
    if (token.word.length < PIECE_CHARS) continue;
    const parts = pieces(token.word);
    for (const part of parts) if (!weights.has(part)) weights.set(part, PIECE_WEIGHT / parts.length);
  }
  return Array.from(weights, ([hash, weight]) => ({ hash, weight }));
}

/** `word` is what pieces are cut from; empty when the term has none. */
type Token = { readonly hash: number; readonly word: string };

function tokenize(text: string): readonly Token[] {
  const found: Token[] = [];
  const head = text.length > MAX_TEXT_CHARS ? text.slice(0, MAX_TEXT_CHARS) : text;
  for (const match of fold(head).matchAll(tokens)) {
    const token = match[0];
    if (nonAscii.test(token)) addForeign(found, token);
    else addWord(found, token);
  }
  return found;
}

/** NFKC makes full-width letters plain; only Latin accents are dropped, for the marks of other scripts are letters. */
function fold(text: string): string {
  if (!nonAscii.test(text)) return text.toLowerCase();
  const plain = text.normalize("NFKC").toLowerCase().replaceAll("ß", "ss").replaceAll("’", "'");
  return plain
    .normalize("NFD")
    .replaceAll(/[\u0300-\u036f]/gu, "")
    .normalize("NFC");
}

function addForeign(found: Token[], token: string): void {
  let rest = 0;
  for (const match of token.matchAll(unspaced)) {
    if (match.index > rest) addWord(found, token.slice(rest, match.index));
    addPairs(found, Array.from(match[0]));
    rest = match.index + match[0].length;
  }
  if (rest < token.length) addWord(found, token.slice(rest));
}

function addPairs(found: Token[], characters: readonly string[]): void {
  for (const [index, character] of characters.entries()) {
    if (characters.length === 1 || han.test(character)) found.push({ hash: hashOf(character, WORD), word: "" });
    const next = characters[index + 1];
    if (next !== undefined) found.push({ hash: hashOf(character + next, PAIR), word: "" });
  }
}

function addWord(found: Token[], word: string): void {
  found.push({ hash: hashOf(plainWord.test(word) ? stem(word) : word, WORD), word });
}

function pieces(word: string): readonly number[] {
  const hashes: number[] = [];
  for (let start = 0; start + PIECE_CHARS <= word.length; start++) {
    hashes.push(hashOf(word.slice(start, start + PIECE_CHARS), PIECE));
  }
  return hashes;
}

/** FNV-1a with a final mix, for its low bits alone spread badly. */
function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> COUNT_BITS;
}
