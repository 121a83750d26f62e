import { DocumentError, type DocumentFormat } from "../../memory/documents/block.ts";
import type { DocumentRecord } from "../../memory/documents/document-record.ts";
import type { Documents, NewDocument } from "../../memory/documents/documents.ts";
import type { Memory } from "../../memory/memory.ts";
import { GatewayError } from "../../router/errors.ts";
import type { JsonObject } from "../../router/json.ts";
import type { Route } from "../create-app.ts";
import { invalid, optionalInteger, optionalObject, optionalString, readObject } from "../dialects/read.ts";
import type { GatewayRequest, Handler } from "../handler.ts";
import { optionalTime, toJson } from "./memory-body.ts";
import { checkMetadata, idOf, numberOf, scopeOf, textOf } from "./memory-request.ts";
import { refuseCursor } from "./memory-page.ts";

/** What a document's media type or file name says about its format. */
const formatsByType: Readonly<Record<string, DocumentFormat>> = {
  "application/pdf": "pdf",
  "text/plain": "text",
  "text/markdown": "markdown",
  "text/x-markdown": "markdown",
};
const formatsByEnding: Readonly<Record<string, DocumentFormat>> = {
  pdf: "pdf",
  txt: "text",
  text: "text",
  md: "markdown",
  markdown: "markdown",
};

const maxNameChars = 2_000;
const maxPassagesShown = 500;

/** `/v1/documents`: add, list, read and forget documents that recall may cite. One user's own, always. */
export function createDocumentRoutes(documents: Documents | undefined): readonly Route[] {
  const routes = [
    { method: "get", path: "/v1/documents", create: listDocuments, rawTypes: [] },
    { method: "post", path: "/v1/documents", create: addDocument, rawTypes: Object.keys(formatsByType) },
    { method: "get", path: "/v1/documents/:id", create: getDocument, rawTypes: [] },
    { method: "delete", path: "/v1/documents/:id", create: forgetDocument, rawTypes: [] },
  ] as const;
  return routes.map(({ method, path, create, rawTypes }) => ({
    method,
    path,
    rawTypes,
    handle: documents === undefined ? switchedOff : create(documents),
  }));
}

function switchedOff(): never {
  throw new GatewayError("not_found", "Memory is switched off in this gateway (memory.enabled).");
}

function addDocument(documents: Documents): Handler {
  return async (request, response) => {
    const raw = request.body instanceof Uint8Array ? request.body : undefined;
    const body = raw === undefined ? readObject(request.body ?? {}, "body") : undefined;
    const scope = scopeOf(request, response, body);
    const document = body === undefined ? parseRaw(request, raw ?? new Uint8Array()) : parseJson(body);
    try {
      const added = await documents.add(scope, document);
      response.status(added.outcome === "added" ? 201 : 200);
      response.json({ ...toDocumentBody(added.document), outcome: added.outcome });
    } catch (error) {
      throw error instanceof DocumentError ? toFailure(error, raw === undefined ? fieldOf(body ?? {}) : "body") : error;
    }
  };
}

function listDocuments(documents: Documents): Handler {
  return async (request, response) => {
    const limit = optionalInteger(numberOf(request.query["limit"]), "limit", 1, 100) ?? 20;
    const cursor = textOf(request.query["after"]);
    const page = await documents
      .list(scopeOf(request, response), { limit, ...(cursor === undefined ? {} : { cursor }) })
      .catch(refuseCursor(cursor));
    response.json({
      object: "list",
      data: page.documents.map(toDocumentBody),
      has_more: page.next !== undefined,
      next: page.next ?? null,
    });
  };
}

function getDocument(documents: Documents): Handler {
  return async (request, response) => {
    const scope = scopeOf(request, response);
    const first = optionalInteger(numberOf(request.query["first"]), "first", 1, 1_000_000) ?? 1;
    const limit = optionalInteger(numberOf(request.query["limit"]), "limit", 1, maxPassagesShown) ?? 100;
    const document = await documents.get(scope, idOf(request));
    if (document === undefined) throw notFound(request);
    const passages = await documents.passages(scope, document.id, first, limit);
    response.json({ ...toDocumentBody(document), data: passages.map(toPassageBody) });
  };
}

function forgetDocument(documents: Documents): Handler {
  return async (request, response) => {
    if (!(await documents.forget(scopeOf(request, response), idOf(request)))) throw notFound(request);
    response.json({ id: idOf(request), object: "document.deleted", deleted: true });
  };
}

