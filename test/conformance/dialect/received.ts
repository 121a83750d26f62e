import type { RecordedRequest } from "../../../gateway/sandbox/vendor-server.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";

/** What a vendor was asked, in no vendor's words, so that one expectation holds for all of them. */
export type Received = {
  readonly model: string;
  readonly parts: readonly ReceivedPart[];
  readonly tools: readonly string[];
  readonly toolSchemas: readonly JsonValue[];
  readonly choice: JsonValue | undefined;
  readonly schema: JsonValue | undefined;
  readonly stop: readonly string[];
  readonly maxTokens: number | undefined;
  readonly effort: string | undefined;
  readonly body: JsonObject;
};

type Role = "system" | "user" | "assistant";
export type ReceivedPart =
  | { readonly kind: "text"; readonly role: Role; readonly text: string; readonly ttl?: string }
  | { readonly kind: "image"; readonly role: Role; readonly data: string }
  | { readonly kind: "file"; readonly role: Role; readonly data: string }
  | { readonly kind: "call"; readonly id: string; readonly name: string; readonly arguments: JsonValue }
  | {
      readonly kind: "result";
      readonly id: string;
      readonly text: string;
      readonly images: readonly string[];
      readonly isError: boolean;
    }
  | { readonly kind: "thinking"; readonly signed: boolean };

/** Reads whichever wire the request was written in. */
export function readReceived(request: RecordedRequest): Received {
  if (request.vendor === "anthropic") return readMessages(request.body);
  if (request.vendor === "gemini") return readGenerate(request.body, request.path);
  return /\/responses\b/.test(request.path) ? readResponses(request.body) : readChat(request.body);
}

/** Everything of one role that is text, in order. */
export function textsOf(received: Received, role: Role): string[] {
  return received.parts.flatMap((part) => (part.kind === "text" && part.role === role ? [part.text] : []));
}

export function partsOf<K extends ReceivedPart["kind"]>(
  received: Received,
  kind: K,
): readonly Extract<ReceivedPart, { kind: K }>[] {
  return received.parts.filter((part): part is Extract<ReceivedPart, { kind: K }> => part.kind === kind);
}

const objects = (value: JsonValue | undefined): JsonObject[] =>
  Array.isArray(value) ? value.filter((item: JsonValue) => isJsonObject(item)) : [];
const text = (value: JsonValue | undefined): string => (typeof value === "string" ? value : "");
const number = (value: JsonValue | undefined): number | undefined => (typeof value === "number" ? value : undefined);
const object = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {});
const parse = (value: JsonValue | undefined): JsonValue => JSON.parse(text(value) || "{}") as JsonValue;
const dataOf = (url: string): string => (url.startsWith("data:") ? url.slice(url.indexOf(",") + 1) : url);

function readChat(body: JsonObject): Received {
  const parts: ReceivedPart[] = [];
  for (const message of objects(body["messages"])) {
    const role: Role = message["role"] === "assistant" ? "assistant" : message["role"] === "user" ? "user" : "system";
    if (message["role"] === "tool") {
      const said = contentTexts(message["content"]).join("\n");
      parts.push(result(text(message["tool_call_id"]), said, imagesIn(message["content"]), false));
      continue;
    }
    parts.push(...contentParts(message["content"], role));
    for (const call of objects(message["tool_calls"])) {
      const called = object(call["function"]);
      parts.push({
        kind: "call",
        id: text(call["id"]),
        name: text(called["name"]),
        arguments: parse(called["arguments"]),
      });
    }
  }
  const format = object(object(body["response_format"])["json_schema"]);
  const tools = objects(body["tools"]).map((tool) => object(tool["function"]));
  return {
    model: text(body["model"]),
    parts,
    tools: tools.map((tool) => text(tool["name"])),
    toolSchemas: tools.map((tool) => tool["parameters"] ?? null),
    choice: body["tool_choice"],
    schema: format["schema"],
    stop: typeof body["stop"] === "string" ? [body["stop"]] : ((body["stop"] ?? []) as string[]),
    maxTokens: number(body["max_completion_tokens"]) ?? number(body["max_tokens"]),
    effort: text(body["reasoning_effort"]) || undefined,
    body,
  };
}

function readResponses(body: JsonObject): Received {
  const parts: ReceivedPart[] = [];
  if (typeof body["instructions"] === "string")
    parts.push({ kind: "text", role: "system", text: body["instructions"] });
  for (const item of objects(body["input"])) {
    switch (item["type"] ?? "message") {
      case "message": {
        const role: Role = item["role"] === "assistant" ? "assistant" : item["role"] === "user" ? "user" : "system";
        parts.push(...contentParts(item["content"], role));
        break;
      }
      case "function_call":
        parts.push({
          kind: "call",
          id: text(item["call_id"]),
          name: text(item["name"]),
          arguments: parse(item["arguments"]),
        });
        break;
      case "function_call_output": {
        const said = contentTexts(item["output"]).join("\n");
        parts.push(result(text(item["call_id"]), said, imagesIn(item["output"]), false));
        break;
      }
      case "reasoning":
        parts.push({ kind: "thinking", signed: typeof item["encrypted_content"] === "string" });
        break;
      default:
        break;
    }
  }
  const tools = objects(body["tools"]);
  return {
    model: text(body["model"]),
    parts,
    tools: tools.map((tool) => text(tool["name"])),
    toolSchemas: tools.map((tool) => tool["parameters"] ?? null),
    choice: body["tool_choice"],
    schema: object(object(body["text"])["format"])["schema"],
    stop: [],
    maxTokens: number(body["max_output_tokens"]),
    effort: text(object(body["reasoning"])["effort"]) || undefined,
    body,
  };
}

