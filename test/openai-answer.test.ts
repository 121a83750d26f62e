import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../router/chat.ts";
import type { JsonValue } from "../router/json.ts";
import { createPooledFetch } from "../router/pooled-fetch.ts";
import { ChatDecoder, decodeWholeChat } from "../router/providers/openai-chat/answer.ts";
import { toChatUsage } from "../router/providers/openai-chat/usage.ts";
import { openAiErrors } from "../router/providers/openai-errors.ts";
import { ResponsesDecoder } from "../router/providers/openai-responses/answer.ts";
import { createOpenAiProvider } from "../router/providers/openai.ts";
import { chatModel, chatRequest } from "./chat-call.ts";
import { checkAnswer, collect, eventsOf, summarise } from "./conformance/provider/answer-rules.ts";
import { startFakeVendor } from "./conformance/provider/fake-vendor.ts";

const options = { provider: "acme", rules: openAiErrors, choices: 1, toClientToolName: (name: string): string => name };
const delta = (value: JsonValue, finish: string | null = null): JsonValue => ({
  id: "c",
  model: "m",
  choices: [{ index: 0, delta: value, finish_reason: finish }],
});

function streamed(chunks: readonly JsonValue[], ending: readonly string[] = ["[DONE]"]): ChatEvent[] {
  const decoder = new ChatDecoder(options);
  const frames = [...chunks.map((chunk) => JSON.stringify(chunk)), ...ending].map((data) => decoder.push({ data }));
  const events = [...frames, decoder.end()].flatMap((frame) => frame?.events ?? []);
  checkAnswer(events);
  return events;
}

const toolDelta = (parts: JsonValue): JsonValue => delta({ tool_calls: [parts] });

describe("a Chat Completions answer of a host with habits", () => {
  it("has its calls told apart where all are numbered 0, or none is", () => {
    for (const index of [{ index: 0 }, {}]) {
      const { calls, finish } = summarise(
        streamed([
          toolDelta({ ...index, id: "a", function: { name: "x", arguments: "{}" } }),
          toolDelta({ ...index, id: "b", function: { name: "y", arguments: { deep: [1] } } }),
          delta({}, "stop"),
        ]),
      );
      expect(calls).toEqual([
        { choice: 0, id: "a", name: "x", arguments: "{}" },
        { choice: 0, id: "b", name: "y", arguments: '{"deep":[1]}' },
      ]);
      expect(finish).toEqual({ 0: "tool-calls" });
    }
  });

  it("gives a call without an id one that is the same for each choice and place", () => {
    const chunks = [toolDelta({ index: 0, function: { name: "x", arguments: "" } }), delta({}, "tool_calls")];
    expect(summarise(streamed(chunks)).calls).toEqual(summarise(streamed(chunks)).calls);
    expect(summarise(streamed(chunks)).calls[0]?.id).toBe("call_c_0_0");
  });

  it("repeats an id without opening the call again", () => {
    const part = { index: 0, id: "a", function: { name: "x", arguments: "{" } };
    const { calls } = summarise(
      streamed([toolDelta(part), toolDelta({ ...part, function: { name: "x", arguments: "}" } })]),
    );
    expect(calls).toEqual([{ choice: 0, id: "a", name: "x", arguments: "{}" }]);
  });

  it("starts with Azure's filter results, which are no start", () => {
    const events = streamed([
      { id: "", model: "", choices: [], prompt_filter_results: [] },
      delta({ content: "x" }, "stop"),
    ]);
    expect(events[0]).toEqual({ type: "start", id: "c", model: "m" });
  });

  it("thinks before it speaks, in whichever field", () => {
    const chunks = [delta({ reasoning: "Hm" }), delta({ content: "Yes" }), delta({}, "end_turn")];
    expect(streamed(chunks).map((event) => event.type)).toEqual([
      "start",
      "thinking-delta",
      "thinking-end",
      "text-delta",
      "finish",
    ]);
    const parts = [{ type: "thinking", thinking: [{ type: "text", text: "Hm" }] }];
    expect(summarise(streamed([delta({ content: parts }, "stop")]))).toMatchObject({ thinking: { 0: "Hm" }, text: {} });
  });

  it("says [DONE] without a finish, and that is no stop", () => {
    expect(streamed([delta({ content: "x" })]).at(-1)).toEqual({ type: "finish", reason: "unknown", rawReason: "" });
  });

  it("finishes without [DONE]", () => {
    expect(streamed([delta({ content: "x" }), delta({}, "length")], []).at(-1)).toMatchObject({ reason: "length" });
  });

  it("holds its finish until the usage is in, and then says nothing more", () => {
    const decoder = new ChatDecoder(options);
    decoder.push({ data: JSON.stringify(delta({ content: "x" }, "stop")) });
    expect([decoder.closing, decoder.done]).toEqual([true, false]);
    const last = decoder.push({ data: '{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}' });
    expect(last?.events.map((event) => event.type)).toEqual(["usage", "finish"]);
    expect(decoder.done).toBe(true);
  });

  it("failed behind its host, which says so in the choice", () => {
    const body = { choices: [{ index: 0, delta: {}, finish_reason: "error", error: { code: 429, message: "slow" } }] };
    expect(() => streamed([body])).toThrow(expect.objectContaining({ code: "rate_limited" }));
  });

  it("called a tool it never named", () => {
    expect(() =>
      streamed([toolDelta({ index: 0, id: "a", function: { arguments: "{}" } }), delta({}, "stop")]),
    ).toThrow(expect.objectContaining({ code: "bad_answer" }));
  });

  it("has tools' names given back as the client knows them", () => {
    const message = { tool_calls: [{ id: "a", function: { name: "t_x", arguments: "" } }] };
    const text = JSON.stringify({ choices: [{ index: 0, message, finish_reason: "tool_calls" }] });
    const { events } = decodeWholeChat(text, { ...options, toClientToolName: () => "mcp.x" });
    expect(summarise(events).calls[0]?.name).toBe("mcp.x");
  });
});

