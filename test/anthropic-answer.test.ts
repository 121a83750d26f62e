import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../router/chat.ts";
import { GatewayError } from "../router/errors.ts";
import { isJsonObject, type JsonObject } from "../router/json.ts";
import { createMessageDecoder, decodeMessage } from "../router/providers/anthropic-messages/answer.ts";
import { noRecordings, recorded, recordedEvents, textOf } from "./vendor-server.ts";

const context = { provider: "anthropic", names: { toClient: (name: string) => name } };

function stream(events: readonly (string | JsonObject)[], names = context.names): ChatEvent[] {
  const decoder = createMessageDecoder({ ...context, names });
  const seen: ChatEvent[] = [];
  for (const event of events) {
    const data = typeof event === "string" ? event : JSON.stringify(event);
    seen.push(...(decoder.push({ data })?.events ?? []));
  }
  if (!decoder.done) decoder.end();
  return seen;
}

const start = {
  type: "message_start",
  message: { id: "msg_1", model: "claude", content: [], usage: { input_tokens: 5, output_tokens: 1 } },
};
const stop = { type: "message_stop" };
const delta = (fields: JsonObject, usage?: JsonObject): JsonObject => ({
  type: "message_delta",
  delta: fields,
  ...(usage && { usage }),
});
const block = (index: number, content_block: JsonObject, ...deltas: JsonObject[]): JsonObject[] => [
  { type: "content_block_start", index, content_block },
  ...deltas.map((each): JsonObject => ({ type: "content_block_delta", index, delta: each })),
  { type: "content_block_stop", index },
];

