/** A piece of a document in the order of reading: a heading with its level, or a paragraph. */
export type Block = {
  readonly text: string;
  /** 1 for the highest. Absent: running text. */
  readonly heading?: number;
  /** Counted from 1. */
  readonly page?: number;
};

export const documentFormats = ["text", "markdown", "pdf"] as const;
export type DocumentFormat = (typeof documentFormats)[number];

/** Text of a document that is read whole; more is refused, never cut. */
export const maxDocumentChars = 2_000_000;
export const maxDocumentBytes = 24 * 1024 * 1024;
export const maxDocumentPages = 1_000;

/** Callers match `code`. The message says what is wrong with the document and what its owner can do. */
export class DocumentError extends Error {
  override readonly name = "DocumentError";
  readonly code: DocumentFailure;

  constructor(code: DocumentFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type DocumentFailure =
  /** No words in it. A scanned PDF has none. */
  | "empty"
  | "too_large"
  /** Not the format that it is said to be, or damaged. */
  | "unreadable"
  | "encrypted"
  /** It took longer or more memory than a document may. */
  | "too_costly"
  /** Other documents are being read. */
  | "busy";
