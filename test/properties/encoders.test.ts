import { assert, property } from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnswerInfo, Dialect } from "../../gateway/dialects/dialect.ts";
import { anthropicMessages } from "../../gateway/dialects/anthropic-messages/dialect.ts";
import { openAiChat } from "../../gateway/dialects/openai-chat/dialect.ts";
import { openAiResponses } from "../../gateway/dialects/openai-responses/dialect.ts";
import type { ChatEvent, ChatMessage } from "../../router/chat.ts";
import type { JsonObject } from "../../router/json.ts";
import { chatRequest } from "../chat-call.ts";
import { type Answer, readChatWhole, readMessagesWhole, readResponsesWhole } from "../conformance/dialect/answer.ts";
import { bodyIn, type DialectName, say } from "../conformance/dialect/ask.ts";
import { readChatStream } from "../conformance/dialect/seen-chat.ts";
import { readMessagesStream } from "../conformance/dialect/seen-messages.ts";
import { readResponsesStream } from "../conformance/dialect/seen-responses.ts";
import { toEvents } from "../conformance/dialect/seen.ts";
import { summarise } from "../conformance/provider/answer-rules.ts";
import { answers, runs } from "./arbitraries.ts";

const rows = [
  { name: "openai-chat", dialect: openAiChat, readStream: readChatStream, readWhole: readChatWhole },
  {
    name: "openai-responses",
    dialect: openAiResponses,
    readStream: readResponsesStream,
    readWhole: readResponsesWhole,
  },
  {
    name: "anthropic-messages",
    dialect: anthropicMessages,
    readStream: readMessagesStream,
    readWhole: readMessagesWhole,
  },
] as const satisfies { name: DialectName; dialect: Dialect; readStream: unknown; readWhole: unknown }[];

function infoFor(name: DialectName, stream: boolean): AnswerInfo {
  const request = chatRequest({ dialect: name, stream, includeUsage: true, raw: { model: "m", store: false } });
  return { request, trace: "tl-1", modelId: "m", createdSeconds: 1_000, passThrough: false };
}

function streamed(dialect: Dialect, name: DialectName, events: readonly ChatEvent[]): string {
  const encoder = dialect.createStreamEncoder(infoFor(name, true));
  return events.map((event) => encoder.push({ events: [event] })).join("") + encoder.end();
}

function whole(dialect: Dialect, name: DialectName, events: readonly ChatEvent[]): JsonObject {
  const encoder = dialect.createWholeEncoder(infoFor(name, false));
  for (const event of events) encoder.push({ events: [event] });
  return JSON.parse(encoder.end()) as JsonObject;
}

/** A client that asked for usage is owed it only where the vendor told any. */
const faultsBut = ({ faults }: Answer): readonly string[] => faults.filter((fault) => !fault.startsWith("the usage"));

const toolArguments = (text: string): unknown => JSON.parse(text === "" ? "{}" : text) as unknown;

describe.each(rows)("an answer in $name", ({ name, dialect, readStream, readWhole }) => {
  it("says the same streamed, whole and in our own words", () => {
    assert(
      property(answers, (events) => {
        const fromStream = readStream(toEvents(streamed(dialect, name, events)));
        const fromWhole = readWhole(whole(dialect, name, events));
        expect(faultsBut(fromStream)).toEqual([]);
        expect(faultsBut(fromWhole)).toEqual([]);
        const said = summarise(events);
        const [text = "", refusal = ""] = [said.text[0], said.refusal[0]];
        for (const answer of [fromStream, fromWhole]) {
          // Anthropic's messages have one place for both.
          expect(answer.text).toBe(name === "anthropic-messages" ? text + refusal : text);
          expect(answer.calls.map((call) => [call.id, call.name, toolArguments(call.arguments)])).toEqual(
            said.calls.map((call) => [call.id, call.name, toolArguments(call.arguments)]),
          );
        }
        expect(fromStream.finish).toBe(fromWhole.finish);
        expect(fromStream.usage).toEqual(fromWhole.usage);
        expect(fromStream.thinking.replaceAll("\n", "")).toBe(fromWhole.thinking.replaceAll("\n", ""));
      }),
      { numRuns: runs(150) },
    );
  });

  it("tells the tokens the vendor told", () => {
    assert(
      property(answers, (events) => {
        const told = events.find((event) => event.type === "usage")?.usage;
        const { usage } = readWhole(whole(dialect, name, events));
        const { inputTokens = 0, cacheReadTokens = 0, cacheWrite5mTokens = 0, cacheWrite1hTokens = 0 } = told ?? {};
        const input = inputTokens + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens;
        const counted = { input, cached: cacheReadTokens, output: told?.outputTokens ?? 0 };
        expect(usage ?? { input: 0, cached: 0, output: 0 }).toEqual(counted);
      }),
      { numRuns: runs(100) },
    );
  });

  it("means the same when the client sends it back", () => {
    assert(
      property(answers, (events) => {
        const { echo } = readWhole(whole(dialect, name, events));
        const ask = { turns: [say("Before."), { role: "echo" as const, items: echo }, say("After.")] };
        const parsed = dialect.parse({ model: "m", ...bodyIn[name](ask, false) }, {});
        const back = parsed.messages.flatMap((message) => (message.role === "assistant" ? message.content : []));
        const said = summarise(events);
        const [text = "", refusal = ""] = [said.text[0], said.refusal[0]];
        expect(textIn(back)).toBe(text + refusal);
        expect(callsIn(back)).toEqual(said.calls.map((call) => [call.id, call.name, toolArguments(call.arguments)]));
      }),
      { numRuns: runs(100) },
    );
  });
});

type AssistantParts = Extract<ChatMessage, { role: "assistant" }>["content"];

function textIn(parts: AssistantParts): string {
  const words = (type: "text" | "refusal"): string =>
    parts.map((part) => (part.type === type ? part.text : "")).join("");
  return words("text") + words("refusal");
}

function callsIn(parts: AssistantParts): unknown[] {
  return parts.flatMap((part) =>
    part.type === "tool-call" ? [[part.id, part.name, toolArguments(part.arguments)]] : [],
  );
}
