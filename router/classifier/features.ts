/** What the classifier looks at. Training and serving call the same function, so that they cannot drift apart. */
export type FeatureInput = {
  readonly text: string;
  readonly hasSchema: boolean;
  readonly schemaIsEnum: boolean;
};

/** Hash slots and their values; only the first `count` entries are set. Reused between calls. */
export type Features = {
  readonly slots: Int32Array;
  readonly values: Float32Array;
  count: number;
};

export const slotCount = 1 << 17;

/** Beyond these only the head and the tail are read: people put the request first or last, and pasted text between. */
const headChars = 2000;
const tailChars = 600;
const instructionChars = 420;
const lastChars = 200;
const maxFeatures = 16_384;

export function createFeatures(): Features {
  return { slots: new Int32Array(maxFeatures), values: new Float32Array(maxFeatures), count: 0 };
}

/**
 * Fills `into`. Three zones have their own features: the instruction (first paragraph), the body (all after it)
 * and the last line. A pasted article's words thereby weigh differently from a request's. Each group of features is scaled to a fixed
 * length, so that a long prompt is not a louder one. Not reentrant.
 */
export function extractFeatures(input: FeatureInput, into: Features): void {
  into.count = 0;
  generation += 1;
  const whole = windowOf(input.text);
  const lower = whole.toLowerCase();
  const split = instructionEnd(lower);
  const last = lastStart(lower, split);
  addZone(lower, 0, split, zones.instruction, into);
  if (split < lower.length) addZone(lower, split, lower.length, zones.body, into);
  if (last < lower.length) addZone(lower, last, lower.length, zones.last, into);
  addShape(input, whole, split, into);
}

type Zone = {
  readonly salt: number;
  readonly wordWeight: number;
  readonly charWeight: number;
  readonly opening: boolean;
};

const zones = {
  instruction: { salt: 0x1000193, wordWeight: 1, charWeight: 0.8, opening: true },
  body: { salt: 0x51ed270b, wordWeight: 0.5, charWeight: 0, opening: false },
  last: { salt: 0x2c1b3c6d, wordWeight: 0.5, charWeight: 0, opening: true },
} as const satisfies Record<string, Zone>;

const pairSalt = 0x9e3779b1;
const tripleSalt = 0x85ebca6b;
const openingSalt = 0xc2b2ae35;
const charSalt = 0x27d4eb2f;
const shapeSalt = 0x165667b1;
const fnvOffset = 0x811c9dc5;
const fnvPrime = 0x01000193;
const openingWords = 4;
/** Pairs seldom recur: they may add to what the words say, not drown it. */
const pairShare = 0.5;
const longestCharGramWord = 24;

// A slot counts once per call. Stamping it with the call's number needs no clearing between calls.
const stamps = new Uint32Array(slotCount);
let generation = 0;

function windowOf(text: string): string {
  const trimmed = text.length > headChars + tailChars ? text : text.trim();
  if (trimmed.length <= headChars + tailChars) return trimmed;
  return `${trimmed.slice(0, headChars).trimStart()}\n${trimmed.slice(-tailChars).trimEnd()}`;
}

function instructionEnd(text: string): number {
  const firstBreak = text.indexOf("\n", Math.min(12, text.length));
  const end = firstBreak < 0 ? text.length : firstBreak;
  if (end <= instructionChars) return end;
  const space = text.lastIndexOf(" ", instructionChars);
  return space > instructionChars / 2 ? space : instructionChars;
}

function lastStart(text: string, split: number): number {
  const lineStart = text.lastIndexOf("\n") + 1;
  return Math.max(split, lineStart, text.length - lastChars);
}