function failure(run: () => unknown): GatewayError {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("an answer from Anthropic", () => {
  it.each([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["tool_use", "tool-calls"],
    ["pause_turn", "pause"],
    ["refusal", "content-filter"],
  ])("that ends with %s finishes with %s (46)", (rawReason, reason) => {
    const events = stream([start, delta({ stop_reason: rawReason }), stop]);
    expect(events.at(-1)).toEqual({ type: "finish", reason, rawReason });
  });

  it("finishes as unknown, with a warning, for a reason nobody knows (46)", () => {
    const events = stream([start, delta({ stop_reason: "moon_phase" }), stop]);
    expect(events).toContainEqual({ type: "warning", warning: 'stop_reason "moon_phase" is not known' });
    expect(events.at(-1)).toMatchObject({ reason: "unknown", rawReason: "moon_phase" });
  });

  it("gives the reason for a refusal as refusal text (46, 71)", () => {
    const refused = { stop_reason: "refusal", stop_details: { type: "refusal", explanation: "Not this." } };
    expect(stream([start, delta(refused), stop])).toContainEqual({ type: "refusal-delta", text: "Not this." });
  });

  it("takes no null in between for the end (49)", () => {
    const events = stream([
      start,
      delta({ stop_reason: null }),
      delta({ stop_reason: "max_tokens", stop_sequence: null }),
      stop,
    ]);
    expect(events.filter((event) => event.type === "finish")).toEqual([
      { type: "finish", reason: "length", rawReason: "max_tokens" },
    ]);
  });

  it("names the stop sequence that was met", () => {
    const events = stream([start, delta({ stop_reason: "stop_sequence", stop_sequence: "END" }), stop]);
    expect(events.at(-1)).toMatchObject({ stopSequence: "END" });
  });

  it("counts input beside cache reads and writes, and sets what comes again instead of adding it (50, 51, 52)", () => {
    const first = {
      input_tokens: 10,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
      output_tokens: 1,
      service_tier: "standard",
    };
    const last = {
      input_tokens: 12,
      cache_read_input_tokens: null,
      output_tokens: 40,
      output_tokens_details: { thinking_tokens: 25 },
    };
    const events = stream([
      { type: "message_start", message: { content: [], usage: first } },
      delta({}, { output_tokens: 7 }),
      delta({ stop_reason: "end_turn" }, last),
      stop,
    ]);
    const usage = events.find((event) => event.type === "usage");
    expect(usage?.usage).toMatchObject({
      inputTokens: 12,
      cacheReadTokens: 100,
      cacheWrite5mTokens: 10,
      cacheWrite1hTokens: 20,
      outputTokens: 40,
      reasoningTokens: 25,
      serviceTier: "standard",
      estimated: false,
    });
  });

  it("numbers tool calls from 0 whatever blocks stand before them (56)", () => {
    const events = stream([
      start,
      ...block(
        0,
        { type: "thinking", thinking: "", signature: "" },
        { type: "thinking_delta", thinking: "hm" },
        { type: "signature_delta", signature: "c2ln" },
      ),
      ...block(1, { type: "text", text: "" }, { type: "text_delta", text: "Let me look." }),
      ...block(
        2,
        { type: "tool_use", id: "t1", name: "f", input: {} },
        { type: "input_json_delta", partial_json: '{"a":' },
        { type: "input_json_delta", partial_json: "1}" },
      ),
      ...block(3, { type: "tool_use", id: "t2", name: "g", input: {} }),
      delta({ stop_reason: "tool_use" }),
      stop,
    ]);
    expect(events.slice(1, -2)).toEqual([
      { type: "thinking-delta", text: "hm" },
      {
        type: "thinking-end",
        state: { protocol: "anthropic-messages", value: { type: "thinking", thinking: "hm", signature: "c2ln" } },
      },
      { type: "text-delta", text: "Let me look." },
      { type: "tool-call-start", index: 0, id: "t1", name: "f" },
      { type: "tool-call-delta", index: 0, arguments: '{"a":' },
      { type: "tool-call-delta", index: 0, arguments: "1}" },
      { type: "tool-call-end", index: 0 },
      { type: "tool-call-start", index: 1, id: "t2", name: "g" },
      // A tool that takes nothing (14).
      { type: "tool-call-delta", index: 1, arguments: "{}" },
      { type: "tool-call-end", index: 1 },
    ]);
  });

  it("gives the client its own tool names back (15)", () => {
    const events = stream(
      [
        start,
        ...block(0, { type: "tool_use", id: "t1", name: "t_f_12345678", input: {} }),
        delta({ stop_reason: "tool_use" }),
        stop,
      ],
      { toClient: () => "f!" },
    );
    expect(events).toContainEqual(expect.objectContaining({ type: "tool-call-start", name: "f!" }));
  });

  it("keeps redacted thinking and thinking without words byte for byte (61)", () => {
    const redacted = { type: "redacted_thinking", data: "b3BhcXVl" };
    const events = stream([
      start,
      ...block(0, redacted),
      ...block(1, { type: "thinking", thinking: "", signature: "" }, { type: "signature_delta", signature: "ZQ==" }),
      delta({ stop_reason: "end_turn" }),
      stop,
    ]);
    expect(events.filter((event) => event.type === "thinking-end")).toEqual([
      { type: "thinking-end", state: { protocol: "anthropic-messages", value: redacted } },
      {
        type: "thinking-end",
        state: { protocol: "anthropic-messages", value: { type: "thinking", thinking: "", signature: "ZQ==" } },
      },
    ]);
  });

  it("keeps who called a tool, for when the call is sent back", () => {
    const caller = { type: "code_execution_20260120", tool_id: "srv_1" };
    const events = stream([
      start,
      ...block(0, { type: "tool_use", id: "t1", name: "f", input: {}, caller }),
      delta({ stop_reason: "tool_use" }),
      stop,
    ]);
    expect(events).toContainEqual({
      type: "tool-call-end",
      index: 0,
      state: { protocol: "anthropic-messages", value: { caller } },
    });
  });

  it("ignores pings and tolerates events and blocks it does not know (60)", () => {
    const events = stream([
      { type: "ping" },
      start,
      { type: "weather_report", rain: true },
      ...block(0, { type: "hologram", beams: 3 }, { type: "beam_delta", beam: 1 }),
      ...block(1, { type: "text", text: "" }, { type: "glitter_delta", text: "x" }, { type: "text_delta", text: "ok" }),
      delta({ stop_reason: "end_turn" }),
      stop,
    ]);
    expect(textOf(events)).toBe("ok");
    expect(events).toContainEqual({
      type: "vendor",
      state: { protocol: "anthropic-messages", value: { type: "hologram", beams: 3 } },
    });
  });

  it("throws the error that comes inside a stream (60, 72)", () => {
    const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
    expect(failure(() => stream([start, error])).code).toBe("overloaded");
    const limit = { type: "error", error: { type: "rate_limit_error", message: "Slow down" } };
    expect(failure(() => stream([limit])).code).toBe("rate_limited");
    expect(failure(() => decodeMessage(JSON.stringify(error), context)).code).toBe("overloaded");
  });

  it("that stops before its end is a bad answer (59)", () => {
    expect(failure(() => stream([start, ...block(0, { type: "text", text: "Half" })])).code).toBe("bad_answer");
  });

  it("that is not a message is a bad answer", () => {
    for (const text of ["{}", "[]", '"hi"', "<html>", '{"type":"message"}']) {
      expect(failure(() => decodeMessage(text, context)).code).toBe("bad_answer");
    }
  });
});

describe.skipIf(noRecordings)("recorded answers of Anthropic", () => {
  it("keep every event's own bytes for clients of the same protocol", () => {
    const events = recordedEvents("anthropic/anthropic-text.chunks.txt");
    const decoder = createMessageDecoder(context);
    expect(events.map((data) => decoder.push({ data })?.raw)).toEqual(events);
    expect(decoder.done).toBe(true);
  });

  it.each([
    "clear-thinking.1",
    "json-output-format.1",
    "json-tool.1",
    "mcp.1",
    "text",
    "tool-no-args",
    "web-search-tool.1",
    "refusal",
    "message-delta-input-tokens",
  ])("stream %s to exactly one finish behind one usage", (name) => {
    const events = stream(recordedEvents(`anthropic/anthropic-${name}.chunks.txt`));
    expect(events[0]?.type).toBe("start");
    expect(events.slice(-2).map((event) => event.type)).toEqual(["usage", "finish"]);
    expect(events.filter((event) => event.type === "finish")).toHaveLength(1);
  });

  it.each([
    "clear-thinking.1",
    "json-output-format.1",
    "json-tool.1",
    "mcp.1",
    "memory-20250818.1",
    "text",
    "tool-no-args",
    "web-search-tool.1",
    "refusal",
  ])("hold the words and calls of whole %s", (name) => {
    const text = recorded(`anthropic/anthropic-${name}.json`);
    const frame = decodeMessage(text, context);
    const message: unknown = JSON.parse(text);
    const content =
      isJsonObject(message) && Array.isArray(message["content"]) ? message["content"].filter(isJsonObject) : [];
    const words = content.map((item) => item["text"]).filter((word) => typeof word === "string");
    expect(frame.raw).toBe(text);
    expect(textOf(frame.events)).toBe(words.join(""));
    expect(frame.events.filter((event) => event.type === "tool-call-start").map((event) => event.name)).toEqual(
      content.filter((item) => item["type"] === "tool_use").map((item) => item["name"]),
    );
    expect(frame.events.at(-1)?.type).toBe("finish");
  });

  it("take the later input count of a stream (52)", () => {
    const events = stream(recordedEvents("anthropic/anthropic-message-delta-input-tokens.chunks.txt"));
    expect(events).toContainEqual(
      expect.objectContaining({ type: "usage", usage: expect.objectContaining({ inputTokens: 61, outputTokens: 2 }) }),
    );
  });

  it("give built-in tools and citations as blocks of their own protocol (17)", () => {
    const events = stream(recordedEvents("anthropic/anthropic-web-search-tool.1.chunks.txt"));
    const kinds = events
      .filter((event) => event.type === "vendor")
      .map((event) => (isJsonObject(event.state.value) ? event.state.value["type"] : undefined));
    expect(new Set(kinds)).toEqual(new Set(["server_tool_use", "web_search_tool_result", "citations_delta"]));
    const search = events.find((event) => event.type === "vendor");
    expect(search?.state.value).toMatchObject({
      name: "web_search",
      input: { query: expect.stringContaining("tech news") },
    });
  });
});
