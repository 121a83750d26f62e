import type { Block } from "./block.ts";

/** A stretch of a document that can be read alone. */
export type Passage = {
  /** Its headings, then its own words. */
  readonly text: string;
  /** Where it begins. */
  readonly page?: number;
};

/** Longer ones mean too many things for one vector; shorter ones too little. Wide characters count twice. */
const goalWidth = 400;
const maxWidth = 500;
/** What is left over at a section's end joins the passage before, up to this. */
const smallWidth = 80;
const maxHeadingChars = 120;
/** The nearest ones say what a passage is about; the document's title stands beside it anyway. */
const shownHeadings = 2;

/**
 * Passages of 300 to 500 characters that end where sentences end, each under the headings it stands below. A heading
 * begins a new passage. Nothing is left out and nothing is said twice, except that it stops soon after `most` passages:
 * whoever gets more than that has a document that is too long.
 */
export function splitDocument(blocks: readonly Block[], most = Number.POSITIVE_INFINITY): readonly Passage[] {
  const passages: Passage[] = [];
  for (const section of toSections(blocks, most)) {
    const headings = section.headings.slice(-shownHeadings).join(" › ");
    for (const { text, page } of packed(section.pieces)) {
      passages.push({
        text: headings === "" ? text : text === "" ? headings : `${headings}\n${text}`,
        ...(page === undefined ? {} : { page }),
      });
    }
  }
  return passages;
}

type Piece = { readonly text: string; readonly page: number | undefined };
type Section = { readonly headings: readonly string[]; readonly pieces: readonly Piece[] };

function toSections(blocks: readonly Block[], most: number): readonly Section[] {
  const sections: Section[] = [];
  let path: readonly { readonly level: number; readonly text: string }[] = [];
  let pieces: Piece[] = [];
  let page: number | undefined;
  const close = (isDeeper: boolean) => {
    const headings = path.map(({ text }) => text);
    // A heading above nothing but its subsections is said by them.
    if (pieces.length > 0) sections.push({ headings, pieces });
    else if (headings.length > 0 && !isDeeper) sections.push({ headings, pieces: [{ text: "", page }] });
    pieces = [];
  };
  for (const block of blocks) {
    if (sections.length > most) break;
    const level = block.heading;
    if (level === undefined) {
      for (const text of sentencesOf(block.text)) pieces.push({ text, page: block.page });
      continue;
    }
    const last = path.at(-1);
    close(last !== undefined && level > last.level);
    const text = oneLine(block.text).slice(0, maxHeadingChars);
    path = [...path.filter((above) => above.level < level), { level, text }];
    ({ page } = block);
  }
  close(false);
  return sections;
}

function packed(pieces: readonly Piece[]): readonly Piece[] {
  const passages: { text: string; page: number | undefined }[] = [];
  let text = "";
  let width = 0;
  let page: number | undefined;
  const close = () => {
    if (text.trim() !== "") passages.push({ text: text.trim(), page });
    text = "";
    width = 0;
  };
  for (const piece of pieces) {
    const more = widthOf(piece.text);
    if (text !== "" && (width >= goalWidth || width + more > maxWidth)) close();
    if (text === "") ({ page } = piece);
    text += piece.text;
    width += more;
  }
  const last = passages.at(-1);
  if (last !== undefined && text.trim() !== "" && width < smallWidth) last.text += `\n${text.trim()}`;
  else if (text.trim() !== "" || passages.length === 0) passages.push({ text: text.trim(), page });
  return passages;
}

const sentenceEnd = /[.!?…]+["'”’»)\]]*(?=\s|$)\s*|[。！？；][”’」』）]*\s*|\n+(?=\s*(?:[-*+•]|\d+[.)])\s)|\n{2,}/gu;
/** "Dr." and "e.g." end no sentence, and neither does an initial. */
const abbreviation =
  /(?:^|[\s(])(?:\p{Lu}|[Dd]rs?|[Mm]rs?|[Mm]s|[Pp]rof|[Ss]t|[Nn]o|[Vv]s|[Ff]ig|[Ee]q|[Cc]f|[Aa]bs|[Nn]r|[Ss]r|[Ss]ra|e\.g|i\.e|z\.B|d\.h|u\.a|p\.ej|etc|ca|approx)\.\s*$/u;

/** A paragraph's sentences with the space behind them; the last ends with a newline. */
function sentencesOf(paragraph: string): readonly string[] {
  const text = `${paragraph.trim()}\n`;
  const sentences: string[] = [];
  let start = 0;
  for (const match of text.matchAll(sentenceEnd)) {
    const end = match.index + match[0].length;
    if (end < text.length && abbreviation.test(text.slice(Math.max(start, end - 16), end))) continue;
    const sentence = text.slice(start, end);
    for (const part of fitting(sentence)) sentences.push(part);
    start = end;
  }
  for (const part of start < text.length ? fitting(text.slice(start)) : []) sentences.push(part);
  return sentences;
}

/** A sentence that is longer than a passage, in parts that fit: cut at a comma or a space where there is one. */
function fitting(sentence: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  for (;;) {
    // Only as much of it is looked at as could fit: the whole may be a megabyte without a mark.
    const window = sentence.slice(start, start + maxWidth + 1);
    const room = charsWithin(window, maxWidth);
    if (room >= sentence.length - start) break;
    const fits = window.slice(0, room);
    const comma = Math.max(...cutMarks.map((mark) => fits.lastIndexOf(mark) + mark.length));
    const space = fits.lastIndexOf(" ") + 1;
    const cut = comma > room / 2 ? comma : space > room / 2 ? space : room;
    parts.push(fits.slice(0, cut));
    start += cut;
  }
  return start < sentence.length ? [...parts, sentence.slice(start)] : parts;
}

const cutMarks = ["; ", ", ", "，", "、", "；", "\n"];

/** Characters of Chinese, Japanese and Korean say about twice as much as a letter does. */
function widthOf(text: string): number {
  let width = text.length;
  for (let index = 0; index < text.length; index += 1) if (isWide(text.charCodeAt(index))) width += 1;
  return width;
}

/** How many UTF-16 units fit, without parting a pair. */
function charsWithin(text: string, width: number): number {
  let used = 0;
  let index = 0;
  for (; index < text.length; index += 1) {
    used += isWide(text.charCodeAt(index)) ? 2 : 1;
    if (used > width) break;
  }
  const splitsPair = (text.charCodeAt(index) & 0xfc00) === 0xdc00;
  return Math.max(1, splitsPair ? index - 1 : index);
}

function isWide(code: number): boolean {
  return code >= 0x2e80 && (code < 0xd800 || code >= 0xf900);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/gu, " ").trim();
}
