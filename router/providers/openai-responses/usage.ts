import type { JsonObject } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { Usage } from "../../usage.ts";
import { count } from "../openai-chat/usage.ts";

/** Responses counts cached and written tokens inside `input_tokens`; ours are disjoint. */
export function toResponsesUsage(raw: JsonObject, serviceTier: string | undefined): Usage {
  const input = isJsonObject(raw["input_tokens_details"]) ? raw["input_tokens_details"] : {};
  const output = isJsonObject(raw["output_tokens_details"]) ? raw["output_tokens_details"] : {};
  const cached = count(input["cached_tokens"]);
  const written = count(input["cache_write_tokens"]);
  return {
    inputTokens: Math.max(0, count(raw["input_tokens"]) - cached - written),
    cacheReadTokens: cached,
    cacheWrite5mTokens: written,
    cacheWrite1hTokens: 0,
    outputTokens: count(raw["output_tokens"]),
    reasoningTokens: count(output["reasoning_tokens"]),
    audioInputTokens: count(input["audio_tokens"]),
    audioOutputTokens: count(output["audio_tokens"]),
    estimated: false,
    ...(serviceTier === undefined ? undefined : { serviceTier }),
    raw,
  };
}
