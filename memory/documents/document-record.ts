import type { Memory, Scope } from "../memory.ts";
import type { DocumentFormat } from "./block.ts";

/** A document as its owner sees it. Times are ISO 8601. */
export type DocumentRecord = {
  readonly id: string;
  readonly title: string;
  /** Its address, when it was given one. */
  readonly source?: string;
  readonly format: DocumentFormat;
  readonly characters: number;
  readonly passages: number;
  readonly pages?: number;
  readonly addedAt: string;
  readonly updatedAt: string;
  readonly expiresAt?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** False when adding it was interrupted: send it again, or delete it. */
  readonly complete: boolean;
};

/** One text of a document: its passages' ids follow from it. */
export type DocumentVersion = { readonly hash: string; readonly passages: number };

/** What the document's own record keeps beside what every memory has. */
export type DocumentHead = {
  readonly record: Omit<DocumentRecord, "id" | "complete">;
  readonly version: DocumentVersion;
  readonly complete: boolean;
  /** Earlier texts whose passages may still be there. */
  readonly stale: readonly DocumentVersion[];
};

/** The record of a document is kept among the memories, archived: nothing recalls it, and every store can keep it. */
export function toHeadMemory(scope: Scope, id: string, head: DocumentHead): Memory {
  const { record } = head;
  return {
    id,
    scope,
    kind: "document",
    text: record.title,
    status: "archived",
    confidence: 1,
    provenance: { origin: "document", source: record.source ?? record.title, document: { id, passage: 0 } },
    recordedAt: record.addedAt,
    confirmations: 0,
    version: 1,
    metadata: toHeadMetadata(head),
  };
}

export function toHeadMetadata(head: DocumentHead): Readonly<Record<string, unknown>> {
  return { document: head };
}

export function isDocumentHead(memory: Memory): boolean {
  return memory.provenance.document?.passage === 0;
}

/** `undefined` for a memory that is no document's record. */
export function headOf(memory: Memory | undefined): DocumentHead | undefined {
  if (memory === undefined || !isDocumentHead(memory)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only toHeadMetadata writes a record's metadata
  return memory.metadata?.["document"] as DocumentHead | undefined;
}

export function toRecord(id: string, { record, complete }: DocumentHead): DocumentRecord {
  return { id, ...record, complete };
}
