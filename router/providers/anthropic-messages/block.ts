import type { AudioPart, CacheMark, FilePart, ImagePart, MediaSource, TextPart } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import type { JsonValue } from "../../json.ts";
import { requirePublicUrl } from "../public-url.ts";

/** A content block on its way to Anthropic. Mutable until the request is built: marks may still be taken off it. */
export type Block = { [field: string]: JsonValue | undefined };

export type MediaContext = {
  /** The client's path to the part, for errors. */
  readonly param: string;
  readonly warn: (warning: string) => void;
};

/**
 * `undefined` for text without a visible character, which Anthropic refuses. Half a surrogate pair, as slicing leaves
 * it, is refused too.
 */
export function toTextBlock(part: TextPart): Block | undefined {
  if (part.text.trim() === "") return undefined;
  return { type: "text", text: part.text.toWellFormed(), ...cacheControl(part.cache) };
}

export function toMediaBlock(part: ImagePart | FilePart | AudioPart, context: MediaContext): Block {
  switch (part.type) {
    case "image":
      if (part.detail !== undefined && part.detail !== "auto") {
        context.warn(`image detail "${part.detail}": Anthropic chooses the resolution itself`);
      }
      return { type: "image", source: toImageSource(part.source, context), ...cacheControl(part.cache) };
    case "file":
      return {
        type: "document",
        source: toDocumentSource(part.source, context),
        ...(part.name === undefined ? undefined : { title: part.name.toWellFormed() }),
        ...cacheControl(part.cache),
      };
    case "audio":
      throw unsupported("audio", context);
  }
}

export function cacheControl(mark: CacheMark | undefined): Block | undefined {
  if (mark === undefined) return undefined;
  return { cache_control: { type: "ephemeral", ...(mark.ttl === undefined ? undefined : { ttl: mark.ttl }) } };
}

const imageTypes = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);

function toImageSource(source: MediaSource, context: MediaContext): Block {
  if (source.kind !== "base64") return toRemoteSource(source, context);
  const mediaType = bareType(source.mediaType) === "image/jpg" ? "image/jpeg" : bareType(source.mediaType);
  if (!imageTypes.has(mediaType)) throw unsupported(`images of type ${mediaType}`, context);
  return { type: "base64", media_type: mediaType, data: source.data };
}

function toDocumentSource(source: MediaSource, context: MediaContext): Block {
  if (source.kind === "base64") {
    const mediaType = bareType(source.mediaType);
    if (mediaType === "application/pdf") return { type: "base64", media_type: mediaType, data: source.data };
    if (mediaType === "text/plain") {
      return { type: "text", media_type: mediaType, data: Buffer.from(source.data, "base64").toString("utf8") };
    }
    throw unsupported(`files of type ${mediaType}`, context);
  }
  if (source.kind === "url" && source.mediaType !== undefined && bareType(source.mediaType) !== "application/pdf") {
    throw unsupported(`files of type ${source.mediaType} by URL`, context);
  }
  return toRemoteSource(source, context);
}

function toRemoteSource(source: Exclude<MediaSource, { kind: "base64" }>, context: MediaContext): Block {
  if (source.kind === "url") return { type: "url", url: requirePublicUrl(source.url, context.param) };
  if (source.protocol === "anthropic-messages") return { type: "file", file_id: source.id };
  throw new GatewayError("invalid_request", `The file in ${context.param} was uploaded to another vendor.`, {
    param: context.param,
  });
}

function bareType(mediaType: string): string {
  return (mediaType.split(";", 1)[0] ?? "").trim().toLowerCase();
}

function unsupported(what: string, context: MediaContext): GatewayError {
  return new GatewayError("unsupported", `Anthropic takes no ${what} (${context.param}).`, { param: context.param });
}
