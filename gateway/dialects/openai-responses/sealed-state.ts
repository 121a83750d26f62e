import type { Protocol, VendorState } from "../../../router/chat.ts";
import { isJsonObject, type JsonValue } from "../../../router/json.ts";

const mark = "tl1.";
const protocols: readonly Protocol[] = ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"];

/**
 * Another vendor's state (a signed thinking block) as the `encrypted_content` of a reasoning item. A client that keeps
 * its own conversation sends it back untouched, and its vendor gets its bytes again.
 */
export function sealState(state: VendorState): string {
  return mark + Buffer.from(JSON.stringify(state), "utf8").toString("base64url");
}

export function isSealedState(encrypted: unknown): encrypted is string {
  return typeof encrypted === "string" && encrypted.startsWith(mark);
}

/** The state that was sealed; `undefined` for text that is none, whoever changed it. */
export function openState(sealed: string): VendorState | undefined {
  return parseState(Buffer.from(sealed.slice(mark.length), "base64url").toString("utf8"));
}

/** A state from its JSON; `undefined` for anything else. */
export function parseState(text: string): VendorState | undefined {
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || value["value"] === undefined) return undefined;
  const protocol = protocols.find((known) => known === value["protocol"]);
  const { credential } = value;
  if (protocol === undefined) return undefined;
  return { protocol, value: value["value"], ...(typeof credential === "string" ? { credential } : {}) };
}
