import type { JsonObject, JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import { modelName } from "../../model.ts";
import type { ProviderCall } from "../../provider.ts";
import { createToolNames } from "../tool-names.ts";
import { gateMessagesBody } from "./gate.ts";
import { defaultVersion, type MessagesRequest } from "./request.ts";
import { bindingControlsBeta, bindsThinking, dropUnboundBlocks } from "./thinking.ts";
import { createToolIds } from "./tool-ids.ts";
import { anthropicToolNames } from "./tools.ts";

/**
 * The client's own body, which the vendor understands better than we do: only the model, the memory blocks and what the
 * model would refuse differ.
 * Where memory stands in a conversation with thinking, or where the model is of our choosing and may not be the one that
 * thought, the vendor is also told to leave out thinking that does not fit instead of refusing the request.
 */
export function toPassThrough(call: Pick<ProviderCall, "request" | "model" | "warn">): MessagesRequest {
  const { request, model } = call;
  const messages = withValidToolIds(withoutForeignThinking(withInjections(call)));
  const isChosen = request.model !== model.id && request.model !== modelName(model);
  const guard = (request.injections.size > 0 || isChosen) && bindsThinking(model.id) && holdsThinking(messages);
  const names = createToolNames(anthropicToolNames);
  const body = gateMessagesBody({ ...request.raw, model: model.id, messages }, call, names);
  const thinking = guard ? guardedThinking(body["thinking"]) : undefined;
  return {
    body: thinking === undefined ? body : { ...body, thinking },
    version: versionOf(request.dialectHeaders?.["anthropic-version"]),
    betas: [
      ...allowedBetas(request.dialectHeaders?.["anthropic-beta"], call.warn),
      ...(thinking === undefined ? [] : [bindingControlsBeta]),
    ],
    names,
  };
}

function withInjections({ request, warn }: Pick<ProviderCall, "request" | "warn">): JsonValue {
  const { messages } = request.raw;
  if (!Array.isArray(messages) || request.injections.size === 0) return messages ?? [];
  const changed: JsonValue[] = [...messages];
  for (const [index, block] of request.injections) {
    const place = request.messages[index]?.source;
    const message: JsonValue | undefined = place === undefined ? undefined : changed[place];
    if (place === undefined || !isJsonObject(message) || message["role"] !== "user") {
      warn("memory: a block found no user message to join and was left out");
      continue;
    }
    changed[place] = { ...message, content: withBlock(message["content"], block) };
  }
  return changed;
}

/** In front of the user's words, but behind tool results, which must open their message. */
function withBlock(content: JsonValue | undefined, block: string): JsonValue {
  if (!Array.isArray(content)) return typeof content === "string" ? `${block}\n\n${content}` : block;
  const parts: readonly JsonValue[] = content;
  const place = parts.findLastIndex((part) => isJsonObject(part) && part["type"] === "tool_result") + 1;
  return [...parts.slice(0, place), { type: "text", text: block }, ...parts.slice(place)];
}

/**
 * Thinking without a signature is what we gave this client from another vendor, which has no such block. Anthropic would
 * refuse the whole request for it. A turn that held nothing else is left out.
 */
function withoutForeignThinking(messages: JsonValue): JsonValue {
  if (!Array.isArray(messages)) return messages;
  return messages.flatMap((message: JsonValue): JsonValue[] => {
    if (!isJsonObject(message) || !Array.isArray(message["content"])) return [message];
    const { content } = message;
    if (message["role"] !== "assistant" || !content.some(isForeignThinking)) return [message];
    const kept = content.filter((block: JsonValue) => !isForeignThinking(block));
    return kept.length === 0 ? [] : [{ ...message, content: kept }];
  });
}

function isForeignThinking(block: JsonValue): boolean {
  return isJsonObject(block) && block["type"] === "thinking" && (block["signature"] ?? "") === "";
}

/** Ids of calls that another vendor made: what Anthropic would refuse becomes what our own translation sends. */
function withValidToolIds(messages: JsonValue): JsonValue {
  if (!Array.isArray(messages)) return messages;
  const ids = createToolIds();
  return messages.map((message: JsonValue): JsonValue => {
    if (!isJsonObject(message) || !Array.isArray(message["content"])) return message;
    let changes = false;
    const content = message["content"].map((block: JsonValue): JsonValue => {
      const changed = isJsonObject(block) ? withValidId(block, ids) : block;
      changes ||= changed !== block;
      return changed;
    });
    return changes ? { ...message, content } : message;
  });
}

function withValidId(block: JsonObject, ids: ReturnType<typeof createToolIds>): JsonObject {
  const isCall = block["type"] === "tool_use";
  if (!isCall && block["type"] !== "tool_result") return block;
  const field = isCall ? "id" : "tool_use_id";
  const id = block[field];
  if (typeof id !== "string") return block;
  const valid = isCall ? ids.call(id) : ids.result(id);
  return valid === id ? block : { ...block, [field]: valid };
}

function holdsThinking(messages: JsonValue): boolean {
  if (!Array.isArray(messages)) return false;
  return messages.some(
    (message: JsonValue) =>
      isJsonObject(message) &&
      message["role"] === "assistant" &&
      Array.isArray(message["content"]) &&
      message["content"].some(
        (block: JsonValue) =>
          isJsonObject(block) && (block["type"] === "thinking" || block["type"] === "redacted_thinking"),
      ),
  );
}

/** `undefined` where the client has decided for itself, or does not think. */
function guardedThinking(thinking: JsonValue | undefined): JsonObject | undefined {
  if (thinking === undefined || thinking === null) return { type: "adaptive", ...dropUnboundBlocks };
  if (!isJsonObject(thinking) || thinking["block_binding"] !== undefined) return undefined;
  const type = thinking["type"];
  return type === "adaptive" || type === "enabled" ? { ...thinking, ...dropUnboundBlocks } : undefined;
}

/** The client wrote its body for the version it names. */
function versionOf(header: string | undefined): string {
  return header !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(header) ? header : defaultVersion;
}

/** Betas that change a message or its answer. Those that belong to an account or another endpoint stay out. */
const betaFamilies =
  /^(?:interleaved-thinking|thinking|dev-full-thinking|context-management|context-1m|output-(?:128k|300k)|token-efficient-tools|fine-grained-tool-streaming|extended-cache-ttl|prompt-caching|cache-diagnosis|pdfs|computer-use|code-execution|files-api|mcp-client|skills|structured-outputs|effort|fast-mode|compact|task-budgets|advisor-tool|mid-conversation|inline-tools|server-side-fallback|model-context-window-exceeded|web-fetch|claude-code|tool-search-tool|tool-examples|advanced-tool-use)(?:-[a-z-]+)?-\d{4}-?\d{2}-?\d{2}$/;
const maxBetas = 32;

function allowedBetas(header: string | undefined, warn: ProviderCall["warn"]): string[] {
  if (header === undefined) return [];
  const asked = [...new Set(header.split(",").map((beta) => beta.trim()))].filter((beta) => beta !== "");
  const allowed = asked.filter((beta) => betaFamilies.test(beta)).slice(0, maxBetas);
  for (const beta of asked.slice(0, maxBetas)) {
    if (!allowed.includes(beta)) warn(`anthropic-beta: "${beta.slice(0, 64)}" is not passed on`);
  }
  return allowed;
}
