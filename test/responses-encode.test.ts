import { array, assert, constant, nat, oneof, property, record, string, type Arbitrary } from "fast-check";
import { describe, expect, it } from "vitest";
import { openAiResponses } from "../gateway/dialects/openai-responses/dialect.ts";
import type { AnswerInfo } from "../gateway/dialects/dialect.ts";
import type { ChatEvent } from "../router/chat.ts";
import { GatewayError } from "../router/errors.ts";
import type { JsonObject } from "../router/json.ts";
import { noUsage } from "../router/usage.ts";
import { faultsOf } from "./support/openai-schema.ts";
import { responseEvents, show, streamFaults } from "./support/responses-client.ts";

const info = (body: JsonObject = {}): AnswerInfo => ({
  request: openAiResponses.parse({ model: "auto", input: "x", ...body }, {}),
  trace: "tl-0123",
  modelId: "claude-x",
  createdSeconds: 1_700_000_000,
  passThrough: false,
});
const start: ChatEvent = { type: "start", id: "msg_vendor", model: "claude-x" };
const done: ChatEvent = { type: "finish", reason: "stop", rawReason: "end_turn" };
const text = (words: string): ChatEvent => ({ type: "text-delta", text: words });

function stream(events: readonly ChatEvent[], body: JsonObject = {}): JsonObject[] {
  const encoder = openAiResponses.createStreamEncoder(info(body));
  const written = events.map((event) => encoder.push({ events: [event] })).join("");
  return responseEvents(written + encoder.end());
}

function whole(events: readonly ChatEvent[], body: JsonObject = {}): JsonObject {
  const encoder = openAiResponses.createWholeEncoder(info(body));
  for (const event of events) encoder.push({ events: [event] });
  return JSON.parse(encoder.end()) as JsonObject;
}

const outputOf = (events: readonly ChatEvent[], body: JsonObject = {}) => {
  const streamed = stream(events, body);
  expect(streamFaults(streamed)).toEqual([]);
  const response = whole(events, body);
  expect(faultsOf("Response", response)).toEqual([]);
  expect(streamed.at(-1)?.["response"]).toEqual(response);
  return response["output"];
};