describe("usage", () => {
  it("is disjoint on the way in and complete on the way out", () => {
    const raw = {
      prompt_tokens: 100,
      completion_tokens: 30,
      total_tokens: 130,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30, audio_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 2 },
    };
    expect(toChatUsage(raw, "flex")).toEqual({
      inputTokens: 10,
      cacheReadTokens: 60,
      cacheWrite5mTokens: 30,
      cacheWrite1hTokens: 0,
      outputTokens: 30,
      reasoningTokens: 20,
      audioInputTokens: 5,
      audioOutputTokens: 2,
      estimated: false,
      serviceTier: "flex",
      raw,
    });
  });

  it("counts thinking that xAI counts beside the completion", () => {
    const raw = {
      prompt_tokens: 307,
      completion_tokens: 26,
      total_tokens: 560,
      completion_tokens_details: { reasoning_tokens: 227 },
    };
    expect(toChatUsage(raw, undefined)).toMatchObject({ outputTokens: 253, reasoningTokens: 227 });
  });

  it("finds DeepSeek's cached tokens, and takes nonsense for none", () => {
    expect(toChatUsage({ prompt_tokens: 10, prompt_cache_hit_tokens: 8 }, undefined)).toMatchObject({
      inputTokens: 2,
      cacheReadTokens: 8,
      outputTokens: 0,
    });
    expect(toChatUsage({ prompt_tokens: "many", completion_tokens: -3 }, undefined)).toMatchObject({
      inputTokens: 0,
      outputTokens: 0,
    });
  });
});

describe("a Responses answer", () => {
  const responses = {
    provider: "openai",
    credential: "openai:abc",
    rules: openAiErrors,
    toClientToolName: (name: string): string => name,
  };

  it("keeps encrypted reasoning with the key that can open it", () => {
    const decoder = new ResponsesDecoder(responses);
    const item = { type: "reasoning", id: "rs", encrypted_content: "gA", summary: [{ text: "Hm" }] };
    const frame = decoder.push({ data: JSON.stringify({ type: "response.output_item.done", output_index: 0, item }) });
    expect(frame?.events).toEqual([
      { type: "thinking-delta", text: "Hm" },
      { type: "thinking-end", state: { protocol: "openai-responses", credential: "openai:abc", value: item } },
    ]);
  });

  it("is read though its last brace never came, and not when more is missing", () => {
    const decoder = new ResponsesDecoder(responses);
    expect(decoder.push({ data: '{"type":"response.created","response":{"id":"r"}' })?.raw).toBe(
      '{"type":"response.created","response":{"id":"r"}}',
    );
    expect(() => decoder.push({ data: '{"type":"response.output_text.delta","delta":"ha' })).toThrow(
      expect.objectContaining({ code: "bad_answer" }),
    );
  });
});

describe("a host that neither sends usage nor ends its stream", () => {
  it("is not waited for", async () => {
    const vendor = await startFakeVendor();
    const pooled = createPooledFetch();
    const chunks = [delta({ content: "x" }), delta({}, "stop")].map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
    vendor.reply = { headers: { "content-type": "text/event-stream" }, chunks, after: "heartbeats" };
    const provider = createOpenAiProvider({ id: "openai", apiKey: "k", baseUrl: vendor.url, fetch: pooled });
    const answer = await provider.chat({
      request: chatRequest({ stream: true }),
      model: chatModel("m", "openai"),
      signal: new AbortController().signal,
      warn: () => undefined,
    });
    expect(eventsOf(await collect(answer.frames)).at(-1)).toMatchObject({ type: "finish", reason: "stop" });
    await expect(vendor.gone()).resolves.toBe("gone");
    await vendor.stop();
    await pooled.close();
  });
});

async function embed(data: JsonValue, input = ["a", "b"]): Promise<unknown> {
  const vendor = await startFakeVendor();
  const pooled = createPooledFetch();
  vendor.reply = {
    headers: { "content-type": "application/json" },
    chunks: [JSON.stringify({ data, usage: { prompt_tokens: 4, total_tokens: 4 } })],
  };
  try {
    const provider = createOpenAiProvider({ id: "openai", apiKey: "k", baseUrl: vendor.url, fetch: pooled });
    return await provider.embed?.({ model: "m", input, dimensions: 2, signal: new AbortController().signal });
  } finally {
    await vendor.stop();
    await pooled.close();
  }
}

describe("embeddings", () => {
  const base64 = Buffer.from(new Float32Array([1, -0.5]).buffer).toString("base64");

  it("come in the order of the input, as numbers or packed", async () => {
    expect(
      await embed([
        { index: 1, embedding: [0.25, 2] },
        { index: 0, embedding: base64 },
      ]),
    ).toMatchObject({
      vectors: [new Float32Array([1, -0.5]), new Float32Array([0.25, 2])],
      usage: { inputTokens: 4, outputTokens: 0 },
    });
  });

  it.each([
    ["too few", [{ index: 0, embedding: base64 }]],
    [
      "one twice",
      [
        { index: 0, embedding: base64 },
        { index: 0, embedding: base64 },
      ],
    ],
    [
      "no numbers",
      [
        { index: 0, embedding: base64 },
        { index: 1, embedding: [null] },
      ],
    ],
  ])("are a bad answer when there are %s", async (_what, data) => {
    await expect(embed(data)).rejects.toMatchObject({ code: "bad_answer" });
  });
});
