import type { AudioPart, FilePart, ImagePart, MediaSource, UserPart } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { requirePublicUrl } from "../public-url.ts";
import type { ChatHost } from "./host.ts";

export type PartContext = {
  readonly host: ChatHost;
  /** Whether the client's cache markers mean something to this model. */
  readonly marked: boolean;
  readonly warn: (warning: string) => void;
  readonly path: string;
};

type ContentPart = Exclude<UserPart, { type: "tool-result" }>;

/** One content part as Chat Completions has it; absent when it is left out with a warning. Throws `unsupported`. */
export function toChatPart(part: ContentPart, context: PartContext): JsonObject | undefined {
  switch (part.type) {
    case "text":
      return part.text === "" ? undefined : { type: "text", text: part.text, ...cacheMark(part, context) };
    case "image":
      return { type: "image_url", image_url: imageUrl(part, context), ...cacheMark(part, context) };
    case "file":
      return filePart(part, context);
    case "audio":
      return audioPart(part, context);
    case "vendor":
      context.warn(`${context.path}: a ${part.state.protocol} block is left out`);
      return undefined;
  }
}

export function toDataUrl(source: Extract<MediaSource, { kind: "base64" }>): string {
  return `data:${source.mediaType};base64,${source.data}`;
}

/** OpenAI's two protocols share one store of uploaded files. */
export function openAiFileId(source: MediaSource): string | undefined {
  return source.kind === "file-id" && source.protocol.startsWith("openai-") ? source.id : undefined;
}

/** A text document has no file type of its own: its words are sent as words. Absent for any other document. */
export function documentText(part: FilePart): string | undefined {
  const { source } = part;
  if (source.kind !== "base64" || !/^(text\/|application\/(json|xml)\b)/.test(source.mediaType)) return undefined;
  const words = Buffer.from(source.data, "base64").toString("utf8");
  return part.name === undefined ? words : `${part.name}:\n\n${words}`;
}

function imageUrl(part: ImagePart, context: PartContext): JsonObject {
  const { source } = part;
  const detail = part.detail === undefined ? undefined : { detail: part.detail };
  if (source.kind === "base64") return { url: toDataUrl(source), ...detail };
  if (source.kind === "url") return { url: requirePublicUrl(source.url, context.path), ...detail };
  throw unsupported(context, "an uploaded image cannot be named by its id here");
}

function filePart(part: FilePart, context: PartContext): JsonObject {
  const { source } = part;
  const mark = cacheMark(part, context);
  const words = documentText(part);
  if (words !== undefined) return { type: "text", text: words, ...mark };
  const fileId = openAiFileId(source);
  if (fileId !== undefined) return { type: "file", file: { file_id: fileId }, ...mark };
  if (source.kind === "base64") {
    const filename = part.name ?? (source.mediaType === "application/pdf" ? "document.pdf" : "document");
    return { type: "file", file: { filename, file_data: toDataUrl(source) }, ...mark };
  }
  throw unsupported(
    context,
    source.kind === "url" ? "a document cannot be given by its URL" : "the file was uploaded elsewhere",
  );
}

function audioPart(part: AudioPart, context: PartContext): JsonObject {
  if (part.source.kind !== "base64") throw unsupported(context, "audio must be sent as base64");
  const subtype = part.source.mediaType.split("/")[1]?.split(";")[0] ?? "wav";
  const format = part.format ?? (subtype === "mpeg" ? "mp3" : subtype.replace(/^x-/, ""));
  return { type: "input_audio", input_audio: { data: part.source.data, format } };
}

function cacheMark(part: Pick<ImagePart, "cache">, context: PartContext): JsonObject | undefined {
  if (!context.marked || part.cache === undefined) return undefined;
  switch (context.host.cacheMarks) {
    case "prompt_cache_breakpoint":
      // The request's own lifetime is inherited: the two vendors sell different ones.
      return { prompt_cache_breakpoint: { mode: "explicit" } };
    case "cache_control":
      return {
        cache_control: { type: "ephemeral", ...(part.cache.ttl === undefined ? undefined : { ttl: part.cache.ttl }) },
      };
    case "none":
      return undefined;
  }
}

function unsupported(context: PartContext, why: string): GatewayError {
  return new GatewayError("unsupported", `${context.path}: ${why}.`, { param: context.path });
}
