import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Seen } from "./conformance/dialect/answer.ts";
import { bodyIn, type DialectName, dialectPaths, dialects, say } from "./conformance/dialect/ask.ts";
import { readSeen } from "./conformance/dialect/seen.ts";
import { type FakeVendor, type Reply, startFakeVendor } from "./conformance/provider/fake-vendor.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";

const json = { "content-type": "application/json" };
const sse = { "content-type": "text/event-stream" };
const data = (...events: readonly object[]): string => events.map((one) => `data: ${JSON.stringify(one)}\n\n`).join("");
const named = (...events: readonly { readonly type: string; readonly [field: string]: unknown }[]): string =>
  events.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`).join("");

let vendor: FakeVendor;
let gateway: TestGateway;

beforeAll(async () => {
  vendor = await startFakeVendor();
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: `${vendor.url}/v1`,
      ANTHROPIC_API_KEY: "k",
      ANTHROPIC_BASE_URL: vendor.url,
      GEMINI_API_KEY: "k",
      GOOGLE_GEMINI_BASE_URL: vendor.url,
    },
    yaml: `memory: { enabled: false }
limits: { maxAttempts: 1 }
providers: [{ id: local, baseUrl: "${vendor.url}/v1", models: [{ id: local-model, efforts: [none, low] }] }]
`,
  });
});
afterAll(async () => {
  await gateway.close();
  await vendor.stop();
});

async function ask(dialect: DialectName, model: string, reply: Reply, stream: boolean): Promise<Seen> {
  vendor.reply = reply;
  const tools = [{ name: "spare_tool", parameters: { type: "object", properties: {} } }];
  const body = { model, ...bodyIn[dialect]({ turns: [say("Hello")], tools, effort: "low" }, stream) };
  return readSeen(dialect, await gateway.fetch(dialectPaths[dialect], { body }));
}

/** How each wire says a few words, with an event nobody knows among them and no word about usage. */
const wires = [
  {
    wire: "Chat Completions",
    model: "local/local-model",
    whole: { id: "c", choices: [{ message: { role: "assistant", content: "Good day." } }], surprise: { a: 1 } },
    stream: data(
      { id: "c", choices: [{ delta: { role: "assistant", content: "Good " } }] },
      { object: "surprise", choices: [] },
      { id: "c", choices: [{ delta: { content: "day." }, finish_reason: "eos" }] },
    ),
    hollow: { id: "c", choices: [] },
    error: { error: { message: "It broke", code: 503 } },
  },
  {
    wire: "Responses",
    model: "openai/gpt-5.6-luna",
    whole: {
      id: "r",
      object: "response",
      status: "completed",
      output: [
        { type: "surprise", id: "s" },
        {
          type: "message",
          id: "m",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "Good day.", annotations: [] }],
        },
      ],
    },
    stream: named(
      {
        type: "response.created",
        response: { id: "r", object: "response", status: "in_progress", output: [] },
      },
      { type: "response.surprise", what: 1 },
      {
        type: "response.output_item.added",
        output_index: 0,
        item: { type: "message", id: "m", role: "assistant", status: "in_progress", content: [] },
      },
      {
        type: "response.content_part.added",
        output_index: 0,
        content_index: 0,
        item_id: "m",
        part: { type: "output_text", text: "", annotations: [] },
      },
      {
        type: "response.output_text.delta",
        output_index: 0,
        content_index: 0,
        item_id: "m",
        delta: "Good day.",
      },
      {
        type: "response.output_item.done",
        output_index: 0,
        item: {
          type: "message",
          id: "m",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "Good day.", annotations: [] }],
        },
      },
      {
        type: "response.completed",
        response: {
          id: "r",
          object: "response",
          status: "completed",
          output: [
            {
              type: "message",
              id: "m",
              role: "assistant",
              status: "completed",
              content: [{ type: "output_text", text: "Good day.", annotations: [] }],
            },
          ],
        },
      },
    ),
    hollow: { id: "r", object: "response", status: "completed" },
    error: {
      id: "r",
      object: "response",
      status: "failed",
      output: [],
      error: { code: "server_error", message: "It broke" },
    },
  },
  {
    wire: "Messages",
    model: "anthropic/claude-haiku-5-5",
    whole: {
      id: "m",
      type: "message",
      role: "assistant",
      model: "c",
      content: [{ type: "text", text: "Good day." }],
      stop_reason: "end_turn",
      surprise: 1,
    },
    stream: named(
      {
        type: "message_start",
        message: { id: "m", type: "message", role: "assistant", model: "c", content: [] },
      },
      { type: "surprise", what: 1 },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Good day." } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null } },
      { type: "message_stop" },
    ),
    hollow: { id: "m", type: "message", role: "assistant" },
    error: { type: "error", error: { type: "api_error", message: "It broke" } },
  },
  {
    wire: "generateContent",
    model: "google/gemini-3.8-flash",
    whole: {
      candidates: [
        { content: { role: "model", parts: [{ text: "Good day." }, { surprise: 1 }] }, finishReason: "STOP" },
      ],
      surprise: 1,
    },
    stream: data(
      { candidates: [{ content: { role: "model", parts: [{ text: "Good " }] } }] },
      { surprise: 1 },
      { candidates: [{ content: { role: "model", parts: [{ text: "day." }] }, finishReason: "STOP" }] },
    ),
    hollow: { candidates: [] },
    error: { error: { code: 503, message: "It broke", status: "UNAVAILABLE" } },
  },
] as const;

/** What its own vendor sends a client of the same wire is passed on, an event nobody knows included. */
const passes = (fault: string): boolean => /surprise|ResponseStreamEvent|^\{|Response|the usage/.test(fault);

const pairs = dialects.flatMap((dialect) => wires.map((wire) => Object.assign({ dialect }, wire)));

describe.each(pairs)("$dialect, when a vendor of $wire", ({ dialect, model, wire, whole, stream, hollow, error }) => {
  const ends = wire === "Chat Completions" ? "data: [DONE]\n\n" : "";
  it("says things nobody knows and no word of usage, is understood all the same", async () => {
    const seen = await ask(dialect, model, { headers: json, chunks: [JSON.stringify(whole)] }, false);
    expect({ status: seen.status, text: seen.text, finish: seen.finish }).toEqual({
      status: 200,
      text: "Good day.",
      finish: "stop",
    });
    const streamed = await ask(dialect, model, { headers: sse, chunks: [stream + ends] }, true);
    expect(streamed.error).toBeUndefined();
    expect(streamed.text).toBe("Good day.");
    expect(streamed.finish).toBe("stop");
    expect(streamed.faults.filter((fault) => !passes(fault))).toEqual([]);
  });

  it.each([
    ["a page", { headers: { "content-type": "text/html" }, chunks: ["<html><h1>Hello</h1></html>"] }],
    ["a page called JSON", { headers: json, chunks: ["<html><h1>Hello</h1></html>"] }],
    ["half an answer", { headers: json, chunks: [JSON.stringify(whole).slice(0, 40)] }],
    ["nothing", { headers: json, chunks: [] }],
    ["a list", { headers: json, chunks: ["[]"] }],
    ["null", { headers: json, chunks: ["null"] }],
    ["an answer without an answer", { headers: json, chunks: [JSON.stringify(hollow)] }],
    ["an error with status 200", { headers: json, chunks: [JSON.stringify(error)] }],
    ["a page with status 502", { status: 502, headers: { "content-type": "text/html" }, chunks: ["<h1>Bad</h1>"] }],
    ["a redirect", { status: 302, headers: { location: "http://127.0.0.1:1/" }, chunks: [] }],
  ] as const)("answers %s, says in its own words that the vendor failed", async (_what, reply) => {
    for (const streamed of [false, true]) {
      const seen = await ask(dialect, model, reply, streamed);
      expect(seen.status).toBeGreaterThanOrEqual(500);
      expect(seen.status).not.toBe(500);
      expect(seen.error?.message).toMatch(/./);
      expect(seen.faults).toEqual([]);
    }
  });

  it.each([
    ["ends in the middle", stream.slice(0, stream.lastIndexOf("data:"))],
    ["turns into nonsense", `${stream.slice(0, stream.lastIndexOf("data:"))}data: {"half\n\n`],
  ])("%s of a stream, ends it with an error of the dialect", async (_what, chunk) => {
    const cut = chunk.replace(/event: [\w.]+\n$/, "");
    const seen = await ask(dialect, model, { headers: sse, chunks: [cut] }, true);
    expect(seen.error?.message ?? "").not.toBe("");
    expect(seen.faults.filter((fault) => !passes(fault))).toEqual([]);
  });

  it("answers whole what was to be streamed, makes a stream of it", async () => {
    const seen = await ask(dialect, model, { headers: json, chunks: [JSON.stringify(whole)] }, true);
    expect(seen.text).toBe("Good day.");
    expect(seen.faults.filter((fault) => !passes(fault))).toEqual([]);
  });
});
