import type { Block } from "./block.ts";
import { unwrapped } from "./unwrap.ts";

/** A run of text as it stands on a page. `y` grows upwards. */
export type PdfText = {
  readonly text: string;
  readonly endsLine: boolean;
  readonly height: number;
  readonly y: number;
};

type Line = { readonly text: string; readonly height: number; readonly y: number; readonly page: number };

/** A heading is this much larger than what most of the document is set in. */
const headingScale = 1.15;
const maxHeadingChars = 150;
/** More space than this between two lines, in heights of a line, parts paragraphs. */
const paragraphGap = 1.75;
/** A line at the edge of this share of the pages is a running head or foot. */
const runningShare = 0.5;
const minPagesForRunning = 4;
/** A line with a number in it may be a chapter's: it returns on fewer pages. */
const minRepeats = 3;

/** Headings, by their size, and paragraphs, by the space between them. Page numbers and running heads are left out. */
export function toBlocks(pages: readonly (readonly PdfText[])[]): readonly Block[] {
  const lines = withoutRunningLines(pages.map((items, index) => toLines(items, index + 1)));
  const body = commonHeight(lines.flat());
  const sizes = headingSizes(lines.flat(), body);
  const blocks: Block[] = [];
  let open: Line[] = [];
  const close = () => {
    const [first] = open;
    if (first !== undefined) blocks.push({ text: unwrapped(open.map(({ text }) => text)), page: first.page });
    open = [];
  };
  for (const line of lines.flat()) {
    const before = open.at(-1);
    const level = sizes.indexOf(rounded(line.height)) + 1;
    if (level > 0 && isHeading(line, body)) {
      close();
      const last = blocks.at(-1);
      // A heading may be broken over two lines.
      if (last?.heading === level && last.page === line.page) {
        blocks[blocks.length - 1] = { ...last, text: `${last.text} ${line.text}` };
      } else blocks.push({ text: line.text, heading: level, page: line.page });
      continue;
    }
    if (before !== undefined && partsParagraphs(before, line)) close();
    open.push(line);
  }
  close();
  return blocks;
}

function toLines(items: readonly PdfText[], page: number): readonly Line[] {
  const lines: Line[] = [];
  let text = "";
  let height = 0;
  let y = 0;
  for (const item of items) {
    if (item.text.trim() !== "") {
      if (text.trim() === "") ({ y } = item);
      height = Math.max(height, item.height);
    }
    text += item.text;
    if (!item.endsLine) continue;
    if (text.trim() !== "") lines.push({ text: text.trim(), height, y, page });
    text = "";
    height = 0;
  }
  if (text.trim() !== "") lines.push({ text: text.trim(), height, y, page });
  return lines;
}

function isHeading(line: Line, body: number): boolean {
  return line.height >= headingScale * body && line.text.length <= maxHeadingChars && /\p{L}/u.test(line.text);
}

function partsParagraphs(before: Line, line: Line): boolean {
  // Columns and pages begin anew at the top: a sentence goes on there more often than not.
  if (line.page !== before.page || line.y > before.y) return /[.!?。！？:：]["'”’)]*$/u.test(before.text);
  return before.y - line.y > paragraphGap * Math.max(before.height, line.height, 1);
}

/** What most characters are set in. */
function commonHeight(lines: readonly Line[]): number {
  const weights = new Map<number, number>();
  for (const { height, text } of lines) {
    weights.set(rounded(height), (weights.get(rounded(height)) ?? 0) + text.length);
  }
  let common = 0;
  for (const [height, weight] of weights) if (weight > (weights.get(common) ?? 0)) common = height;
  return common;
}

const maxLevels = 4;

/** The sizes that headings are set in, largest first. */
function headingSizes(lines: readonly Line[], body: number): readonly number[] {
  const sizes = new Set(lines.filter((line) => isHeading(line, body)).map(({ height }) => rounded(height)));
  return [...sizes].toSorted((one, other) => other - one).slice(0, maxLevels);
}

function rounded(height: number): number {
  return Math.round(height * 2) / 2;
}

function withoutRunningLines(pages: readonly (readonly Line[])[]): readonly (readonly Line[])[] {
  const seen = new Map<string, number>();
  const edges = (lines: readonly Line[]) => new Set([lines[0], lines.at(-1)].flatMap((line) => line ?? []));
  for (const lines of pages) {
    for (const form of new Set([...edges(lines)].map(({ text }) => formOf(text)))) {
      seen.set(form, (seen.get(form) ?? 0) + 1);
    }
  }
  return pages.map((lines) => {
    const edge = edges(lines);
    return lines.filter((line) => {
      if (!edge.has(line)) return true;
      if (/^\W*(?:page|seite|página|p\.)?\s*\d{1,4}\W*$/iu.test(line.text) && lines.length > 1) return false;
      if (pages.length < minPagesForRunning) return true;
      const form = formOf(line.text);
      const enough = form.includes("#") ? minRepeats : Math.max(minRepeats, runningShare * pages.length);
      return (seen.get(form) ?? 0) < enough;
    });
  });
}

/** Numbers differ from page to page. */
function formOf(text: string): string {
  return text.replaceAll(/\d+/gu, "#").trim();
}
