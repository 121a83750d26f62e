import { describe, expect, it } from "vitest";
import { type AnswerStates, createStateCapture, parseStates, withStates } from "../gateway/chat/answer-states.ts";
import type { AssistantPart, ChatEvent, VendorState } from "../router/chat.ts";

const signed = (value: string): VendorState => ({ protocol: "anthropic-messages", value });

function captured(...events: readonly ChatEvent[]): AnswerStates | undefined {
  const capture = createStateCapture();
  for (const event of events) capture.push({ events: [event] });
  return capture.result();
}

function restored(content: readonly AssistantPart[], states: AnswerStates | undefined): readonly AssistantPart[] {
  if (states === undefined) throw new Error("Nothing was captured.");
  return withStates({ role: "assistant", content }, states).content;
}

const call = (index: number, id: string, state?: VendorState): readonly ChatEvent[] => [
  { type: "tool-call-start", index, id, name: "f" },
  { type: "tool-call-delta", index, arguments: "{}" },
  { type: "tool-call-end", index, ...(state === undefined ? {} : { state }) },
];
const thinking = (text: string, value: string): readonly ChatEvent[] => [
  { type: "thinking-delta", text },
  { type: "thinking-end", state: signed(value) },
];
const text = (words: string): AssistantPart => ({ type: "text", text: words });
const toolCall = (id: string): AssistantPart => ({ type: "tool-call", id, name: "f", arguments: "{}" });

const interleaved = captured(
  ...thinking("a", "A"),
  { type: "text-delta", text: "I will " },
  { type: "text-delta", text: "look." },
  ...thinking("b", "B"),
  ...call(0, "t1"),
  ...thinking("c", "C"),
  ...call(1, "t2", signed("S")),
);

describe("what a client cannot carry", () => {
  it("is nothing in an answer without a vendor's state, and in choices that do not go on", () => {
    expect(
      captured({ type: "thinking-delta", text: "hm" }, { type: "thinking-end" }, ...call(0, "t1")),
    ).toBeUndefined();
    expect(captured({ type: "thinking-end", state: signed("x"), choice: 1 })).toBeUndefined();
  });

  it("goes back between the words and calls where the vendor put it", () => {
    expect(restored([text("I will look."), toolCall("t1"), toolCall("t2")], interleaved)).toEqual([
      { type: "thinking", text: "a", state: signed("A") },
      text("I will look."),
      { type: "thinking", text: "b", state: signed("B") },
      toolCall("t1"),
      { type: "thinking", text: "c", state: signed("C") },
      { ...toolCall("t2"), state: signed("S") },
    ]);
  });

  it("stands first where the client changed the words, each call keeping its own", () => {
    expect(restored([text("Looking."), toolCall("t2")], interleaved)).toEqual([
      { type: "thinking", text: "a", state: signed("A") },
      { type: "thinking", text: "b", state: signed("B") },
      { type: "thinking", text: "c", state: signed("C") },
      text("Looking."),
      { ...toolCall("t2"), state: signed("S") },
    ]);
  });

  it("takes the place of thinking that came back as mere words", () => {
    const content = [{ type: "thinking", text: "abc" } as const, text("I will look."), toolCall("t1"), toolCall("t2")];
    expect(restored(content, interleaved)).toEqual(restored(content.slice(1), interleaved));
  });

  it("is left to a client that carries its own, thinking and calls alike", () => {
    const own = { type: "thinking", text: "own", state: signed("O") } as const;
    const ownCall = { ...toolCall("t1"), state: signed("mine") };
    expect(restored([own, text("I will look."), ownCall, toolCall("t2")], interleaved)).toEqual([
      own,
      text("I will look."),
      ownCall,
      { ...toolCall("t2"), state: signed("S") },
    ]);
  });

  it("signs the very part of the words that was signed, an empty one too", () => {
    const state: VendorState = { protocol: "gemini-generate", value: "sig" };
    const states = captured(
      { type: "text-delta", text: "Hello " },
      { type: "text-delta", text: "Anna", state },
      { type: "text-delta", text: "!" },
      { type: "text-delta", text: "", state },
    );
    const cached = { type: "text", text: "Hello Anna!", cache: { ttl: "1h" } } as const;
    expect(restored([cached], states)).toEqual([
      text("Hello "),
      { type: "text", text: "Anna", state },
      text("!"),
      { type: "text", text: "", state, cache: { ttl: "1h" } },
    ]);
    expect(restored([text("Hello Ben!")], states)).toEqual([text("Hello Ben!")]);
  });

  it("survives being written down, and is nothing when what was written is not understood", () => {
    expect(parseStates(JSON.stringify(interleaved))).toEqual(interleaved);
    for (const unknown of ["[]", "{}", '[{"type":"future"}]', '[{"type":"thinking","text":"x"}]'])
      expect(parseStates(unknown)).toBeUndefined();
  });
});
