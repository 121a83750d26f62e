import type {
  AssistantPart,
  CacheMark,
  ChatMessage,
  MediaSource,
  TextPart,
  ToolResultPart,
  UserPart,
} from "../../../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { parseMedia } from "../media.ts";
import { invalid, nameOf, optionalBoolean, optionalString, readArray, readObject, readString } from "../read.ts";

const protocol = "anthropic-messages";

/** A client may resend this many messages; more is a runaway loop. */
const maxMessages = 100_000;

/** Anthropic's `messages` in our words, one for one. Throws `invalid_request` naming the field. */
export function parseMessages(value: JsonValue | undefined): readonly ChatMessage[] {
  if (value === undefined) throw invalid("messages", "is missing: send at least one message.");
  const list = readArray(value, "messages");
  if (list.length === 0) throw invalid("messages", "is empty: send at least one message.");
  if (list.length > maxMessages)
    throw invalid("messages", `has ${list.length} entries; at most ${maxMessages} are taken.`);
  return list.map((entry, source): ChatMessage => {
    const path = `messages[${source}]`;
    const message = readObject(entry, path);
    const role = readString(message["role"], `${path}.role`);
    const content = blocksOf(message["content"], `${path}.content`);
    switch (role) {
      case "user":
        return { role, content: content.map(([block, at]) => userPart(block, at)), source };
      case "assistant":
        return { role, content: content.map(([block, at]) => assistantPart(block, at)), source };
      case "system":
        return { role, content: content.map(([block, at]) => textPart(block, at)), source };
      default:
        throw invalid(`${path}.role`, `must be user, assistant or system, not '${role.slice(0, 40)}'.`);
    }
  });
}

/** `system`: a string or text blocks. It stands outside `messages`, so the messages made of it have no source. */
export function parseSystem(value: JsonValue | undefined): readonly ChatMessage[] {
  if (value === undefined || value === null || value === "") return [];
  const content = blocksOf(value, "system").map(([block, at]) => textPart(block, at));
  return content.length === 0 ? [] : [{ role: "system", content }];
}

type PlacedBlock = readonly [block: JsonObject, path: string];

function blocksOf(value: JsonValue | undefined, path: string): readonly PlacedBlock[] {
  if (typeof value === "string") return value === "" ? [] : [[{ type: "text", text: value }, path]];
  if (!Array.isArray(value)) throw invalid(path, `must be a string or an array of blocks, not ${nameOf(value)}.`);
  return value.map((entry: JsonValue, index) => [readObject(entry, `${path}[${index}]`), `${path}[${index}]`]);
}

function textPart(block: JsonObject, path: string): TextPart {
  const type = readString(block["type"], `${path}.type`);
  if (type !== "text") throw invalid(`${path}.type`, `must be 'text' here, not '${type.slice(0, 40)}'.`);
  return { type: "text", text: readString(block["text"], `${path}.text`), ...cacheMark(block) };
}

function userPart(block: JsonObject, path: string): UserPart {
  const type = readString(block["type"], `${path}.type`);
  switch (type) {
    case "text":
      return textPart(block, path);
    case "image":
      return { type: "image", source: mediaSource(block, path, "image/"), ...cacheMark(block) };
    case "document":
      return documentPart(block, path);
    case "tool_result":
      return toolResult(block, path);
    default:
      return { type: "vendor", state: { protocol, value: block } };
  }
}

function assistantPart(block: JsonObject, path: string): AssistantPart {
  const type = readString(block["type"], `${path}.type`);
  switch (type) {
    case "text":
      return textPart(block, path);
    case "thinking": {
      const text = readString(block["thinking"], `${path}.thinking`);
      const signed = typeof block["signature"] === "string" && block["signature"] !== "";
      return { type: "thinking", text, ...(signed ? { state: { protocol, value: block } } : {}) };
    }
    case "redacted_thinking":
      return { type: "thinking", text: "", state: { protocol, value: block } };
    case "tool_use":
      return {
        type: "tool-call",
        id: readString(block["id"], `${path}.id`),
        name: readString(block["name"], `${path}.name`),
        arguments: JSON.stringify(block["input"] ?? {}),
        ...cacheMark(block),
      };
    default:
      return { type: "vendor", state: { protocol, value: block } };
  }
}

function toolResult(block: JsonObject, path: string): ToolResultPart {
  const isError = optionalBoolean(block["is_error"], `${path}.is_error`);
  const content = block["content"];
  const parts = content === undefined || content === null ? [] : blocksOf(content, `${path}.content`);
  return {
    type: "tool-result",
    toolCallId: readString(block["tool_use_id"], `${path}.tool_use_id`),
    content: parts.map(([inner, at]) => {
      const part = userPart(inner, at);
      // A search result or a block we do not know is still text to another vendor.
      return part.type === "text" || part.type === "image" || part.type === "file"
        ? part
        : { type: "text", text: JSON.stringify(inner) };
    }),
    ...(isError === undefined ? {} : { isError }),
    ...cacheMark(block),
  };
}

function documentPart(block: JsonObject, path: string): UserPart {
  const source = readObject(block["source"], `${path}.source`);
  const title = optionalString(block["title"], `${path}.title`);
  if (source["type"] === "text") {
    const text = readString(source["data"], `${path}.source.data`);
    return { type: "text", text: title === undefined ? text : `${title}\n\n${text}`, ...cacheMark(block) };
  }
  if (source["type"] === "content") return { type: "vendor", state: { protocol, value: block } };
  return {
    type: "file",
    source: mediaSource(block, path, ""),
    ...(title === undefined ? {} : { name: title }),
    ...cacheMark(block),
  };
}

function mediaSource(block: JsonObject, path: string, expectedPrefix: string): MediaSource {
  const source = readObject(block["source"], `${path}.source`);
  const type = readString(source["type"], `${path}.source.type`);
  switch (type) {
    case "base64": {
      const mediaType = readString(source["media_type"], `${path}.source.media_type`);
      const data = readString(source["data"], `${path}.source.data`);
      return parseMedia(`data:${mediaType};base64,${data}`, `${path}.source.data`, expectedPrefix);
    }
    case "url":
      return parseMedia(readString(source["url"], `${path}.source.url`), `${path}.source.url`, expectedPrefix);
    case "file":
      return { kind: "file-id", protocol, id: readString(source["file_id"], `${path}.source.file_id`) };
    default:
      throw invalid(`${path}.source.type`, `must be base64, url or file, not '${type.slice(0, 40)}'.`);
  }
}

/** A block's prompt-cache marker, if it has one. */
export function cacheMark(block: JsonObject): { cache?: CacheMark } {
  const mark = block["cache_control"];
  if (!isJsonObject(mark)) return {};
  const ttl = mark["ttl"];
  return { cache: ttl === "1h" || ttl === "5m" ? { ttl } : {} };
}
