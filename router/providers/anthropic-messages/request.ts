import { createHash } from "node:crypto";
import { transformJSONSchema } from "@anthropic-ai/sdk/lib/transform-json-schema";
import type { JsonObject } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { ProviderCall } from "../../provider.ts";
import { createToolNames, type ToolNames } from "../tool-names.ts";
import type { Block } from "./block.ts";
import { settleCacheMarks } from "./cache-marks.ts";
import { type Conversation, isThinking, toConversation } from "./conversation.ts";
import { toSampling, toStopSequences } from "./sampling.ts";
import { bindingControlsBeta, type ThinkingSettings, toThinkingSettings } from "./thinking.ts";
import { anthropicToolNames, forcesCall, toToolSettings } from "./tools.ts";
import type { Turn } from "./turns.ts";

export type MessagesRequest = {
  readonly body: JsonObject;
  /**
   * For the `anthropic-version` header. The SDK would send its own, and since 2026-10-21 a request with a temperature is
   * refused: https://platform.claude.com/docs/en/api/migration-2026-10-21
   */
  readonly version: string;
  /** For the `anthropic-beta` header. */
  readonly betas: readonly string[];
  /** Turns the names in the answer back into the client's. */
  readonly names: ToolNames;
};

/**
 * Our request as the body of `POST /v1/messages`. Depends on the request alone, so a conversation's prefix stays the
 * same from turn to turn. Throws `GatewayError` (`unsupported`, `invalid_request`) for what cannot be said at all.
 */
export function toMessagesRequest(call: Pick<ProviderCall, "request" | "model" | "warn">): MessagesRequest {
  const { request, model } = call;
  const names = createToolNames(anthropicToolNames);
  const { system, turns } = toConversation(call, names);
  const maxTokens = Math.min(request.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens);
  if (maxTokens < (request.maxOutputTokens ?? 0)) {
    call.warn(`max_tokens: this model writes at most ${maxTokens} tokens`);
  }
  const thinking = toThinkingSettings(call, {
    maxTokens,
    replaysThinking: turns.some((turn) => turn.blocks.some(isThinking)),
    refusesBudget: refusesBudget(turns),
    forcesCall: model.capabilities.forcedToolChoice && forcesCall(request),
  });
  const { tools, toolChoice, instruction } = toToolSettings(call, names);
  const format = toFormat(call);
  for (const text of [instruction, format.instruction]) if (text !== undefined) system.push({ type: "text", text });
  const stopSequences = toStopSequences(call);
  const thinks = ["enabled", "adaptive"].some((type) => type === thinking.thinking?.["type"]);
  const body: JsonObject = {
    model: model.id,
    max_tokens: maxTokens,
    ...toCaching({ system, turns }, tools, call),
    ...(tools.length > 0 ? { tools } : undefined),
    ...(toolChoice === undefined ? undefined : { tool_choice: toolChoice }),
    ...(system.length > 0 ? { system } : undefined),
    messages: turns.map((turn) => ({ role: turn.role, content: turn.blocks })),
    ...toOutputConfig(thinking, format.format),
    ...toSampling(call, thinks),
    ...(stopSequences === undefined ? undefined : { stop_sequences: stopSequences }),
    ...toAccount(call),
    ...(request.stream ? { stream: true } : undefined),
  };
  return {
    body,
    names,
    version: defaultVersion,
    betas: thinking.thinking?.["block_binding"] === undefined ? [] : [bindingControlsBeta],
  };
}

/** The version whose requests {@link toMessagesRequest} writes, and that clients mean who name none. */
export const defaultVersion = "2023-06-01";

/** A prompt-cache mark on the last block, which the vendor sets itself when asked in the body. */
const automaticMark: Block = { cache_control: { type: "ephemeral" } };

/**
 * Clients of other dialects know caches that need no marks. A conversation that goes on is worth what writing the cache
 * costs; a single question is not.
 */
function toCaching(
  { system, turns }: Conversation,
  tools: Block[],
  call: Pick<ProviderCall, "request" | "model" | "warn">,
): Block {
  const marks = settleCacheMarks([...tools, ...system, ...turns.flatMap((turn) => turn.blocks)], call.warn);
  const goesOn = call.request.promptCacheKey !== undefined || turns.some((turn) => turn.role === "assistant");
  return marks === 0 && goesOn && call.model.capabilities.promptCache === "markers" ? { ...automaticMark } : {};
}

/** With a budget, a turn that called tools must have begun with thinking, and an answer cannot be continued. */
function refusesBudget(turns: readonly Turn[]): boolean {
  const last = turns.at(-1);
  if (last?.role === "assistant") return true;
  const answersTools = last?.blocks.some((block) => block["type"] === "tool_result") === true;
  const before = turns.findLast((turn) => turn.role === "assistant")?.blocks[0];
  return answersTools && before !== undefined && !isThinking(before);
}

function toOutputConfig({ thinking, effort }: ThinkingSettings, format: Block | undefined): Block {
  const config: Block = {
    ...(effort === undefined ? undefined : { effort }),
    ...(format === undefined ? undefined : { format }),
  };
  return {
    ...(thinking === undefined ? undefined : { thinking }),
    ...(Object.keys(config).length === 0 ? undefined : { output_config: config }),
  };
}

function toFormat({ request, model, warn }: Pick<ProviderCall, "request" | "model" | "warn">): {
  readonly format?: Block;
  readonly instruction?: string;
} {
  const wanted = request.responseFormat;
  if (wanted === undefined || wanted.type === "text") return {};
  if (wanted.type === "json-object") {
    return { instruction: "Answer with one valid JSON object and nothing else: no prose, no code fence." };
  }
  if (model.capabilities.jsonSchema) return { format: { type: "json_schema", schema: toStrictSchema(wanted.schema) } };
  warn("response_format: this model answers to no JSON schema, it was given in words");
  const schema = JSON.stringify(wanted.schema);
  return { instruction: `Answer with one JSON value that fits this JSON Schema and nothing else:\n${schema}` };
}

/** Anthropic takes a part of JSON Schema; the SDK's own conversion moves the rest into descriptions. */
function toStrictSchema(schema: JsonObject): JsonObject {
  // The conversion does not know this older name, and references into it would break.
  if (schema["definitions"] !== undefined) return schema;
  try {
    const strict: unknown = transformJSONSchema(schema);
    return isJsonObject(strict) ? strict : schema;
  } catch {
    // It refuses schemas without a type; the vendor may know better, and its own error is clearer.
    return schema;
  }
}

function toAccount({ request, warn }: Pick<ProviderCall, "request" | "warn">): Block {
  const tier = toServiceTier(request.serviceTier, warn);
  if (Object.keys(request.metadata ?? {}).length > 0) warn("metadata: not carried to Anthropic");
  return {
    // The vendor asks for no personal data here, and the client's id may be an e-mail address.
    ...(request.endUser === undefined ? undefined : { metadata: { user_id: hashed(request.endUser) } }),
    ...(tier === undefined ? undefined : { service_tier: tier }),
  };
}

function toServiceTier(tier: string | undefined, warn: ProviderCall["warn"]): string | undefined {
  switch (tier) {
    case undefined:
      return undefined;
    case "auto":
    case "standard_only":
      return tier;
    case "default":
      return "standard_only";
    case "priority":
      warn('service_tier: "priority" was sent as "auto", which uses it where it was bought');
      return "auto";
    default:
      warn(`service_tier: "${tier}" is not offered by Anthropic`);
      return undefined;
  }
}

function hashed(user: string): string {
  return createHash("sha256").update(user).digest("hex");
}
