import { isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";
import type { Usage } from "../../usage.ts";

/** Gemini's prompt number holds what the cache served; thoughts and what its own tools read stand beside it. */
export function toUsage(usage: JsonObject): Usage {
  const input = count(usage["promptTokenCount"]) + count(usage["toolUsePromptTokenCount"]);
  const cached = Math.min(count(usage["cachedContentTokenCount"]), input);
  const thoughts = count(usage["thoughtsTokenCount"]);
  const answer =
    typeof usage["candidatesTokenCount"] === "number"
      ? usage["candidatesTokenCount"]
      : Math.max(0, count(usage["totalTokenCount"]) - input - thoughts);
  return {
    inputTokens: input - cached,
    cacheReadTokens: cached,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: answer + thoughts,
    reasoningTokens: thoughts,
    audioInputTokens: audioOf(usage["promptTokensDetails"]),
    audioOutputTokens: audioOf(usage["candidatesTokensDetails"]),
    estimated: false,
    raw: usage,
  };
}

function audioOf(details: JsonValue | undefined): number {
  if (!Array.isArray(details)) return 0;
  const audio = details.find((detail: JsonValue) => isJsonObject(detail) && detail["modality"] === "AUDIO");
  return isJsonObject(audio) ? count(audio["tokenCount"]) : 0;
}

function count(value: JsonValue | undefined): number {
  return typeof value === "number" && value > 0 ? value : 0;
}
