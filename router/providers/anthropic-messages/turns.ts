import type { ProviderCall } from "../../provider.ts";
import type { Block } from "./block.ts";

export type Turn = { readonly role: "user" | "assistant" | "system"; blocks: Block[] };

/** Brings turns into the order Anthropic insists on, in place. Everything it adds or takes away is warned of. */
export function repairTurns(turns: Turn[], call: Pick<ProviderCall, "model" | "warn">): void {
  answerToolCalls(turns, call.warn);
  for (const turn of turns) {
    // An empty turn cannot simply go: its neighbours would then be the same speaker.
    if (turn.blocks.length === 0) turn.blocks.push({ type: "text", text: "(empty message)" });
  }
  if (turns[0]?.role !== "user") turns.unshift(userTurn("(Start of the conversation.)"));
  settlePrefill(turns, call);
}

const noResult = "No result provided";

/** Anthropic wants each call answered in the very next turn, once, and no answer without its call. */
function answerToolCalls(turns: Turn[], warn: ProviderCall["warn"]): void {
  for (let index = 0; index < turns.length; index += 1) {
    const turn = turns[index];
    if (turn?.role !== "user") continue;
    const before = turns[index - 1];
    settleResults(turn, before?.role === "assistant" ? callIds(before) : [], warn);
  }
  // From the end, because turns are put in.
  for (let index = turns.length - 1; index >= 0; index -= 1) {
    const turn = turns[index];
    if (turn?.role !== "assistant" || turns[index + 1]?.role === "user") continue;
    const ids = callIds(turn);
    if (ids.length === 0) continue;
    const answers: Turn = { role: "user", blocks: [] };
    settleResults(answers, ids, warn);
    turns.splice(index + 1, 0, answers);
  }
}

/** Results stand first in their turn, then the user's own words. */
function settleResults(turn: Turn, ids: readonly string[], warn: ProviderCall["warn"]): void {
  const waiting = new Set(ids);
  const results: Block[] = [];
  const rest: Block[] = [];
  for (const block of turn.blocks) {
    const id = block["tool_use_id"];
    if (block["type"] !== "tool_result" || typeof id !== "string") rest.push(block);
    else if (waiting.delete(id)) results.push(block);
    else warn(`tool result "${id}": left out, no call before it asked for it`);
  }
  for (const id of waiting) {
    warn(`tool call "${id}": it has no result, so an error was sent as one`);
    results.push({ type: "tool_result", tool_use_id: id, content: noResult, is_error: true });
  }
  turn.blocks = [...results, ...rest];
}

function callIds(turn: Turn): string[] {
  return turn.blocks
    .filter((block) => block["type"] === "tool_use")
    .map((block) => block["id"])
    .filter((id) => typeof id === "string");
}

/** Said to a model that refuses to go on from its own last message. */
export const continuation = "Continue your last message exactly where it stops, without repeating any of it.";

function settlePrefill(turns: Turn[], { model, warn }: Pick<ProviderCall, "model" | "warn">): void {
  const last = turns.at(-1);
  if (last?.role !== "assistant") return;
  if (!model.capabilities.prefill) {
    warn("prefill: this model cannot continue an answer");
    turns.push(userTurn(continuation));
    return;
  }
  const block = last.blocks.at(-1);
  // Anthropic refuses a last answer that ends in white space.
  if (typeof block?.["text"] === "string") block["text"] = block["text"].trimEnd();
}

function userTurn(text: string): Turn {
  return { role: "user", blocks: [{ type: "text", text }] };
}
