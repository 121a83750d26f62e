import type { JsonObject, JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { Usage } from "../../usage.ts";

/**
 * Later counts replace earlier ones: Anthropic's are cumulative, so adding them would bill a stream twice. What a later
 * event leaves out or calls `null` keeps its value.
 */
export function mergeUsage(usage: JsonObject | undefined, update: JsonValue | undefined): JsonObject | undefined {
  if (!isJsonObject(update)) return usage;
  const known = Object.entries(update).filter(([, value]) => value !== null && value !== undefined);
  return { ...usage, ...Object.fromEntries(known) };
}

/** Anthropic's input number holds neither what the cache served nor what was written to it. */
export function toUsage(usage: JsonObject): Usage {
  const written = count(usage["cache_creation_input_tokens"]);
  const split = isJsonObject(usage["cache_creation"]) ? usage["cache_creation"] : {};
  const details = isJsonObject(usage["output_tokens_details"]) ? usage["output_tokens_details"] : {};
  const written1h = count(split["ephemeral_1h_input_tokens"]);
  const written5m = count(split["ephemeral_5m_input_tokens"]);
  // Fast answers have a price of their own, and the vendor does not call that a tier.
  const tier = usage["speed"] === "fast" ? "fast" : usage["service_tier"];
  return {
    inputTokens: count(usage["input_tokens"]),
    cacheReadTokens: count(usage["cache_read_input_tokens"]),
    // The sum may have grown since the split was sent; what is not said to last an hour lasts five minutes.
    cacheWrite5mTokens: Math.max(written5m, written - written1h),
    cacheWrite1hTokens: written1h,
    outputTokens: count(usage["output_tokens"]),
    reasoningTokens: count(details["thinking_tokens"]),
    audioInputTokens: 0,
    audioOutputTokens: 0,
    estimated: false,
    ...(typeof tier === "string" ? { serviceTier: tier } : undefined),
    raw: usage,
  };
}

function count(value: JsonValue | undefined): number {
  return typeof value === "number" && value > 0 ? value : 0;
}