describe("an answer in our words", () => {
  it("of nothing at all is a response without output", () => {
    expect(outputOf([start, done])).toEqual([]);
  });

  it("has one item open at a time, though calls come interleaved", () => {
    const output = outputOf([
      start,
      { type: "thinking-delta", text: "Hm" },
      { type: "thinking-end" },
      text("I will "),
      text("look."),
      { type: "tool-call-start", index: 0, id: "a", name: "f" },
      { type: "tool-call-start", index: 1, id: "b", name: "g" },
      { type: "tool-call-delta", index: 1, arguments: '{"b":' },
      { type: "tool-call-delta", index: 0, arguments: '{"a":1}' },
      { type: "tool-call-delta", index: 1, arguments: "2}" },
      { type: "tool-call-end", index: 1 },
      { type: "tool-call-end", index: 0 },
      { type: "tool-call-start", index: 2, id: "c", name: "h" },
      { type: "tool-call-end", index: 2 },
      { type: "finish", reason: "tool-calls", rawReason: "tool_use" },
    ]);
    expect(output).toMatchObject([
      { type: "reasoning", summary: [{ type: "summary_text", text: "Hm" }] },
      { type: "message", status: "completed", content: [{ type: "output_text", text: "I will look." }] },
      { type: "function_call", call_id: "a", name: "f", arguments: '{"a":1}' },
      { type: "function_call", call_id: "b", name: "g", arguments: '{"b":2}' },
      { type: "function_call", call_id: "c", name: "h", arguments: "{}" },
    ]);
  });

  it("keeps ids the same from an item's opening to its end", () => {
    const events = stream([start, text("a"), { type: "tool-call-start", index: 0, id: "c", name: "f" }, done]);
    const ids = events.map((event) => event["item_id"] ?? (event["item"] as JsonObject | undefined)?.["id"]);
    expect(new Set(ids.filter((id) => id !== undefined))).toEqual(new Set(["msg_tl_0123_0", "fc_tl_0123_1"]));
  });

  it("has a refusal as a part beside the text", () => {
    const output = outputOf([start, text("Well. "), { type: "refusal-delta", text: "No." }, done]);
    expect(output).toMatchObject([
      {
        content: [
          { type: "output_text", text: "Well. " },
          { type: "refusal", refusal: "No." },
        ],
      },
    ]);
  });

  it.each([
    ["length", "max_output_tokens"],
    ["content-filter", "content_filter"],
  ] as const)("that ended by %s is incomplete", (reason, said) => {
    const events: ChatEvent[] = [start, text("Once"), { type: "finish", reason, rawReason: reason }];
    expect(outputOf(events)).toMatchObject([{ status: "incomplete" }]);
    expect(whole(events)).toMatchObject({ status: "incomplete", incomplete_details: { reason: said } });
    expect(stream(events).at(-1)?.["type"]).toBe("response.incomplete");
  });

  it("leaves half a call as it came when a limit cut it off", () => {
    const output = outputOf([
      start,
      { type: "tool-call-start", index: 0, id: "a", name: "f" },
      { type: "tool-call-delta", index: 0, arguments: '{"a":' },
      { type: "finish", reason: "length", rawReason: "max_tokens" },
    ]);
    expect(output).toMatchObject([{ arguments: '{"a":', status: "incomplete" }]);
  });

  it("gives a vendor's state to the client only when it asks to carry it", () => {
    const state = { protocol: "anthropic-messages", value: { type: "thinking", signature: "s" } } as const;
    const events: ChatEvent[] = [start, { type: "thinking-delta", text: "Hm" }, { type: "thinking-end", state }, done];
    expect(JSON.stringify(outputOf(events))).not.toContain("encrypted_content");
    const carried = outputOf(events, { include: ["reasoning.encrypted_content"] });
    const [message] = openAiResponses.parse({ model: "auto", input: carried ?? null }, {}).messages;
    expect(message?.content).toEqual([{ type: "thinking", text: "Hm", state }]);
  });

  it("has a redacted thought as reasoning without words", () => {
    const state = { protocol: "anthropic-messages", value: { type: "redacted_thinking", data: "d" } } as const;
    expect(outputOf([start, { type: "thinking-end", state }, text("a"), done])).toMatchObject([
      { type: "reasoning", summary: [] },
      { type: "message" },
    ]);
  });

  it("counts tokens as OpenAI does, cached ones inside the input", () => {
    const usage = {
      ...noUsage,
      inputTokens: 5,
      cacheReadTokens: 3,
      cacheWrite1hTokens: 2,
      outputTokens: 7,
      reasoningTokens: 4,
    };
    expect(whole([start, text("a"), { type: "usage", usage }, done])["usage"]).toEqual({
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 3, cache_write_tokens: 2 },
      output_tokens: 7,
      output_tokens_details: { reasoning_tokens: 4 },
      total_tokens: 17,
    });
  });

  it("writes no word of another choice", () => {
    expect(outputOf([start, text("a"), { type: "text-delta", text: "b", choice: 1 }, done])).toMatchObject([
      { content: [{ text: "a" }] },
    ]);
  });

  it("fails after its first word with an error and a failed response", () => {
    const encoder = openAiResponses.createStreamEncoder(info());
    const opened = encoder.push({ events: [start, text("On")] });
    const events = responseEvents(opened + encoder.fail(new GatewayError("overloaded", "Come back later.")));
    expect(events.slice(-2)).toMatchObject([
      { type: "error", message: "Come back later." },
      { type: "response.failed", response: { status: "failed", error: { code: "rate_limit_exceeded" } } },
    ]);
    expect(events.flatMap((event) => faultsOf("ResponseStreamEvent", event))).toEqual([]);
    expect(events.map((event) => event["sequence_number"])).toEqual(events.map((_event, index) => index));
  });

  it("that fails before its first word is a stream all the same", () => {
    const encoder = openAiResponses.createStreamEncoder(info());
    const events = responseEvents(encoder.fail(new GatewayError("internal", "Sorry.")));
    expect(events.map((event) => event["type"])).toEqual([
      "response.created",
      "response.in_progress",
      "error",
      "response.failed",
    ]);
  });

  it("repeats what the client asked for", () => {
    const asked = {
      instructions: "Be brief.",
      max_output_tokens: 50,
      temperature: 0.5,
      metadata: { a: "b" },
      tools: [{ type: "function", name: "f" }],
      reasoning: { effort: "low" },
      text: { format: { type: "json_object" } },
      store: false,
    };
    expect(whole([start, text("{}"), done], asked)).toMatchObject({
      ...asked,
      tools: [{ type: "function", name: "f", parameters: null, strict: true }],
      previous_response_id: null,
    });
  });
});

const anyEvent: Arbitrary<ChatEvent> = oneof(
  string().map(text),
  string().map((words): ChatEvent => ({ type: "refusal-delta", text: words })),
  string().map((words): ChatEvent => ({ type: "thinking-delta", text: words })),
  constant<ChatEvent>({ type: "thinking-end" }),
  constant<ChatEvent>({
    type: "thinking-end",
    state: { protocol: "anthropic-messages", value: { signature: "s" } },
  }),
  nat(3).map((index): ChatEvent => ({ type: "tool-call-start", index, id: `call_${index}`, name: "f" })),
  record({ index: nat(3), arguments: string() }).map(({ index, arguments: args }): ChatEvent => ({
    type: "tool-call-delta",
    index,
    arguments: args,
  })),
  nat(3).map((index): ChatEvent => ({ type: "tool-call-end", index })),
  constant<ChatEvent>({ type: "warning", warning: "w" }),
);

describe("whatever a vendor sends in whatever order", () => {
  it("is a stream that OpenAI's clients can follow, and says the same whole", () => {
    assert(
      property(array(anyEvent, { maxLength: 30 }), (events) => {
        const output = outputOf([start, ...events, done]);
        expect(Array.isArray(output)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it("loses no word", () => {
    assert(
      property(array(string(), { maxLength: 20 }), (words) => {
        const streamed = stream([start, ...words.map(text), done]);
        const deltas = streamed.filter((event) => event["type"] === "response.output_text.delta");
        expect(deltas.map((event) => show(event["delta"])).join("")).toBe(words.join(""));
      }),
    );
  });
});
