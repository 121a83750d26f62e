import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { afterAll, beforeAll, expect, it } from "vitest";
import { toOpenAiRateLimits } from "../gateway/chat/rate-limit-headers.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";

const limits = {
  "anthropic-ratelimit-requests-limit": "4000",
  "anthropic-ratelimit-requests-remaining": "3999",
  "anthropic-ratelimit-requests-reset": "2100-01-01T00:00:00Z",
  "anthropic-ratelimit-tokens-limit": "500000",
  "anthropic-ratelimit-tokens-remaining": "499000",
  "anthropic-ratelimit-tokens-reset": "2020-01-01T00:00:00Z",
};

let vendor: Server;
let gateway: TestGateway;

beforeAll(async () => {
  vendor = createServer((request, response) => {
    request.resume().once("end", () => {
      response.writeHead(200, { "content-type": "application/json", "request-id": "req_vendor", ...limits });
      const content = [{ type: "text", text: "hi" }];
      const usage = { input_tokens: 1, output_tokens: 1 };
      response.end(
        JSON.stringify({ id: "msg_1", type: "message", role: "assistant", content, stop_reason: "end_turn", usage }),
      );
    });
  }).listen(0, "127.0.0.1");
  await once(vendor, "listening");
  const address = vendor.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  gateway = await startGateway({
    env: { ANTHROPIC_API_KEY: "key", ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}` },
    yaml: "memory: { enabled: false }\n",
  });
});
afterAll(async () => {
  await gateway.close();
  vendor.closeAllConnections();
  await new Promise((resolve) => vendor.close(resolve));
});

const model = "claude-haiku-5-5";
const messages = [{ role: "user" as const, content: "hi" }];

it("Anthropic's limits reach an OpenAI client by the names it looks for, and by their own", async () => {
  const { response } = await gateway.openai().chat.completions.create({ model, messages }).withResponse();
  expect(Object.fromEntries(response.headers)).toMatchObject({
    ...limits,
    "x-ratelimit-limit-requests": "4000",
    "x-ratelimit-remaining-requests": "3999",
    "x-ratelimit-reset-requests": expect.stringMatching(/^\d+h\d+m\d+s$/u) as string,
    "x-ratelimit-limit-tokens": "500000",
    "x-ratelimit-remaining-tokens": "499000",
    "x-ratelimit-reset-tokens": "0s",
    "x-throughline-vendor-request-id": "req_vendor",
  });
});

it("an Anthropic client gets them as they came", async () => {
  const { response } = await gateway.anthropic().messages.create({ model, messages, max_tokens: 9 }).withResponse();
  expect(Object.fromEntries(response.headers)).toMatchObject(limits);
  expect([...response.headers.keys()].filter((name) => name.startsWith("x-ratelimit-"))).toEqual([]);
  expect(response.headers.get("request-id")).toBe(response.headers.get("x-throughline-trace"));
});

it.each([
  [0, "0s"],
  [120, "120ms"],
  [1_000, "1s"],
  [59_001, "1m0s"],
  [360_000, "6m0s"],
  [3_605_000, "1h0m5s"],
])("a reset in %i ms is written %s", (ms, written) => {
  const at = new Date(ms).toISOString();
  const headers = { "anthropic-ratelimit-requests-limit": "1", "anthropic-ratelimit-requests-reset": at };
  expect(toOpenAiRateLimits(headers, 0)).toEqual({
    "x-ratelimit-limit-requests": "1",
    "x-ratelimit-reset-requests": written,
  });
});

it("input is the token limit where the vendor names no tighter one, and an unreadable time is left out", () => {
  const headers = {
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "20000",
    "anthropic-ratelimit-input-tokens-reset": "soon",
    "anthropic-ratelimit-output-tokens-limit": "8000",
  };
  expect(toOpenAiRateLimits(headers, 0)).toEqual({
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "20000",
  });
  expect(toOpenAiRateLimits({ "x-request-id": "1" }, 0)).toEqual({});
});
