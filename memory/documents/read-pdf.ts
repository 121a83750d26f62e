import { Worker } from "node:worker_threads";
import { DocumentError, maxDocumentBytes } from "./block.ts";
import type { Block } from "./block.ts";
import type { PdfAnswer } from "./pdf-worker.ts";

export type PdfReading = { readonly blocks: readonly Block[]; readonly pages: number; readonly title?: string };

export type ReadPdf = (bytes: Uint8Array) => Promise<PdfReading>;

export type PdfLimits = {
  readonly timeoutMs: number;
  /** Of the reading thread, heap and buffers each. */
  readonly maxBytes: number;
  /** Documents read at once, and those that wait beside them. */
  readonly atOnce: number;
  readonly waiting: number;
};

const defaultLimits: PdfLimits = { timeoutMs: 60_000, maxBytes: 512 * 1024 * 1024, atOnce: 1, waiting: 8 };
const watchEveryMs = 250;

/**
 * Reads PDFs, each in a thread of its own that is ended when it takes too long or too much memory: a PDF is a program
 * of a stranger's, and this process has requests to answer meanwhile. Throws `DocumentError`.
 */
export function createPdfReader(limits: Partial<PdfLimits> = {}): ReadPdf {
  const { timeoutMs, maxBytes, atOnce, waiting } = { ...defaultLimits, ...limits };
  const turns: (() => void)[] = [];
  let running = 0;
  return async (bytes) => {
    refuseOther(bytes);
    if (running >= atOnce) {
      if (turns.length >= waiting) {
        throw new DocumentError("busy", "Other PDFs are being read. Try again in a moment.");
      }
      await new Promise<void>((resolve) => {
        turns.push(resolve);
      });
    } else running += 1;
    try {
      return await readInThread(bytes, timeoutMs, maxBytes);
    } finally {
      const next = turns.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

const signature = "%PDF-";
/** Some programs write a few bytes before it. */
const signatureWithin = 1_024;

function refuseOther(bytes: Uint8Array): void {
  if (bytes.length > maxDocumentBytes) {
    const message = `The PDF has ${bytes.length} bytes; at most ${maxDocumentBytes} are taken. Send it in parts.`;
    throw new DocumentError("too_large", message);
  }
  if (bytes.length === 0) throw new DocumentError("empty", "The PDF is empty: it has no bytes.");
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, signatureWithin)).includes(signature)) {
    throw new DocumentError("unreadable", "This is not a PDF: it does not begin with %PDF-.");
  }
}

async function readInThread(bytes: Uint8Array, timeoutMs: number, maxBytes: number): Promise<PdfReading> {
  const copy = Uint8Array.from(bytes);
  const worker = new Worker(new URL("pdf-worker.ts", import.meta.url), {
    workerData: copy,
    transferList: [copy.buffer],
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(maxBytes / 1024 / 1024) },
    // What the library has to say about a font is nothing for our log.
    stdout: true,
    stderr: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<PdfAnswer>();
  const costly = (what: string) =>
    reject(new DocumentError("too_costly", `The PDF ${what} to be read. Send it in parts.`));
  worker.once("message", resolve);
  worker.once("error", (error: unknown) => {
    const outOfMemory = error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    if (outOfMemory) costly("takes too much memory");
    else reject(error);
  });
  worker.once("exit", () => reject(new DocumentError("unreadable", "The PDF is damaged and cannot be read.")));
  const timer = setTimeout(() => costly(`takes longer than ${timeoutMs} ms`), timeoutMs);
  // The heap's limit does not count buffers, and it is into buffers that a stream is unpacked.
  const watch = setInterval(() => void refuseHoarder(worker, maxBytes, costly), watchEveryMs);
  try {
    return checked(await promise);
  } finally {
    clearTimeout(timer);
    clearInterval(watch);
    await worker.terminate();
  }
}

async function refuseHoarder(worker: Worker, maxBytes: number, costly: (what: string) => void): Promise<void> {
  try {
    const { external_memory: external } = await worker.getHeapStatistics();
    if (external > maxBytes) costly("takes too much memory");
  } catch {
    // The thread has ended meanwhile, and with it what it held.
  }
}

function checked(answer: PdfAnswer): PdfReading {
  if ("failure" in answer) throw new DocumentError(answer.failure, answer.message);
  if (!answer.blocks.some(({ text }) => /[\p{L}\p{N}]/u.test(text))) {
    const message =
      "The PDF holds no text; pages that were scanned are pictures. Send it through text recognition first.";
    throw new DocumentError("empty", message);
  }
  return answer;
}
