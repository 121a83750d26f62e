import type { ChatEvent } from "./chat.ts";
import { GatewayError } from "./errors.ts";
import type { AnswerFrame } from "./provider.ts";

export type HoldLimits = { readonly maxHeldEvents: number; readonly maxHeldBytes: number };

/**
 * Reads frames until the first meaningful event, so that a failure inside an HTTP 200 can still fall back. Gives back
 * every frame read. Throws `bad_answer` for an answer that ends before it says anything.
 */
export async function holdBack(
  frames: AsyncIterator<AnswerFrame>,
  limits: HoldLimits,
): Promise<readonly AnswerFrame[]> {
  const held: AnswerFrame[] = [];
  let events = 0;
  let bytes = 0;
  // Past either limit the answer is let through unread: a vendor that only sends pings must not fill the memory.
  while (events < limits.maxHeldEvents && bytes < limits.maxHeldBytes) {
    const step = await frames.next();
    if (step.done === true) throw new GatewayError("bad_answer", "the vendor's answer ended before it said anything");
    held.push(step.value);
    events += Math.max(1, step.value.events.length);
    bytes += step.value.raw?.length ?? 0;
    if (step.value.events.some(isMeaningful)) break;
  }
  return held;
}

/** Does this event tell the client anything that a retry could not take back? */
function isMeaningful(event: ChatEvent): boolean {
  switch (event.type) {
    case "text-delta":
    case "refusal-delta":
    case "thinking-delta":
      return event.text !== "" || ("state" in event && event.state !== undefined);
    case "thinking-end":
    case "tool-call-start":
    case "tool-call-delta":
    case "tool-call-end":
    case "vendor":
    case "finish":
      return true;
    case "start":
    case "warning":
    case "usage":
      return false;
  }
}
