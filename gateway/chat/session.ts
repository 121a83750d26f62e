import { hash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Turn } from "../../memory/memory.ts";
import type { ChatRequest } from "../../router/chat.ts";
import type { JsonValue } from "../../router/json.ts";
import { checkName, headerText } from "../identity.ts";

/** Ours first, then what coding agents and other gateways' clients send. */
const sessionHeaders = [
  "x-throughline-session",
  "x-claude-code-session-id",
  "x-session-id",
  "x-conversation-id",
  "session-id",
  "session_id",
  "conversation_id",
  "x-session-affinity",
];

export type SessionName = {
  readonly id: string;
  /**
   * `named`: the client says which. `recognised`: the conversation opens as one we have answered before. `new`: its
   * first turn; `id` is fresh, and the key by which it can be recognised is known once it is answered.
   */
  readonly how: "named" | "recognised" | "new";
  /** The first user turn, from which the recognition key is made. */
  readonly opening: Turn | undefined;
};

/** Which session a request belongs to. `fresh` is used for a conversation that opens with this request. */
export function nameSession(
  request: ChatRequest,
  turns: readonly Turn[],
  headers: IncomingHttpHeaders,
  fresh: string,
  /** The session of a conversation that we keep ourselves and that this request continues. */
  continued?: string,
): SessionName {
  const named = namedSession(request, headers, continued);
  const openingAt = turns.findIndex((turn) => turn.role === "user");
  const opening = turns[openingAt];
  if (named !== undefined) return { id: named, how: "named", opening };
  const reply = turns.slice(openingAt + 1).find((turn) => turn.role === "assistant");
  if (opening === undefined || reply === undefined) return { id: fresh, how: "new", opening };
  return { id: openingKey(opening, reply.key), how: "recognised", opening };
}

/**
 * A conversation is recognised by its first user turn and the answer to it, which a chat client resends every time.
 * The first turn alone would run together every conversation that opens with the same words.
 */
export function openingKey(opening: Turn, replyKey: string): string {
  return `opening-${hash("sha256", `${opening.key}\n${replyKey}`, "base64url").slice(0, 27)}`;
}

function namedSession(
  request: ChatRequest,
  headers: IncomingHttpHeaders,
  continued: string | undefined,
): string | undefined {
  for (const header of sessionHeaders) {
    const value = headerText(headers, header);
    if (value !== undefined) return checkName(value, header);
  }
  if (continued !== undefined) return continued;
  const fromBody =
    idOf(request.raw["conversation"]) ??
    textValue(request.metadata?.["session_id"]) ??
    claudeCodeSession(request) ??
    textValue(request.promptCacheKey);
  return fromBody === undefined ? undefined : checkName(fromBody, "conversation");
}

/** Claude Code puts its session into the user id: `user_<hash>_account_<id>_session_<uuid>`. */
function claudeCodeSession(request: ChatRequest): string | undefined {
  const userId = request.metadata?.["user_id"];
  if (typeof userId !== "string") return undefined;
  return /_session_([0-9a-f-]{36})$/.exec(userId)?.[1];
}

function idOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === "string") return textValue(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return "id" in value ? textValue(value.id) : undefined;
}

function textValue(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
