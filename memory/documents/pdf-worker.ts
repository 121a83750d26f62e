import { fileURLToPath } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { getDocument, PasswordException } from "pdfjs-dist/legacy/build/pdf.mjs";
import type { PDFPageProxy } from "pdfjs-dist/legacy/build/pdf.mjs";
import { maxDocumentChars, maxDocumentPages } from "./block.ts";
import type { Block, DocumentFailure } from "./block.ts";
import { toBlocks } from "./pdf-lines.ts";
import type { PdfText } from "./pdf-lines.ts";

/** What the thread that reads a PDF answers. */
export type PdfAnswer =
  | { readonly blocks: readonly Block[]; readonly pages: number; readonly title?: string }
  | { readonly failure: DocumentFailure; readonly message: string };

/** Beside the library, inside its package: the character maps of Chinese, Japanese and Korean fonts. */
const cMapUrl = fileURLToPath(new URL("../../cmaps/", import.meta.resolve("pdfjs-dist/legacy/build/pdf.mjs")));

const bytes: unknown = workerData;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
if (bytes instanceof Uint8Array) parentPort?.postMessage(await answer(bytes));

async function answer(data: Uint8Array): Promise<PdfAnswer> {
  try {
    return await read(data);
  } catch (error) {
    if (error instanceof PasswordException) {
      return {
        failure: "encrypted",
        message: "The PDF is protected by a password. Save it without one and send it again.",
      };
    }
    const reason = error instanceof Error ? error.message.slice(0, 120) : "unknown";
    return { failure: "unreadable", message: `The PDF is damaged and cannot be read (${reason}).` };
  }
}

async function read(data: Uint8Array): Promise<PdfAnswer> {
  // Nothing is drawn, fetched or run: no fonts of the system, no network, no scripts of the document.
  const document = await getDocument({ data, cMapUrl, useSystemFonts: false, verbosity: 0, enableXfa: false }).promise;
  const pages = document.numPages;
  if (pages > maxDocumentPages) {
    const message = `The PDF has ${pages} pages; at most ${maxDocumentPages} are taken. Send it in parts.`;
    return { failure: "too_large", message };
  }
  const texts: (readonly PdfText[])[] = [];
  let chars = 0;
  for (let number = 1; number <= pages; number += 1) {
    const page = await document.getPage(number);
    const items = await textOf(page);
    page.cleanup();
    chars += items.reduce((sum, { text }) => sum + text.length, 0);
    if (chars > maxDocumentChars) {
      const message = `The PDF holds more than ${maxDocumentChars} characters. Send it in parts.`;
      return { failure: "too_large", message };
    }
    texts.push(items);
  }
  const title = await titleOf(document);
  return { blocks: toBlocks(texts), pages, ...(title === undefined ? {} : { title }) };
}

async function textOf(page: PDFPageProxy): Promise<readonly PdfText[]> {
  const { items } = await page.getTextContent();
  return items.flatMap((item) => {
    if (!("str" in item)) return [];
    const y: unknown = item.transform[5];
    return [{ text: item.str, endsLine: item.hasEOL, height: item.height, y: typeof y === "number" ? y : 0 }];
  });
}

async function titleOf(document: { getMetadata(): Promise<{ info: object }> }): Promise<string | undefined> {
  const { info } = await document.getMetadata();
  const title: unknown = "Title" in info ? info.Title : undefined;
  return typeof title === "string" && title.trim() !== "" ? title.trim() : undefined;
}
