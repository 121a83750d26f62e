import type {
  AssistantPart,
  ChatMessage,
  MediaSource,
  TextPart,
  ToolCallPart,
  ToolResultPart,
  UserPart,
  VendorState,
} from "../../../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { parseMedia } from "../media.ts";
import { invalid, nameOf, optionalString, readArray, readObject, readString } from "../read.ts";

/** A client may resend this many messages; more is a runaway loop. */
const maxMessages = 20_000;

/** OpenAI's `messages` in our words, one for one. Throws `invalid_request` naming the field. */
export function parseMessages(value: JsonValue | undefined): readonly ChatMessage[] {
  if (value === undefined) throw invalid("messages", "is missing: send at least one message.");
  const list = readArray(value, "messages");
  if (list.length === 0) throw invalid("messages", "is empty: send at least one message.");
  if (list.length > maxMessages)
    throw invalid("messages", `has ${list.length} entries; at most ${maxMessages} are taken.`);
  return list.map((entry, source) =>
    parseMessage(readObject(entry, `messages[${source}]`), `messages[${source}]`, source),
  );
}

function parseMessage(message: JsonObject, path: string, source: number): ChatMessage {
  const role = readString(message["role"], `${path}.role`);
  const name = optionalString(message["name"], `${path}.name`);
  const named = name === undefined ? { source } : { name, source };
  switch (role) {
    case "system":
    case "developer":
      return { role, content: textParts(message["content"], `${path}.content`), ...named };
    case "user":
      return { role, content: userParts(message["content"], `${path}.content`), ...named };
    case "assistant":
      return { role, content: assistantParts(message, path), ...named };
    case "tool":
      return { role, content: [toolResult(message, path, "tool_call_id")], source };
    case "function":
      return { role: "tool", content: [toolResult(message, path, "name")], source };
    default:
      throw invalid(`${path}.role`, `must be system, developer, user, assistant or tool, not '${role.slice(0, 40)}'.`);
  }
}

function textParts(value: JsonValue | undefined, path: string): readonly TextPart[] {
  if (typeof value === "string") return value === "" ? [] : [{ type: "text", text: value }];
  if (value === null || value === undefined)
    throw invalid(path, `must be a string or an array of text parts, not ${nameOf(value)}.`);
  return readArray(value, path).map((entry, index) =>
    textPart(readObject(entry, `${path}[${index}]`), `${path}[${index}]`),
  );
}

function textPart(part: JsonObject, path: string): TextPart {
  const type = readString(part["type"], `${path}.type`);
  if (type !== "text") throw invalid(`${path}.type`, `must be 'text' here, not '${type.slice(0, 40)}'.`);
  return { type: "text", text: readString(part["text"], `${path}.text`), ...cacheMark(part) };
}

function userParts(value: JsonValue | undefined, path: string): readonly UserPart[] {
  if (typeof value === "string") return [{ type: "text", text: value }];
  return readArray(value, path).map((entry, index) =>
    userPart(readObject(entry, `${path}[${index}]`), `${path}[${index}]`),
  );
}

function userPart(part: JsonObject, path: string): UserPart {
  const type = readString(part["type"], `${path}.type`);
  switch (type) {
    case "text":
      return textPart(part, path);
    case "image_url":
      return imagePart(part, path);
    case "file":
      return filePart(readObject(part["file"], `${path}.file`), `${path}.file`, part);
    case "input_audio": {
      const audio = readObject(part["input_audio"], `${path}.input_audio`);
      const format = readString(audio["format"], `${path}.input_audio.format`);
      const data = readString(audio["data"], `${path}.input_audio.data`);
      return { type: "audio", format, source: { kind: "base64", mediaType: `audio/${format}`, data } };
    }
    default:
      throw invalid(`${path}.type`, `must be text, image_url, file or input_audio, not '${type.slice(0, 40)}'.`);
  }
}

function imagePart(part: JsonObject, path: string): UserPart {
  const image = part["image_url"];
  // Some clients send the bare URL where OpenAI wants an object; its meaning is plain.
  const url =
    typeof image === "string"
      ? image
      : readString(readObject(image, `${path}.image_url`)["url"], `${path}.image_url.url`);
  const detail = isJsonObject(image) ? optionalString(image["detail"], `${path}.image_url.detail`) : undefined;
  const source = parseMedia(url, `${path}.image_url.url`, "image/");
  return { type: "image", source, ...(detail === undefined ? {} : { detail }), ...cacheMark(part) };
}

