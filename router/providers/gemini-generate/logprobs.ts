import { isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";

/** Gemini's log probabilities in the shape that Chat Completions has for them, the only dialect that can ask. */
export function toLogprobs(result: JsonValue | undefined): JsonValue | undefined {
  if (!isJsonObject(result) || !Array.isArray(result["chosenCandidates"])) return undefined;
  const tops = Array.isArray(result["topCandidates"]) ? result["topCandidates"] : [];
  const content = result["chosenCandidates"].map((chosen: JsonValue, index) => {
    const top: JsonValue | undefined = tops[index];
    const others = isJsonObject(top) && Array.isArray(top["candidates"]) ? top["candidates"] : [];
    return { ...toToken(chosen), top_logprobs: others.map(toToken) };
  });
  return { content, refusal: null };
}

function toToken(candidate: JsonValue): JsonObject {
  const token = isJsonObject(candidate) && typeof candidate["token"] === "string" ? candidate["token"] : "";
  const logprob = isJsonObject(candidate) ? candidate["logProbability"] : undefined;
  return { token, logprob: typeof logprob === "number" ? logprob : 0, bytes: [...Buffer.from(token)] };
}
