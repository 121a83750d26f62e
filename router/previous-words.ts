import type { ChatMessage } from "./chat.ts";
import type { RouteContext } from "./router.ts";
import { userWords } from "./user-words.ts";

/** A turn longer than this says itself what it is about. */
const shortTurnChars = 80;
/** A class shows in the beginning; a pasted file behind it does not help. */
const maxEarlierChars = 2_000;
/** How far back a conversation is searched: tool loops put many messages between two words of the user. */
const maxMessagesBack = 50;

/** What the user said before the last turn, when that turn is short enough to lean on it ("and in French?"). */
export function previousUserWords(
  messages: readonly ChatMessage[],
  context: Pick<RouteContext, "turnText">,
): string | undefined {
  if (context.turnText.length > shortTurnChars) return undefined;
  let turns = 0;
  for (let index = messages.length - 1; index >= Math.max(0, messages.length - maxMessagesBack); index -= 1) {
    const message = messages[index];
    if (message?.role !== "user") continue;
    const text = message.content.find((part) => part.type === "text")?.text;
    if (text === undefined) continue;
    turns += 1;
    if (turns === 2) return userWords(text.slice(0, maxEarlierChars));
  }
  return undefined;
}