/** A file as the request's whole body; everything about it stands in the query. */
function parseRaw(request: GatewayRequest, content: Uint8Array): NewDocument {
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const format = formatsByType[type];
  if (format === undefined) throw invalid("content-type", `must be one of ${Object.keys(formatsByType).join(", ")}.`);
  const metadata = Object.fromEntries(
    Object.entries(request.query)
      .filter(([key, value]) => key.startsWith("metadata.") && typeof value === "string")
      .map(([key, value]) => [key.slice("metadata.".length), String(value)]),
  );
  return {
    format,
    content,
    ...parseAbout({
      title: textOf(request.query["title"]),
      source: textOf(request.query["source"]),
      filename: textOf(request.query["filename"]),
      expires_at: textOf(request.query["expires_at"]),
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    }),
  };
}

function parseJson(body: JsonObject): NewDocument {
  const given = (["text", "markdown", "file_data"] as const).filter((field) => (body[field] ?? null) !== null);
  const [field] = given;
  if (field === undefined || given.length > 1) {
    const what = field === undefined ? "is missing" : `stands beside ${given.slice(1).join(" and ")}`;
    throw invalid(field ?? "text", `${what}: send exactly one of text, markdown and file_data.`);
  }
  const about = parseAbout(body);
  const content = optionalString(body[field], field) ?? "";
  if (field !== "file_data") return { format: field, content, ...about };
  const { bytes, mediaType } = parseFileData(content);
  return { format: formatOf(body, mediaType), content: bytes, ...about };
}

type About = Omit<NewDocument, "format" | "content">;

function parseAbout(body: JsonObject): About {
  const title = bounded(optionalString(body["title"], "title"), "title");
  // A file that is sent again under its name is the same document.
  const filename = bounded(optionalString(body["filename"], "filename"), "filename");
  const source =
    bounded(optionalString(body["source"], "source"), "source") ?? (title === undefined ? filename : undefined);
  const metadata = checkMetadata(optionalObject(body["metadata"], "metadata"), "metadata");
  const expiresAt = optionalTime(body["expires_at"], "expires_at");
  return {
    ...(title === undefined ? {} : { title }),
    ...(source === undefined ? {} : { source }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function bounded(text: string | undefined, path: string): string | undefined {
  if (text !== undefined && text.length > maxNameChars) {
    throw invalid(path, `is ${text.length} characters long; at most ${maxNameChars} are taken.`);
  }
  return text === undefined || text.trim() === "" ? undefined : text.trim();
}

const dataUrl = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w-]+=[\w.-]+)*;base64,/u;
const base64 = /^[A-Za-z0-9+/_-]*={0,2}$/u;

/** Base64 as it is, or in a data URL as OpenAI's `file_data` has it. */
function parseFileData(text: string): { readonly bytes: Uint8Array; readonly mediaType: string | undefined } {
  const match = dataUrl.exec(text);
  const encoded = text.slice(match?.[0].length ?? 0).replaceAll(/\s+/gu, "");
  if (encoded === "") throw invalid("file_data", "is empty.");
  if (!base64.test(encoded)) throw invalid("file_data", "must be base64, or a data URL in base64.");
  return { bytes: Buffer.from(encoded, "base64"), mediaType: match?.[1]?.toLowerCase() };
}

function formatOf(body: JsonObject, mediaType: string | undefined): DocumentFormat {
  const type = optionalString(body["media_type"], "media_type")?.split(";")[0]?.trim().toLowerCase() ?? mediaType;
  const ending = /\.([a-z]+)$/iu.exec(optionalString(body["filename"], "filename") ?? "")?.[1]?.toLowerCase() ?? "";
  const format = type === undefined ? formatsByEnding[ending] : formatsByType[type];
  if (format === undefined) {
    throw invalid("media_type", `must be one of ${Object.keys(formatsByType).join(", ")}, or known from 'filename'.`);
  }
  return format;
}

function fieldOf(body: JsonObject): string {
  return ["markdown", "file_data"].find((field) => (body[field] ?? null) !== null) ?? "text";
}

function toFailure(error: DocumentError, param: string): GatewayError {
  if (error.code === "busy") return new GatewayError("overloaded", error.message, { cause: error });
  return new GatewayError("invalid_request", error.message, { param, cause: error });
}

function notFound(request: GatewayRequest): GatewayError {
  return new GatewayError("not_found", `No document '${idOf(request).slice(0, 60)}' of this user.`, { param: "id" });
}

function toDocumentBody(document: DocumentRecord): JsonObject {
  return {
    id: document.id,
    object: "document",
    title: document.title,
    source: document.source ?? null,
    format: document.format,
    characters: document.characters,
    passages: document.passages,
    pages: document.pages ?? null,
    status: document.complete ? "complete" : "incomplete",
    added_at: document.addedAt,
    updated_at: document.updatedAt,
    expires_at: document.expiresAt ?? null,
    metadata: toJson(document.metadata),
  };
}

function toPassageBody(memory: Memory): JsonObject {
  const place = memory.provenance.document;
  return {
    id: memory.id,
    object: "document.passage",
    passage: place?.passage ?? null,
    page: place?.page ?? null,
    text: memory.text,
    status: memory.status,
  };
}
