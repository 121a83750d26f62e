import { createHash } from "node:crypto";

const prefix = "gemini_";

/**
 * An id for a function call that Gemini gave none. Made from the answer alone, so the same answer always has the same
 * ids, and unlike any other call of the conversation.
 */
export function makeCallId(call: {
  readonly responseId: string;
  readonly choice: number;
  readonly index: number;
  readonly name: string;
  readonly arguments: string;
}): string {
  const parts = JSON.stringify([call.responseId, call.choice, call.index, call.name, call.arguments]);
  return prefix + createHash("sha256").update(parts).digest("base64url").slice(0, 24);
}

/** Gemini never saw an id of ours, so it is not sent one back. */
export function isMadeCallId(id: string): boolean {
  return id.startsWith(prefix) && id.length === prefix.length + 24;
}
