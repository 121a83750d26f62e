import type { ChatMessage, ChatRequest, MediaSource, Protocol, VendorState } from "./chat.ts";
import { isJsonObject } from "./json.ts";
import { mediaTokens, textTokens, toolTokens } from "./estimate.ts";

/** What a request holds, read once: everything that decides which models can take it, and how large it is. */
export type RequestShape = {
  /** Estimated, memory not included. */
  readonly inputTokens: number;
  readonly hasImages: boolean;
  readonly hasFiles: boolean;
  readonly hasAudio: boolean;
  readonly hasTools: boolean;
  /** The last message answers tool calls. */
  readonly endsWithToolResults: boolean;
  /** The last turn of the user shows a picture. */
  readonly lastTurnHasImages: boolean;
  readonly hasSchema: boolean;
  readonly schemaIsEnum: boolean;
  readonly endsWithAssistant: boolean;
  readonly hasMidSystem: boolean;
  /** Protocols of vendor tools and uploaded files: only a host that speaks them can take the request. */
  readonly boundTo: ReadonlySet<Protocol>;
  /** Protocols of vendor blocks in the history: elsewhere they are left out. */
  readonly blocksOf: ReadonlySet<Protocol>;
};

/** Reads a request's shape in one pass over its messages and tools. */
export function shapeOf(request: ChatRequest): RequestShape {
  const seen: Seen = {
    tokens: 0,
    hasImages: false,
    hasFiles: false,
    hasAudio: false,
    boundTo: new Set(),
    blocksOf: new Set(),
  };
  let hasMidSystem = false;
  let conversationBegan = false;
  for (const message of request.messages) {
    if (message.role === "system" || message.role === "developer") hasMidSystem ||= conversationBegan;
    else conversationBegan = true;
    seen.tokens += tokensPerMessage;
    readMessage(message, seen);
  }
  for (const injection of request.injections.values()) seen.tokens += textTokens(injection);
  for (const tool of request.tools) {
    seen.tokens += toolTokens(tool);
    if (tool.type === "vendor") seen.boundTo.add(tool.state.protocol);
  }
  const format = request.responseFormat;
  if (format?.type === "json-schema") seen.tokens += toolTokens(format.schema);
  return {
    inputTokens: Math.ceil(seen.tokens),
    hasImages: seen.hasImages,
    hasFiles: seen.hasFiles,
    hasAudio: seen.hasAudio,
    hasTools: request.tools.length > 0,
    endsWithToolResults: endsWithToolResults(request.messages),
    lastTurnHasImages: seen.hasImages && lastTurnHasImages(request.messages),
    hasSchema: format !== undefined && format.type !== "text",
    schemaIsEnum: format?.type === "json-schema" && holdsOneChoice(format.schema),
    endsWithAssistant: request.messages.at(-1)?.role === "assistant",
    hasMidSystem,
    boundTo: seen.boundTo,
    blocksOf: seen.blocksOf,
  };
}

/** Role and separators, in every vendor's chat format. */
const tokensPerMessage = 4;

type Seen = {
  tokens: number;
  hasImages: boolean;
  hasFiles: boolean;
  hasAudio: boolean;
  readonly boundTo: Set<Protocol>;
  readonly blocksOf: Set<Protocol>;
};

type Part = ChatMessage["content"][number];

function readMessage(message: ChatMessage, seen: Seen): void {
  for (const part of message.content) readPart(part, seen);
}

function readPart(part: Part, seen: Seen): void {
  switch (part.type) {
    case "text":
    case "refusal":
      seen.tokens += textTokens(part.text);
      return;
    case "thinking":
      seen.tokens += textTokens(part.text);
      noteState(part.state, seen);
      return;
    case "tool-call":
      seen.tokens += textTokens(part.name) + textTokens(part.arguments) + tokensPerMessage;
      return;
    case "vendor":
      seen.tokens += toolTokens(part.state.value);
      noteState(part.state, seen);
      return;
    case "tool-result":
      for (const inner of part.content) readPart(inner, seen);
      return;
    case "image":
      seen.hasImages = true;
      seen.tokens += mediaTokens("image", part.source);
      noteFile(part.source, seen);
      return;
    case "file":
      seen.hasFiles = true;
      seen.tokens += mediaTokens("pdf", part.source);
      noteFile(part.source, seen);
      return;
    case "audio":
      seen.hasAudio = true;
      seen.tokens += mediaTokens("audio", part.source);
      noteFile(part.source, seen);
  }
}

function noteState(state: VendorState | undefined, seen: Seen): void {
  if (state !== undefined) seen.blocksOf.add(state.protocol);
}

function noteFile(source: MediaSource, seen: Seen): void {
  if (source.kind === "file-id") seen.boundTo.add(source.protocol);
}

function endsWithToolResults(messages: readonly ChatMessage[]): boolean {
  const last = messages.at(-1);
  return last !== undefined && carriesToolResults(last);
}

function carriesToolResults(message: ChatMessage): boolean {
  return message.content.some((part) => part.type === "tool-result");
}

function lastTurnHasImages(messages: readonly ChatMessage[]): boolean {
  const last = messages.findLast((message) => message.role === "user" && !carriesToolResults(message));
  return last?.content.some((part) => part.type === "image") ?? false;
}

/** A schema whose only answer is one of a list is a classification, whatever the words around it say. */
function holdsOneChoice(schema: unknown): boolean {
  if (!isJsonObject(schema)) return false;
  if (Array.isArray(schema["enum"])) return true;
  const properties = schema["properties"];
  if (!isJsonObject(properties)) return false;
  const values = Object.values(properties);
  const [only] = values;
  return values.length === 1 && isJsonObject(only) && Array.isArray(only["enum"]);
}