function addZone(text: string, start: number, end: number, zone: Zone, into: Features): void {
  readWords(text, start, end);
  const firstWord = into.count;
  for (let at = 0; at < words.count; at += 1) add(into, (words.hashes[at] ?? 0) ^ zone.salt);
  scale(into, firstWord, zone.wordWeight);
  const firstPair = into.count;
  addPairs(zone, into);
  scale(into, firstPair, zone.wordWeight * pairShare);
  if (zone.charWeight === 0) return;
  const firstChars = into.count;
  for (let at = 0; at < words.count; at += 1) {
    if (words.kinds[at] === letterKind) addCharGrams(text, words.starts[at] ?? 0, words.ends[at] ?? 0, zone, into);
  }
  scale(into, firstChars, zone.charWeight);
}

const maxWords = headChars + tailChars + 1;

/** The words of the zone at hand, overwritten by the next. */
const words = {
  starts: new Int32Array(maxWords),
  ends: new Int32Array(maxWords),
  kinds: new Uint8Array(maxWords),
  hashes: new Int32Array(maxWords),
  count: 0,
};

/** Symbols count as words of one character, and so do characters of scripts that are written without spaces. */
function readWords(text: string, start: number, end: number): void {
  words.count = 0;
  let at = start;
  while (at < end && words.count < maxWords) {
    const kind = charKind(text.charCodeAt(at));
    if (kind === spaceKind) {
      at += 1;
      continue;
    }
    const stop = kind === letterKind || kind === digitKind ? runEnd(text, at, end, kind) : at + 1;
    words.starts[words.count] = at;
    words.ends[words.count] = stop;
    words.kinds[words.count] = kind;
    // Numbers are alike when they have as many digits.
    words.hashes[words.count] = kind === digitKind ? fnvOffset ^ Math.min(stop - at, 5) : hashOf(text, at, stop);
    words.count += 1;
    at = stop;
  }
}

/** Neighbouring words, triples where a word is one character, and what stands at the zone's beginning. */
function addPairs(zone: Zone, into: Features): void {
  let previous = 0;
  let beforePrevious = 0;
  for (let at = 0; at < words.count; at += 1) {
    const word = words.hashes[at] ?? 0;
    if (at > 0) add(into, mix(previous, word) ^ pairSalt ^ zone.salt);
    if (at > 1 && words.kinds[at] === wideKind)
      add(into, mix(mix(beforePrevious, previous), word) ^ tripleSalt ^ zone.salt);
    if (zone.opening && at < openingWords) add(into, mix(word, at) ^ openingSalt ^ zone.salt);
    beforePrevious = previous;
    previous = word;
  }
}

/** Pieces of 3 to 5 characters of a word, its edges marked: they carry inflected and unseen words. */
function addCharGrams(text: string, start: number, end: number, zone: Zone, into: Features): void {
  const stop = Math.min(end, start + longestCharGramWord);
  for (let from = start - 1; from < stop - 1; from += 1) {
    let hash = charSalt ^ zone.salt;
    for (let length = 0; length < 5 && from + length <= stop; length += 1) {
      const index = from + length;
      const code = index < start || index >= end ? 32 : text.charCodeAt(index);
      hash = Math.imul(hash ^ code, fnvPrime);
      if (length >= 2) add(into, hash);
    }
  }
}

const spaceKind = 0;
const letterKind = 1;
const digitKind = 2;
const symbolKind = 3;
const wideKind = 4;

function charKind(code: number): number {
  if (code < 128) return asciiKinds[code] ?? spaceKind;
  if (code === 0xa0 || code === 0x3000) return spaceKind;
  if ((code >= 0x3040 && code <= 0x30ff) || (code >= 0x3400 && code <= 0x9fff)) return wideKind;
  if (code < 0xc0 || (code >= 0x2000 && code <= 0x2bff) || (code >= 0x3001 && code <= 0x303f) || code >= 0xff00)
    return symbolKind;
  return letterKind;
}

const asciiKinds = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code <= 32 || code === 127) return spaceKind;
  if (code >= 48 && code <= 57) return digitKind;
  const letter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 39;
  return letter ? letterKind : symbolKind;
});

function runEnd(text: string, at: number, end: number, kind: number): number {
  let stop = at + 1;
  while (stop < end && charKind(text.charCodeAt(stop)) === kind) stop += 1;
  return stop;
}

