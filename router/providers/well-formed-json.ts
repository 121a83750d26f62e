/**
 * JSON for a vendor. Text cut in the middle of an emoji holds half of a surrogate pair, which vendors refuse or garble:
 * such halves become U+FFFD.
 */
export function toWellFormedJson(value: unknown): string {
  const json = JSON.stringify(value);
  // JSON.stringify escapes lone halves and nothing else this way, so whole bodies are not walked to find none.
  if (!json.includes("\\ud")) return json;
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === "string" ? inner.toWellFormed() : inner));
}