function filePart(file: JsonObject, path: string, part: JsonObject): UserPart {
  const name = optionalString(file["filename"], `${path}.filename`);
  const named = { ...(name === undefined ? {} : { name }), ...cacheMark(part) };
  const id = optionalString(file["file_id"], `${path}.file_id`);
  if (id !== undefined) return { type: "file", source: { kind: "file-id", protocol: "openai-chat", id }, ...named };
  const data = readString(file["file_data"], `${path}.file_data`);
  const source: MediaSource = data.startsWith("data:")
    ? parseMedia(data, `${path}.file_data`, "")
    : { kind: "base64", mediaType: "application/pdf", data };
  return { type: "file", source, ...named };
}

function assistantParts(message: JsonObject, path: string): readonly AssistantPart[] {
  const parts: AssistantPart[] = [];
  const thinking = optionalString(message["reasoning_content"], `${path}.reasoning_content`);
  if (thinking !== undefined && thinking !== "") parts.push({ type: "thinking", text: thinking });
  parts.push(...assistantContent(message["content"], `${path}.content`));
  const refusal = optionalString(message["refusal"], `${path}.refusal`);
  if (refusal !== undefined) parts.push({ type: "refusal", text: refusal });
  const calls = message["tool_calls"];
  if (calls !== undefined && calls !== null) {
    readArray(calls, `${path}.tool_calls`).forEach((entry, index) => {
      parts.push(toolCall(readObject(entry, `${path}.tool_calls[${index}]`), `${path}.tool_calls[${index}]`));
    });
  }
  const legacy = message["function_call"];
  if (legacy !== undefined && legacy !== null)
    parts.push(functionCall(readObject(legacy, `${path}.function_call`), `${path}.function_call`));
  return parts;
}

function assistantContent(value: JsonValue | undefined, path: string): readonly AssistantPart[] {
  if (value === null || value === undefined || value === "") return [];
  if (typeof value === "string") return [{ type: "text", text: value }];
  return readArray(value, path).map((entry, index): AssistantPart => {
    const part = readObject(entry, `${path}[${index}]`);
    if (part["type"] === "refusal")
      return { type: "refusal", text: readString(part["refusal"], `${path}[${index}].refusal`) };
    return textPart(part, `${path}[${index}]`);
  });
}

function toolCall(call: JsonObject, path: string): AssistantPart {
  const type = optionalString(call["type"], `${path}.type`) ?? "function";
  const id = readString(call["id"], `${path}.id`);
  if (type === "custom") return { type: "vendor", state: { protocol: "openai-chat", value: call } };
  if (type !== "function") throw invalid(`${path}.type`, `must be 'function' or 'custom', not '${type.slice(0, 40)}'.`);
  const called = functionCall(readObject(call["function"], `${path}.function`), `${path}.function`);
  const state = thoughtSignature(call);
  return { ...called, id, ...(state === undefined ? {} : { state }) };
}

function functionCall(call: JsonObject, path: string): ToolCallPart {
  const name = readString(call["name"], `${path}.name`);
  return { type: "tool-call", id: name, name, arguments: optionalString(call["arguments"], `${path}.arguments`) ?? "" };
}

/** Google's own OpenAI-compatible endpoint hands signatures out this way, and its clients send them back. */
function thoughtSignature(call: JsonObject): VendorState | undefined {
  const extra = call["extra_content"];
  const google = isJsonObject(extra) ? extra["google"] : undefined;
  const signature = isJsonObject(google) ? google["thought_signature"] : undefined;
  return typeof signature === "string" ? { protocol: "gemini-generate", value: signature } : undefined;
}

function toolResult(message: JsonObject, path: string, idField: "tool_call_id" | "name"): ToolResultPart {
  const toolCallId = readString(message[idField], `${path}.${idField}`);
  const content = message["content"];
  if (content === null || content === undefined) return { type: "tool-result", toolCallId, content: [] };
  if (typeof content === "string")
    return { type: "tool-result", toolCallId, content: [{ type: "text", text: content }] };
  const parts = readArray(content, `${path}.content`).map((entry, index) =>
    resultPart(entry, `${path}.content[${index}]`),
  );
  return { type: "tool-result", toolCallId, content: parts };
}

/** OpenAI allows text alone here; clients that show a model pictures from tools send them all the same. */
function resultPart(value: JsonValue, path: string): ToolResultPart["content"][number] {
  const part = userPart(readObject(value, path), path);
  if (part.type === "text" || part.type === "image" || part.type === "file") return part;
  throw invalid(`${path}.type`, "must be text, image_url or file in a tool's result.");
}

/** Anthropic's marker on an OpenAI part: LiteLLM and OpenRouter clients send it, and it is worth money. */
function cacheMark(part: JsonObject): { cache?: { ttl?: "5m" | "1h" } } {
  const mark = part["cache_control"];
  if (!isJsonObject(mark)) return {};
  return { cache: mark["ttl"] === "1h" ? { ttl: "1h" } : mark["ttl"] === "5m" ? { ttl: "5m" } : {} };
}
