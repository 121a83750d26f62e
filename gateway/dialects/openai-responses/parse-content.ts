import type { AssistantPart, FilePart, ImagePart, MediaSource, TextPart, UserPart } from "../../../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { parseMedia } from "../media.ts";
import { invalid, nameOf, optionalString, readArray, readObject, readString } from "../read.ts";

/** The content of a user message. */
export function parseUserContent(value: JsonValue | undefined, path: string): readonly UserPart[] {
  if (typeof value === "string") return [{ type: "text", text: value }];
  return contentList(value, path).map(([part, at]) => userPart(part, at));
}

/** What a tool gave back: text, or a list that may hold pictures and files. */
export function parseOutput(value: JsonValue | undefined, path: string): readonly (TextPart | ImagePart | FilePart)[] {
  if (typeof value === "string") return [{ type: "text", text: value }];
  return contentList(value, path).map(([part, at]) => {
    const parsed = userPart(part, at);
    if (parsed.type === "text" || parsed.type === "image" || parsed.type === "file") return parsed;
    throw invalid(`${at}.type`, "must be input_text, input_image or input_file in a tool's output.");
  });
}

export function parseSystemContent(value: JsonValue | undefined, path: string): readonly TextPart[] {
  if (typeof value === "string") return value === "" ? [] : [{ type: "text", text: value }];
  return contentList(value, path).map(([part, at]) => {
    const parsed = userPart(part, at);
    if (parsed.type === "text") return parsed;
    throw invalid(`${at}.type`, "must be input_text in a system or developer message.");
  });
}

export function parseAssistantContent(value: JsonValue | undefined, path: string): readonly AssistantPart[] {
  if (typeof value === "string") return value === "" ? [] : [{ type: "text", text: value }];
  return contentList(value, path).map(([part, at]) => assistantPart(part, at));
}

function assistantPart(part: JsonObject, path: string): AssistantPart {
  const type = readString(part["type"], `${path}.type`);
  switch (type) {
    case "output_text":
    case "input_text":
    case "text":
      return { type: "text", text: readString(part["text"], `${path}.text`), ...cacheMark(part) };
    case "refusal":
      return { type: "refusal", text: readString(part["refusal"], `${path}.refusal`) };
    default:
      throw invalid(
        `${path}.type`,
        `must be output_text or refusal in an assistant message, not '${type.slice(0, 40)}'.`,
      );
  }
}

function contentList(value: JsonValue | undefined, path: string): readonly (readonly [JsonObject, string])[] {
  if (value === undefined || value === null)
    throw invalid(path, `must be a string or an array of content parts, not ${nameOf(value)}.`);
  return readArray(value, path).map((entry, index) => [readObject(entry, `${path}[${index}]`), `${path}[${index}]`]);
}

function userPart(part: JsonObject, path: string): UserPart {
  const type = readString(part["type"], `${path}.type`);
  switch (type) {
    case "input_text":
    // What an assistant said, quoted in the user's turn: clients that pass answers on send it as they got it.
    case "output_text":
    case "text":
      return { type: "text", text: readString(part["text"], `${path}.text`), ...cacheMark(part) };
    case "input_image":
      return imagePart(part, path);
    case "input_file":
      return filePart(part, path);
    case "input_audio": {
      const audio = readObject(part["input_audio"], `${path}.input_audio`);
      const format = readString(audio["format"], `${path}.input_audio.format`);
      const data = readString(audio["data"], `${path}.input_audio.data`);
      return { type: "audio", format, source: { kind: "base64", mediaType: `audio/${format}`, data } };
    }
    default:
      throw invalid(`${path}.type`, `must be input_text, input_image or input_file, not '${type.slice(0, 40)}'.`);
  }
}

function imagePart(part: JsonObject, path: string): ImagePart {
  const detail = optionalString(part["detail"], `${path}.detail`);
  const shown = { ...(detail === undefined ? {} : { detail }), ...cacheMark(part) };
  const fileId = optionalString(part["file_id"], `${path}.file_id`);
  if (fileId !== undefined) return { type: "image", source: uploaded(fileId), ...shown };
  const url = readString(part["image_url"], `${path}.image_url`);
  return { type: "image", source: parseMedia(url, `${path}.image_url`, "image/"), ...shown };
}

function filePart(part: JsonObject, path: string): FilePart {
  const name = optionalString(part["filename"], `${path}.filename`);
  const named = { ...(name === undefined ? {} : { name }), ...cacheMark(part) };
  const fileId = optionalString(part["file_id"], `${path}.file_id`);
  if (fileId !== undefined) return { type: "file", source: uploaded(fileId), ...named };
  const url = optionalString(part["file_url"], `${path}.file_url`);
  if (url !== undefined) return { type: "file", source: parseMedia(url, `${path}.file_url`, ""), ...named };
  const data = readString(part["file_data"], `${path}.file_data`);
  const source: MediaSource = data.startsWith("data:")
    ? parseMedia(data, `${path}.file_data`, "")
    : { kind: "base64", mediaType: "application/pdf", data };
  return { type: "file", source, ...named };
}

function uploaded(id: string): MediaSource {
  return { kind: "file-id", protocol: "openai-responses", id };
}

/** OpenAI's own mark, and Anthropic's on an OpenAI part, which clients of other gateways send. */
function cacheMark(part: JsonObject): { cache?: { ttl?: "5m" | "1h" } } {
  if (isJsonObject(part["prompt_cache_breakpoint"])) return { cache: {} };
  const mark = part["cache_control"];
  if (!isJsonObject(mark)) return {};
  return { cache: mark["ttl"] === "1h" ? { ttl: "1h" } : mark["ttl"] === "5m" ? { ttl: "5m" } : {} };
}
