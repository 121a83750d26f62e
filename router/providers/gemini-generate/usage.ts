import { isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";
import type { Usage } from "../../usage.ts";

/**
 * Gemini's prompt number holds what the cache served; thoughts and what its own tools read stand beside it. `headerTier`
 * is what the answer's header says it was served as.
 */
export function toUsage(usage: JsonObject, headerTier?: string): Usage {
  const tier = tierOf(usage) ?? headerTier;
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
    ...(tier === undefined ? undefined : { serviceTier: tier }),
    raw: usage,
  };
}

/** The Gemini API says `serviceTier`, Vertex `trafficType`. */
function tierOf(usage: JsonObject): string | undefined {
  const { serviceTier, trafficType } = usage;
  if (typeof serviceTier === "string" && serviceTier !== "unspecified") return serviceTier;
  switch (trafficType) {
    case "ON_DEMAND_PRIORITY":
      return "priority";
    case "ON_DEMAND_FLEX":
      return "flex";
    case "ON_DEMAND":
      return "standard";
    default:
      // Prepaid throughput and what may yet come: no row of the price list, so the cost is not known.
      return typeof trafficType === "string" && trafficType !== "TRAFFIC_TYPE_UNSPECIFIED" ? trafficType : undefined;
  }
}

function audioOf(details: JsonValue | undefined): number {
  if (!Array.isArray(details)) return 0;
  const audio = details.find((detail: JsonValue) => isJsonObject(detail) && detail["modality"] === "AUDIO");
  return isJsonObject(audio) ? count(audio["tokenCount"]) : 0;
}

function count(value: JsonValue | undefined): number {
  return typeof value === "number" && value > 0 ? value : 0;
}
