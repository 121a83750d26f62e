import { expect } from "vitest";
import type { ChatEvent } from "../../../router/chat.ts";
import type { AnswerFrame } from "../../../router/provider.ts";

export async function collect(frames: AsyncIterable<AnswerFrame>): Promise<AnswerFrame[]> {
  const collected: AnswerFrame[] = [];
  for await (const frame of frames) collected.push(frame);
  return collected;
}

export function eventsOf(frames: readonly AnswerFrame[]): ChatEvent[] {
  return frames.flatMap((frame) => frame.events);
}

/** The contract beside `ChatEvent`, checked on any answer. */
export function checkAnswer(events: readonly ChatEvent[]): void {
  const types = events.map((event) => event.type);
  expect(types.indexOf("start"), "the start is first").toBe(0);
  expect(types.lastIndexOf("start"), "there is one start").toBe(0);
  expect(types.filter((type) => type === "usage").length, "at most one usage").toBeLessThanOrEqual(1);
  expect(types.at(-1), "the last event is a finish").toBe("finish");
  const choices = new Map<number, ChoiceState>();
  for (const event of events) checkEvent(choices, event);
  for (const [choice, state] of choices) {
    expect(state.finished, `choice ${choice} finished`).toBe(true);
    expect(
      state.calls.every((call) => call === "ended"),
      `every call of choice ${choice} ended`,
    ).toBe(true);
  }
}

type ChoiceState = { finished: boolean; thinking: boolean; calls: ("open" | "ended")[] };

function checkEvent(choices: Map<number, ChoiceState>, event: ChatEvent): void {
  if (event.type === "start" || event.type === "usage" || event.type === "warning") return;
  const number = event.choice ?? 0;
  const state = choices.get(number) ?? { finished: false, thinking: false, calls: [] };
  choices.set(number, state);
  expect(state.finished, `no ${event.type} after the finish of choice ${number}`).toBe(false);
  switch (event.type) {
    case "text-delta":
      expect(event.text !== "" || event.state !== undefined, "no empty text").toBe(true);
      break;
    case "refusal-delta":
      expect(event.text).not.toBe("");
      break;
    case "thinking-delta":
      state.thinking = true;
      break;
    case "thinking-end":
      state.thinking = false;
      break;
    case "tool-call-start":
      expect(event.index, "calls are numbered from 0 without gaps").toBe(state.calls.length);
      expect(event.id).not.toBe("");
      expect(event.name).not.toBe("");
      state.calls.push("open");
      break;
    case "tool-call-delta":
      expect(state.calls[event.index], "arguments come inside their call").toBe("open");
      break;
    case "tool-call-end":
      expect(state.calls[event.index], "a call ends once").toBe("open");
      state.calls[event.index] = "ended";
      break;
    case "vendor":
      break;
    case "finish":
      expect(state.thinking, "thinking is closed before the finish").toBe(false);
      state.finished = true;
      break;
  }
}

/** What an answer says, however many deltas it took. */
export type Summary = {
  readonly text: Record<number, string>;
  readonly thinking: Record<number, string>;
  readonly refusal: Record<number, string>;
  readonly calls: { readonly choice: number; readonly name: string; readonly id: string; arguments: string }[];
  readonly usage: unknown;
  readonly finish: Record<number, string>;
};

export function summarise(events: readonly ChatEvent[]): Summary {
  const summary: Summary = { text: {}, thinking: {}, refusal: {}, calls: [], usage: undefined, finish: {} };
  let usage: unknown;
  for (const event of events) {
    if (event.type === "usage") usage = { ...event.usage, raw: undefined };
    if (event.type === "start" || event.type === "usage" || event.type === "warning") continue;
    const choice = event.choice ?? 0;
    switch (event.type) {
      case "text-delta":
        summary.text[choice] = (summary.text[choice] ?? "") + event.text;
        break;
      case "thinking-delta":
        summary.thinking[choice] = (summary.thinking[choice] ?? "") + event.text;
        break;
      case "refusal-delta":
        summary.refusal[choice] = (summary.refusal[choice] ?? "") + event.text;
        break;
      case "tool-call-start":
        summary.calls.push({ choice, name: event.name, id: event.id, arguments: "" });
        break;
      case "tool-call-delta": {
        const call = summary.calls.filter((one) => one.choice === choice)[event.index];
        if (call !== undefined) call.arguments += event.arguments;
        break;
      }
      case "finish":
        summary.finish[choice] = event.reason;
        break;
      case "thinking-end":
      case "tool-call-end":
      case "vendor":
        break;
    }
  }
  return { ...summary, usage };
}
