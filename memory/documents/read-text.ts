import { DocumentError, maxDocumentBytes, maxDocumentChars } from "./block.ts";
import type { Block } from "./block.ts";
import { unwrapped } from "./unwrap.ts";

/** Bytes as UTF-8 text (UTF-16 with a byte order mark is read too). Throws for what is no text, whatever it is called. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes.length > maxDocumentBytes) throw tooLarge(`${bytes.length} bytes`, `${maxDocumentBytes} bytes`);
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
  } catch (error) {
    throw new DocumentError("unreadable", "The document is not text in UTF-8. Send a PDF as application/pdf.", {
      cause: error,
    });
  }
}

/** Paragraphs of plain text, or headings and paragraphs of Markdown. Throws for empty, huge and binary text. */
export function readText(text: string, format: "text" | "markdown"): readonly Block[] {
  if (text.length > maxDocumentChars) throw tooLarge(`${text.length} characters`, `${maxDocumentChars} characters`);
  if (isBinary(text)) throw new DocumentError("unreadable", "The document is binary data, not text.");
  const lines = text.replaceAll(/\r\n?|[\u2028\u2029]/gu, "\n").split("\n");
  const blocks = format === "markdown" ? readMarkdown(lines) : readParagraphs(lines);
  if (!blocks.some((block) => hasWords.test(block.text))) {
    throw new DocumentError("empty", "The document holds no text.");
  }
  return blocks;
}

const hasWords = /[\p{L}\p{N}]/u;
/** A text may hold a stray control character; a file of another kind is full of them. */
const binaryShare = 0.01;
const binarySample = 65_536;

function tooLarge(is: string, most: string): DocumentError {
  return new DocumentError("too_large", `The document has ${is}; at most ${most} are taken. Send it in parts.`);
}

function encodingOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return "utf-8";
}

function isBinary(text: string): boolean {
  const sample = text.slice(0, binarySample);
  let strange = 0;
  for (let index = 0; index < sample.length; index += 1) {
    const code = sample.charCodeAt(index);
    const isControl = code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0c && code !== 0x0d;
    if (isControl || code === 0xfffd) strange += 1;
  }
  return strange > 4 && strange > binaryShare * sample.length;
}

function readParagraphs(lines: readonly string[]): readonly Block[] {
  const blocks: Block[] = [];
  let open: string[] = [];
  for (const line of [...lines, ""]) {
    if (line.trim() !== "") {
      open.push(line.trimEnd());
      continue;
    }
    if (open.length > 0) blocks.push({ text: unwrapped(open) });
    open = [];
  }
  return blocks;
}

const maxHeadingChars = 300;
const atxHeading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/u;
const setextHeading = /^ {0,3}(=+|-{2,})\s*$/u;
const fence = /^ {0,3}(`{3,}|~{3,})/u;

/** CommonMark's headings and code fences; everything else is paragraphs, kept as written. */
function readMarkdown(lines: readonly string[]): readonly Block[] {
  const blocks: Block[] = [];
  let open: string[] = [];
  let openFence: string | undefined;
  const close = () => {
    const isCode = fence.test(open[0] ?? "");
    if (open.length > 0) blocks.push({ text: isCode ? open.join("\n") : unwrapped(open) });
    open = [];
  };
  for (const line of withoutFrontMatter(lines)) {
    const fenced = fence.exec(line)?.[1];
    if (openFence !== undefined) {
      open.push(line.trimEnd());
      if (fenced?.startsWith(openFence) === true) {
        openFence = undefined;
        close();
      }
      continue;
    }
    if (fenced !== undefined) {
      close();
      openFence = fenced;
      open.push(line.trimEnd());
      continue;
    }
    // A line longer than any heading is not even tried: these patterns may take the square of its length.
    const isShort = line.length <= maxHeadingChars;
    const heading = isShort ? atxHeading.exec(line) : null;
    const underline = isShort && (open[0]?.length ?? 0) <= maxHeadingChars ? setextHeading.exec(line)?.[1] : undefined;
    if (heading !== null) {
      close();
      if (heading[2] !== undefined && heading[2] !== "") {
        blocks.push({ text: plain(heading[2]), heading: heading[1]?.length ?? 1 });
      }
    } else if (underline !== undefined && open.length === 1) {
      blocks.push({ text: plain(open[0] ?? ""), heading: underline.startsWith("=") ? 1 : 2 });
      open = [];
    } else if (line.trim() === "") close();
    else open.push(line.trimEnd());
  }
  close();
  return blocks;
}

const maxFrontMatterLines = 200;

/** Settings of a site generator between two lines of dashes are no text of the document. */
function withoutFrontMatter(lines: readonly string[]): readonly string[] {
  if (lines[0]?.trim() !== "---") return lines;
  const end = lines.slice(1, maxFrontMatterLines).findIndex((line) => line.trim() === "---");
  return end === -1 ? lines : lines.slice(end + 2);
}

/** A heading without its emphasis and link addresses. */
function plain(text: string): string {
  return text
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/gu, "$1")
    .replaceAll(/(\*\*|__|[*_`])(?=\S)(.*?\S)\1/gu, "$2")
    .trim();
}