function hashOf(text: string, start: number, end: number): number {
  let hash = fnvOffset;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), fnvPrime);
  return hash;
}

function mix(left: number, right: number): number {
  return Math.imul(Math.imul(left, 31) ^ right ^ (right >>> 13), fnvPrime);
}

function add(into: Features, hash: number): void {
  // FNV's low bits are weak for short input; this spreads them over the slots.
  const spread = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  const slot = (spread ^ (spread >>> 13)) & (slotCount - 1);
  if (stamps[slot] === generation || into.count >= maxFeatures) return;
  stamps[slot] = generation;
  into.slots[into.count] = slot;
  into.values[into.count] = 1;
  into.count += 1;
}

function scale(into: Features, first: number, weight: number): void {
  const count = into.count - first;
  if (count > 0) into.values.fill(weight / Math.sqrt(count), first, into.count);
}

const shapeWeight = 0.25;
const schemaWeight = 0.7;

/** Form rather than words: how long, how many lines, how much of it is code, digits or formulas, what stands at the end. */
function addShape(input: FeatureInput, text: string, split: number, into: Features): void {
  const first = into.count;
  const shape = (id: number, bucket: number): void => add(into, mix(id, bucket) ^ shapeSalt);
  const counts = countShapes(text);
  const length = Math.max(1, text.length);
  shape(1, Math.floor(Math.log2(input.text.length + 1)));
  shape(2, Math.min(6, Math.floor(Math.log2(counts.lines + 1))));
  shape(3, Math.min(8, Math.floor((40 * counts.codeSymbols) / length)));
  shape(4, Math.min(8, Math.floor((20 * counts.digits) / length)));
  shape(5, Math.min(3, counts.joined));
  shape(6, Math.min(3, counts.indented));
  shape(7, text.endsWith("?") || text.endsWith("？") || text.endsWith("؟") ? 1 : 0);
  shape(8, split === text.length ? 0 : 1 + Math.min(6, Math.floor(Math.log2(text.length - split))));
  shape(9, Math.min(3, counts.backslashes));
  shape(10, Math.min(3, counts.questions));
  if (text.includes("```")) shape(11, 1);
  into.values.fill(shapeWeight, first, into.count);
  const firstSchema = into.count;
  if (input.hasSchema) shape(12, 1);
  if (input.schemaIsEnum) shape(13, 1);
  into.values.fill(schemaWeight, firstSchema, into.count);
}

type ShapeCounts = {
  lines: number;
  codeSymbols: number;
  digits: number;
  joined: number;
  indented: number;
  backslashes: number;
  questions: number;
};

function countShapes(text: string): ShapeCounts {
  const counts: ShapeCounts = {
    lines: 1,
    codeSymbols: 0,
    digits: 0,
    joined: 0,
    indented: 0,
    backslashes: 0,
    questions: 0,
  };
  let before = 32;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 10) counts.lines += 1;
    else if (code === 63) counts.questions += 1;
    else if (code === 92) counts.backslashes += 1;
    else if (code >= 48 && code <= 57) counts.digits += 1;
    else if (isCodeSymbol(code)) counts.codeSymbols += 1;
    else if (code >= 65 && code <= 90 && before >= 97 && before <= 122) counts.joined += 1; // camelCase
    if (before === 10 && (code === 32 || code === 9)) counts.indented += 1;
    if (code >= 97 && code <= 122 && (before === 46 || before === 95)) counts.joined += 1; // dotted.name, snake_case
    before = code;
  }
  return counts;
}

/** One of < > { } ( ) [ ] = ; _ | & @ # */
function isCodeSymbol(code: number): boolean {
  return (
    code === 60 ||
    code === 62 ||
    code === 123 ||
    code === 125 ||
    code === 40 ||
    code === 41 ||
    code === 91 ||
    code === 93 ||
    code === 61 ||
    code === 59 ||
    code === 95 ||
    code === 124 ||
    code === 38 ||
    code === 64 ||
    code === 35
  );
}
