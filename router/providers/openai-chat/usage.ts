import type { JsonObject, JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { Usage } from "../../usage.ts";

/** Chat Completions counts cached and written tokens inside `prompt_tokens`; ours are disjoint. */
export function toChatUsage(raw: JsonObject, serviceTier: string | undefined): Usage {
  const prompt = count(raw["prompt_tokens"]);
  const completion = count(raw["completion_tokens"]);
  const input = detailsOf(raw["prompt_tokens_details"]);
  const output = detailsOf(raw["completion_tokens_details"]);
  // DeepSeek and Moonshot put the cached ones beside the total.
  const cached = count(input["cached_tokens"] ?? raw["prompt_cache_hit_tokens"] ?? raw["cached_tokens"]);
  const written = count(input["cache_write_tokens"]);
  const reasoning = count(output["reasoning_tokens"] ?? raw["reasoning_tokens"]);
  // xAI counts thinking beside the completion, everyone else inside it: only the total tells.
  const outside = reasoning > 0 && count(raw["total_tokens"]) === prompt + completion + reasoning;
  return {
    inputTokens: Math.max(0, prompt - cached - written),
    cacheReadTokens: cached,
    cacheWrite5mTokens: written,
    cacheWrite1hTokens: 0,
    outputTokens: outside ? completion + reasoning : completion,
    reasoningTokens: reasoning,
    audioInputTokens: count(input["audio_tokens"]),
    audioOutputTokens: count(output["audio_tokens"]),
    estimated: false,
    ...(serviceTier === undefined ? undefined : { serviceTier }),
    raw,
  };
}

/** A count that is missing, null or nonsense is no tokens. */
export function count(value: JsonValue | undefined): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.round(value) : 0;
}

function detailsOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
