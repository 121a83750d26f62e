import type { ProviderCall } from "../../provider.ts";
import { isJsonObject } from "../../json.ts";
import type { Block } from "./block.ts";

/** Anthropic refuses a request with more. */
const maxCacheMarks = 4;

/**
 * Keeps the marks of a request within Anthropic's rules, in place: at most four, and none that lasts an hour behind one
 * that lasts five minutes. `blocks` are in the order of the prompt: tools, system, messages. The first mark and the
 * last ones stay: the first is shared by most requests, the last ones reach furthest.
 */
export function settleCacheMarks(blocks: readonly Block[], warn: ProviderCall["warn"]): number {
  const marked = blocks.filter((block) => isJsonObject(block["cache_control"]));
  const surplus = marked.splice(1, Math.max(0, marked.length - maxCacheMarks));
  for (const block of surplus) delete block["cache_control"];
  if (surplus.length > 0) warn(`cache_control: ${surplus.length} marks left out, Anthropic takes ${maxCacheMarks}`);
  let shortSeen = false;
  for (const block of marked) {
    const mark = block["cache_control"];
    const long = isJsonObject(mark) && mark["ttl"] === "1h";
    if (long && shortSeen) {
      block["cache_control"] = { type: "ephemeral", ttl: "5m" };
      warn("cache_control: a 1h mark behind a 5m mark was sent as 5m");
    }
    shortSeen ||= !long;
  }
  return marked.length;
}
