import type { AssistantPart, ChatMessage, TextPart, ThinkingPart, VendorState } from "../../router/chat.ts";
import { isJsonObject, type JsonValue } from "../../router/json.ts";
import type { AnswerFrame } from "../../router/provider.ts";

/**
 * An answer as its vendor gave it, in order, with what only that vendor can read. Words and arguments are the client's
 * to send back, so of a text only its length is kept, and of a call its id.
 */
export type AnswerStates = readonly AnswerPiece[];

type AnswerPiece =
  | { readonly type: "thinking"; readonly text: string; readonly state: VendorState }
  | { readonly type: "text"; readonly length: number; readonly state?: VendorState }
  | { readonly type: "tool-call"; readonly id: string; readonly state?: VendorState };

export interface StateCapture {
  push(frame: AnswerFrame): void;
  /** `undefined` when the vendor gave nothing that must come back. */
  result(): AnswerStates | undefined;
}

/** Reads the first choice, which is how the conversation goes on. Thinking without a state cannot be sent back. */
export function createStateCapture(): StateCapture {
  const pieces: AnswerPiece[] = [];
  /** Places of the calls in `pieces`, by the answer's own numbering. */
  const calls = new Map<number, number>();
  let thinking = "";
  let holdsState = false;

  function addText(length: number, state: VendorState | undefined): void {
    const last = pieces.at(-1);
    if (state !== undefined) pieces.push({ type: "text", length, state });
    else if (last?.type === "text" && last.state === undefined) {
      pieces[pieces.length - 1] = { type: "text", length: last.length + length };
    } else pieces.push({ type: "text", length });
  }

  return {
    push({ events }) {
      for (const event of events) {
        if ("choice" in event && (event.choice ?? 0) !== 0) continue;
        if ("state" in event && event.state !== undefined && event.type !== "vendor") holdsState = true;
        switch (event.type) {
          case "text-delta":
            addText(event.text.length, event.state);
            break;
          case "thinking-delta":
            thinking += event.text;
            break;
          case "thinking-end":
            if (event.state !== undefined) pieces.push({ type: "thinking", text: thinking, state: event.state });
            thinking = "";
            break;
          case "tool-call-start":
            calls.set(event.index, pieces.length);
            pieces.push({ type: "tool-call", id: event.id });
            break;
          case "tool-call-end": {
            const place = calls.get(event.index);
            const call = place === undefined ? undefined : pieces[place];
            if (place !== undefined && call?.type === "tool-call" && event.state !== undefined) {
              pieces[place] = { ...call, state: event.state };
            }
            break;
          }
          case "start":
          case "refusal-delta":
          case "tool-call-delta":
          case "vendor":
          case "warning":
          case "usage":
          case "finish":
            break;
        }
      }
    },
    result: () => (holdsState ? pieces : undefined),
  };
}

type AssistantMessage = Extract<ChatMessage, { role: "assistant" }>;

/**
 * The client's assistant message with what it could not carry. Thinking that it did carry stays, and then ours is left
 * out. Where the words and calls are those of the answer, everything stands in the vendor's order; where the client has
 * changed them, thinking comes first and each call has its own state.
 */
export function withStates(message: AssistantMessage, states: AnswerStates): AssistantMessage {
  const { content } = message;
  const carriesThinking = content.some((part) => part.type === "thinking" && part.state !== undefined);
  const thinks = !carriesThinking && states.some((piece) => piece.type === "thinking");
  // Thinking as mere words is what some clients make of the very blocks that are put back.
  const own = thinks ? content.filter((part) => part.type !== "thinking") : content;
  const ordered = carriesThinking ? undefined : inOrder(own, states);
  if (ordered !== undefined) return { ...message, content: ordered };
  const first = thinks ? states.flatMap((piece) => (piece.type === "thinking" ? [toThinking(piece)] : [])) : [];
  return { ...message, content: [...first, ...own.map((part) => withCallState(part, states))] };
}

/** `undefined` where the message is not made of the answer's words and calls, perhaps with thinking as mere words. */
function inOrder(content: readonly AssistantPart[], states: AnswerStates): readonly AssistantPart[] | undefined {
  const own = content.filter((part) => part.type !== "thinking");
  const texts = own.filter((part) => part.type === "text");
  const calls = own.filter((part) => part.type === "tool-call");
  if (texts.length + calls.length < own.length) return undefined;
  const text = texts.map((part) => part.text).join("");
  const ids = states.flatMap((piece) => (piece.type === "tool-call" ? [piece.id] : []));
  const length = states.reduce((sum, piece) => sum + (piece.type === "text" ? piece.length : 0), 0);
  if (length !== text.length || ids.length !== calls.length || calls.some((call, at) => call.id !== ids[at])) {
    return undefined;
  }
  const lastText = states.findLastIndex((piece) => piece.type === "text");
  const cache = texts.findLast((part) => part.cache !== undefined)?.cache;
  const parts: AssistantPart[] = content.filter((part) => part.type === "thinking");
  let start = 0;
  let nextCall = 0;
  for (const [at, piece] of states.entries()) {
    if (piece.type === "thinking") parts.push(toThinking(piece));
    else if (piece.type === "text") {
      const words = text.slice(start, start + piece.length);
      start += piece.length;
      const part: TextPart = { type: "text", text: words, ...stateOf(piece) };
      parts.push(at === lastText && cache !== undefined ? { ...part, cache } : part);
    } else {
      const call = calls[nextCall];
      nextCall += 1;
      if (call !== undefined) parts.push(withCallState(call, states));
    }
  }
  return parts;
}

function withCallState(part: AssistantPart, states: AnswerStates): AssistantPart {
  if (part.type !== "tool-call" || part.state !== undefined) return part;
  const piece = states.find((one) => one.type === "tool-call" && one.id === part.id);
  return piece === undefined ? part : { ...part, ...stateOf(piece) };
}

function toThinking({ text, state }: Extract<AnswerPiece, { type: "thinking" }>): ThinkingPart {
  return { type: "thinking", text, state };
}

function stateOf({ state }: AnswerPiece): { readonly state?: VendorState } {
  return state === undefined ? {} : { state };
}

/** What was kept, read back. `undefined` for what this version does not understand. */
export function parseStates(text: string): AnswerStates | undefined {
  const value: JsonValue = JSON.parse(text);
  const pieces: readonly JsonValue[] = Array.isArray(value) ? value : [];
  return pieces.length > 0 && pieces.every(isPiece) ? pieces.filter(isPiece) : undefined;
}

function isPiece(value: JsonValue): value is JsonValue & AnswerPiece {
  if (!isJsonObject(value)) return false;
  const { state } = value;
  const hasState = isJsonObject(state) && typeof state["protocol"] === "string" && state["value"] !== undefined;
  switch (value["type"]) {
    case "thinking":
      return typeof value["text"] === "string" && hasState;
    case "text":
      return typeof value["length"] === "number";
    case "tool-call":
      return typeof value["id"] === "string";
    default:
      return false;
  }
}
