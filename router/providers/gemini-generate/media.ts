import type { Part } from "@google/genai";
import type { AudioPart, FilePart, ImagePart, MediaSource } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import { requirePublicUrl } from "../public-url.ts";

/** `param` is the client's path to the part, for errors. */
export function toMediaPart(part: ImagePart | FilePart | AudioPart, param: string): Part {
  const mediaType = mediaTypeOf(part);
  if (mediaType === "image/svg+xml") {
    throw new GatewayError("unsupported", `Gemini takes no images of type ${mediaType} (${param}).`, { param });
  }
  const { source } = part;
  switch (source.kind) {
    case "base64":
      return { inlineData: { mimeType: mediaType ?? "application/octet-stream", data: source.data } };
    case "url":
      return toFilePart(requirePublicUrl(source.url, param), mediaType);
    case "file-id":
      if (source.protocol === "gemini-generate") return toFilePart(source.id, mediaType);
      throw new GatewayError("invalid_request", `The file in ${param} was uploaded to another vendor.`, { param });
  }
}

function toFilePart(fileUri: string, mimeType: string | undefined): Part {
  return { fileData: { fileUri, ...(mimeType === undefined ? undefined : { mimeType }) } };
}

/** Never guessed from a file's name: a wrong type is worse than none. */
function mediaTypeOf(part: ImagePart | FilePart | AudioPart): string | undefined {
  const stated = statedType(part.source);
  if (stated !== undefined && stated !== "") return stated === "image/jpg" ? "image/jpeg" : stated;
  return part.type === "audio" && part.format !== undefined ? `audio/${part.format}` : undefined;
}

function statedType(source: MediaSource): string | undefined {
  if (source.kind === "file-id") return undefined;
  return source.mediaType?.split(";", 1)[0]?.trim().toLowerCase();
}
