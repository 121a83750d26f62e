import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { type TestGateway, startGateway } from "../support/gateway.ts";
import { answerJson, startVendor, toSse, type VendorServer } from "../vendor-server.ts";

/** What Anthropic says of the next answer. */
let usage: JsonObject = {};
let stopReason = "end_turn";
let anthropic: VendorServer;
let google: VendorServer;
let gateway: TestGateway;

const start = (counts: JsonObject) =>
  JSON.stringify({
    type: "message_start",
    message: { id: "msg_1", type: "message", role: "assistant", model: "claude-opus-5-5", content: [], usage: counts },
  });
const cutEvents = [
  JSON.stringify({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  JSON.stringify({
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: "天地玄黄".repeat(100) },
  }),
];

beforeAll(async () => {
  anthropic = await startVendor((response, { body }) => {
    if (body["stream"] === true) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(toSse([start(usage), ...cutEvents], true), () => response.destroy());
      return;
    }
    const content = [{ type: "text", text: "hi" }];
    const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-opus-5-5", content, usage };
    answerJson(response, 200, JSON.stringify({ ...message, stop_reason: stopReason, stop_sequence: null }));
  });
  google = await startVendor((response) => {
    const candidates = [{ content: { role: "model", parts: [{ text: "hi" }] }, finishReason: "STOP", index: 0 }];
    const usageMetadata = { promptTokenCount: 1_000, candidatesTokenCount: 1_000 };
    const headers = { "x-gemini-service-tier": "flex" };
    answerJson(response, 200, JSON.stringify({ candidates, usageMetadata, responseId: "r" }), headers);
  });
  gateway = await startGateway({
    env: {
      ANTHROPIC_API_KEY: "k",
      ANTHROPIC_BASE_URL: anthropic.url,
      GEMINI_API_KEY: "k",
      GOOGLE_GEMINI_BASE_URL: google.url,
    },
  });
});
afterAll(async () => {
  await gateway.close();
  await Promise.all([anthropic.close(), google.close()]);
});

async function ask(fields: JsonObject = {}) {
  const messages = [{ role: "user", content: "Hello" }];
  const response = await gateway.fetch("/v1/messages", {
    body: { model: "claude-opus-5-5", max_tokens: 100, messages, ...fields },
  });
  await response.text().catch(() => "");
  return response.headers;
}

async function traceOf(headers: Headers): Promise<JsonObject> {
  const value: JsonValue = JSON.parse(
    await (await gateway.fetch(`/v1/traces/${headers.get("x-throughline-trace")}`)).text(),
  );
  return isJsonObject(value) ? value : {};
}

describe("what an answer turns out to have cost", () => {
  it("is unknown on a service tier without a price, and the warning and the metric say so", async () => {
    usage = { input_tokens: 1_000, output_tokens: 100, service_tier: "priority" };
    const headers = await ask();
    expect(headers.get("x-throughline-cost-usd")).toBe("unknown");
    expect(headers.get("x-throughline-warnings")).toBe(
      "price: unknown for anthropic/claude-opus-5-5 on service tier priority",
    );
    const metrics = await (await gateway.fetch("/metrics")).text();
    expect(metrics).toContain('throughline_cost_unknown_total{provider="anthropic",model="claude-opus-5-5"} 1');
  });

  it("is the price of fast answers for a fast one", async () => {
    usage = { input_tokens: 1_000, output_tokens: 100, service_tier: "standard", speed: "fast" };
    expect((await ask()).get("x-throughline-cost-usd")).toBe("0.012");
  });

  it("is what Gemini's tier costs, which it says in a header", async () => {
    const response = await gateway.fetch("/v1/chat/completions", {
      body: { model: "google/gemini-3.8-flash", service_tier: "flex", messages: [{ role: "user", content: "Hi" }] },
    });
    await response.text();
    expect(response.headers.get("x-throughline-cost-usd")).toBe("0.00225");
  });

  it("holds the cached input of a stream that was cut, and its words by their script", async () => {
    usage = { input_tokens: 100, cache_read_input_tokens: 900_000, output_tokens: 1 };
    const trace = await traceOf(await ask({ stream: true }));
    expect(trace["usage"]).toMatchObject({ inputTokens: 100, cacheReadTokens: 900_000, estimated: true });
    // 400 Chinese characters are near 340 tokens; four characters a token would make 100 of them.
    expect(isJsonObject(trace["usage"]) ? trace["usage"]["outputTokens"] : undefined).toBeGreaterThan(250);
    expect(trace["warnings"]).toContainEqual(expect.stringContaining("counted here"));
  });
});

it("names a stop reason that it does not know", async () => {
  usage = { input_tokens: 10, output_tokens: 1 };
  stopReason = "novel_reason";
  expect((await ask()).get("x-throughline-warnings")).toBe('stop_reason "novel_reason" is not known');
});
