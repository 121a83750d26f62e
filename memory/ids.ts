import { createHash } from "node:crypto";

/**
 * The same parts give the same id, in every process and for ever: what a job writes twice is written once. Shaped as a
 * UUID of version 8 (RFC 9562: the content is ours).
 */
export function stableId(...parts: readonly (string | number)[]): string {
  const hash = createHash("sha256");
  // Lengths keep ("ab", "c") and ("a", "bc") apart.
  for (const part of parts) hash.update(`${String(part).length}:${part};`);
  const hex = hash.digest("hex");
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
