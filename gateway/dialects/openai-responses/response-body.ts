import type { FinishReason } from "../../../router/chat.ts";
import type { GatewayError } from "../../../router/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { totalInputTokens, type Usage } from "../../../router/usage.ts";
import type { AnswerInfo } from "../dialect.ts";
import { makeId } from "./ids.ts";
import type { ItemWriter } from "./item-writer.ts";
import { conversationId, previousResponseId } from "./parse.ts";

/** A response object before anything was answered: what the client asked, as OpenAI repeats it. */
export function begunResponse(info: AnswerInfo, body: JsonObject, model: string | undefined): JsonObject {
  const reasoning = isJsonObject(body["reasoning"]) ? body["reasoning"] : {};
  const text = isJsonObject(body["text"]) ? body["text"] : {};
  return {
    id: makeId("resp", info.trace),
    object: "response",
    created_at: info.createdSeconds,
    status: "in_progress",
    error: null,
    incomplete_details: null,
    instructions: body["instructions"] ?? null,
    max_output_tokens: body["max_output_tokens"] ?? null,
    max_tool_calls: body["max_tool_calls"] ?? null,
    model: model ?? info.modelId,
    output: [],
    parallel_tool_calls: body["parallel_tool_calls"] ?? true,
    prompt_cache_key: body["prompt_cache_key"] ?? null,
    prompt_cache_retention: body["prompt_cache_retention"] ?? null,
    reasoning: {
      effort: reasoning["effort"] ?? null,
      summary: reasoning["summary"] === "none" ? null : (reasoning["summary"] ?? null),
    },
    safety_identifier: body["safety_identifier"] ?? null,
    service_tier: body["service_tier"] ?? "auto",
    temperature: body["temperature"] ?? 1,
    text: { format: text["format"] ?? { type: "text" }, verbosity: text["verbosity"] ?? "medium" },
    tool_choice: body["tool_choice"] ?? "auto",
    tools: Array.isArray(body["tools"]) ? body["tools"].map(withDefaults) : [],
    top_logprobs: body["top_logprobs"] ?? 0,
    top_p: body["top_p"] ?? 1,
    truncation: body["truncation"] ?? "disabled",
    ...(typeof body["user"] === "string" ? { user: body["user"] } : {}),
    metadata: body["metadata"] ?? {},
    ...stateFields(body),
  };
}

/** The fields that are this gateway's to say, whoever answered: where the response stands, and that it is kept. */
export function stateFields(body: JsonObject): JsonObject {
  const conversation = conversationId(body);
  return {
    background: false,
    previous_response_id: previousResponseId(body) ?? null,
    store: body["store"] !== false,
    ...(conversation === undefined ? {} : { conversation: { id: conversation } }),
  };
}

/** The response as its items and its end make it. */
export function endedResponse(begun: JsonObject, items: ItemWriter): JsonObject {
  const reason = incompleteReason(items.finishReason);
  return {
    ...begun,
    status: reason === undefined ? "completed" : "incomplete",
    incomplete_details: reason === undefined ? null : { reason },
    output: items.output,
    service_tier: serviceTiers.find((tier) => tier === items.usage.serviceTier) ?? "default",
    usage: toResponseUsage(items.usage),
  };
}

/** What this protocol calls them; other vendors have other words (`standard`). */
const serviceTiers = ["default", "flex", "scale", "priority", "fast", "ultrafast"];

export function failedResponse(begun: JsonObject, error: GatewayError): JsonObject {
  return { ...begun, status: "failed", error: { code: errorCode(error), message: error.message } };
}

function toResponseUsage(usage: Usage): JsonObject {
  const input = totalInputTokens(usage);
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage.cacheReadTokens,
      cache_write_tokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: input + usage.outputTokens,
  };
}

/** OpenAI's words for a response that failed are few. */
function errorCode(error: GatewayError): string {
  if (error.status === 429 || error.code === "overloaded") return "rate_limit_exceeded";
  return error.status === 400 ? "invalid_prompt" : "server_error";
}

function incompleteReason(reason: FinishReason | undefined): string | undefined {
  switch (reason) {
    case "length":
      return "max_output_tokens";
    case "content-filter":
      return "content_filter";
    case "stop":
    case "tool-calls":
    case "pause":
    case "unknown":
    case undefined:
      return undefined;
  }
}

/** As OpenAI repeats a function: with every field it may have. */
function withDefaults(tool: JsonValue): JsonValue {
  if (!isJsonObject(tool) || tool["type"] !== "function") return tool;
  return {
    ...tool,
    description: tool["description"] ?? null,
    parameters: tool["parameters"] ?? null,
    strict: tool["strict"] ?? true,
  };
}