function readMessages(body: JsonObject): Received {
  const parts: ReceivedPart[] = contentParts(body["system"], "system");
  for (const message of objects(body["messages"])) {
    const role: Role = message["role"] === "assistant" ? "assistant" : message["role"] === "user" ? "user" : "system";
    if (typeof message["content"] === "string") parts.push({ kind: "text", role, text: message["content"] });
    for (const block of objects(message["content"])) parts.push(...blockParts(block, role));
  }
  const tools = objects(body["tools"]);
  return {
    model: text(body["model"]),
    parts,
    tools: tools.map((tool) => text(tool["name"])),
    toolSchemas: tools.map((tool) => tool["input_schema"] ?? null),
    choice: body["tool_choice"],
    schema: object(object(body["output_config"])["format"])["schema"],
    stop: (body["stop_sequences"] ?? []) as string[],
    maxTokens: number(body["max_tokens"]),
    effort: text(object(body["output_config"])["effort"]) || undefined,
    body,
  };
}

function blockParts(block: JsonObject, role: Role): ReceivedPart[] {
  switch (block["type"]) {
    case "tool_use":
      return [{ kind: "call", id: text(block["id"]), name: text(block["name"]), arguments: block["input"] ?? {} }];
    case "tool_result": {
      const said = contentTexts(block["content"]).join("\n");
      return [result(text(block["tool_use_id"]), said, imagesIn(block["content"]), block["is_error"] === true)];
    }
    case "thinking":
    case "redacted_thinking":
      return [{ kind: "thinking", signed: text(block["signature"]) !== "" || text(block["data"]) !== "" }];
    default:
      return contentParts([block], role);
  }
}

function readGenerate(body: JsonObject, path: string): Received {
  const parts: ReceivedPart[] = [];
  const system = object(body["systemInstruction"]);
  for (const part of objects(system["parts"])) parts.push({ kind: "text", role: "system", text: text(part["text"]) });
  for (const content of objects(body["contents"])) {
    const role: Role = content["role"] === "model" ? "assistant" : "user";
    for (const part of objects(content["parts"])) parts.push(...generateParts(part, role));
  }
  const config = object(body["generationConfig"]);
  const declared = objects(body["tools"]).flatMap((tool) => objects(tool["functionDeclarations"]));
  return {
    model: /models\/([^:]+)/.exec(path)?.[1] ?? "",
    parts,
    tools: declared.map((tool) => text(tool["name"])),
    toolSchemas: declared.map((tool) => tool["parametersJsonSchema"] ?? null),
    choice: object(body["toolConfig"])["functionCallingConfig"],
    schema: config["responseJsonSchema"] ?? config["responseSchema"],
    stop: (config["stopSequences"] ?? []) as string[],
    maxTokens: number(config["maxOutputTokens"]),
    effort: text(object(config["thinkingConfig"])["thinkingLevel"]).toLowerCase() || undefined,
    body,
  };
}

function generateParts(part: JsonObject, role: Role): ReceivedPart[] {
  if (isJsonObject(part["functionCall"])) {
    const { id, name, args } = part["functionCall"];
    return [{ kind: "call", id: text(id), name: text(name), arguments: args ?? {} }];
  }
  if (isJsonObject(part["functionResponse"])) {
    const { id, response, parts } = part["functionResponse"];
    const { output, error } = object(response);
    const images = objects(parts).map((inner) => text(object(inner["inlineData"])["data"]));
    return [result(text(id), text(output ?? error), images, error !== undefined)];
  }
  if (part["thought"] === true) return [{ kind: "thinking", signed: typeof part["thoughtSignature"] === "string" }];
  if (isJsonObject(part["inlineData"])) {
    const { mimeType, data } = part["inlineData"];
    return [{ kind: text(mimeType).startsWith("image/") ? "image" : "file", role, data: text(data) }];
  }
  if (isJsonObject(part["fileData"])) return [{ kind: "image", role, data: text(part["fileData"]["fileUri"]) }];
  return [{ kind: "text", role, text: text(part["text"]) }];
}

function result(id: string, said: string, images: readonly string[], isError: boolean): ReceivedPart {
  return { kind: "result", id, text: said, images, isError };
}

function contentTexts(content: JsonValue | undefined): string[] {
  if (typeof content === "string") return [content];
  return objects(content).flatMap((part) => (typeof part["text"] === "string" ? [part["text"]] : []));
}

function imagesIn(content: JsonValue | undefined): string[] {
  return contentParts(content, "user").flatMap((part) => (part.kind === "image" ? [part.data] : []));
}

/** A list of content parts, or a string, in OpenAI's or Anthropic's words. */
function contentParts(content: JsonValue | undefined, role: Role): ReceivedPart[] {
  if (typeof content === "string") return [{ kind: "text", role, text: content }];
  return objects(content).flatMap((part): ReceivedPart[] => {
    switch (part["type"]) {
      case "text":
      case "input_text":
      case "output_text": {
        const ttl = text(object(part["cache_control"])["ttl"]);
        return [{ kind: "text", role, text: text(part["text"]), ...(ttl === "" ? {} : { ttl }) }];
      }
      case "image_url":
        return [{ kind: "image", role, data: dataOf(text(object(part["image_url"])["url"])) }];
      case "input_image":
        return [{ kind: "image", role, data: dataOf(text(part["image_url"])) }];
      case "file":
        return [{ kind: "file", role, data: dataOf(text(object(part["file"])["file_data"])) }];
      case "input_file":
        return [{ kind: "file", role, data: dataOf(text(part["file_data"])) }];
      case "image":
      case "document": {
        const source = object(part["source"]);
        const kind = part["type"] === "image" ? "image" : "file";
        return [{ kind, role, data: text(source["data"]) || text(source["url"]) }];
      }
      default:
        return [];
    }
  });
}
