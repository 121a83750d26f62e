import { afterAll, beforeAll, expect, it } from "vitest";
import { type GatewayProcess, startGatewayProcess } from "../demo/gateway-process.ts";
import { startSandbox, type Sandbox } from "../../gateway/sandbox/start-sandbox.ts";
import { newDirectory, removeDirectory, send } from "../support/gateway.ts";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const content = "content-canary-51";
const vendorKey = "sandbox-openai";
const gatewayKey = "gateway-key-canary-52";
const chat = "/v1/chat/completions";

const data = newDirectory();
let vendors: Sandbox;
let gateway: GatewayProcess;
/** What each request below was answered with: the trace and the status. */
const answered: { trace: string; status: number }[] = [];
let output = "";

beforeAll(async () => {
  vendors = await startSandbox();
  const config = join(data, "throughline.yaml");
  writeFileSync(config, "logLevel: trace\nkeys: [{ name: app, key: env:APP_KEY, tenant: acme }]\n");
  gateway = await startGatewayProcess({
    THROUGHLINE_DATA: data,
    THROUGHLINE_CONFIG: config,
    APP_KEY: gatewayKey,
    OPENAI_API_KEY: vendorKey,
    OPENAI_BASE_URL: vendors.openai.baseUrl,
  });
  await askEverything();
  await gateway.stop();
  output = gateway.output();
}, 60_000);
afterAll(async () => {
  await gateway.stop();
  await vendors.close();
  removeDirectory(data);
});

async function ask(path: string, body: unknown, key = gatewayKey): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, "x-throughline-user": "ada" };
  const response = await send(`${gateway.origin}${path}`, { headers, ...(body === undefined ? {} : { body }) });
  await response.text();
  answered.push({ trace: response.headers.get("x-throughline-trace") ?? "", status: response.status });
}

async function askEverything(): Promise<void> {
  const messages = (text: string) => [{ role: "user", content: `My password hint is ${content}. ${text}` }];
  const request = (text: string, more: object = {}) => ({ model: "gpt-6-luna", messages: messages(text), ...more });
  await ask(chat, request(""));
  await ask(chat, request("", { stream: true }));
  await ask(chat, request("[[sandbox:fail=500 times=1]]"));
  await ask(chat, request("[[sandbox:fail=quota]]"));
  await ask(chat, request("[[sandbox:fail=malformed after=3 event_delay_ms=2]]", { stream: true }));
  await ask(chat, request("[[sandbox:fail=html]]"));
  await ask(chat, request("", { model: "no-such-model" }));
  await ask(chat, request("", { temperature: content }));
  await ask(chat, `{"model": "auto", "messages": [{"role": "user", "content": "${content}`);
  await ask(chat, request(""), `${gatewayKey}-wrong`);
  await ask("/v1/memories", { text: `My locker holds ${content}.` });
  await ask("/v1/memories/search", { query: content });
  await ask(`/v1/nowhere/${content}`, undefined);
}

const lines = () =>
  output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it("every request has one line, with its trace and status", () => {
  const found = answered.map(({ trace }) =>
    lines()
      .filter((line) => line["trace"] === trace && line["msg"] === "request")
      .map((line) => line["status"]),
  );
  expect(found).toEqual(answered.map(({ status }) => [status]));
});

it("the line of a chat says who, what, how long and how much", () => {
  const line = lines().find(({ trace }) => trace === answered[0]?.trace);
  expect(line).toMatchObject({
    route: "chat.completions",
    tenant: "acme",
    user: "ada",
    model: "openai/gpt-6-luna",
    class: expect.any(String),
    attempts: 1,
    memory: "miss",
    inputTokens: expect.any(Number),
    outputTokens: expect.any(Number),
    costUsd: expect.stringMatching(/^0\.0/u),
    ms: expect.any(Number),
  });
});

it("the line of a failure names our code", () => {
  expect(answered.map(({ trace }) => lines().find((line) => line["trace"] === trace)?.["code"] ?? null)).toEqual([
    null,
    null,
    null,
    "quota_exhausted",
    "bad_answer",
    expect.any(String),
    "unknown_model",
    "invalid_request",
    "invalid_request",
    "unauthenticated",
    null,
    null,
    "not_found",
  ]);
});

it("nothing that is printed holds content or a secret, at the most talkative level", () => {
  expect(output.split("\n").filter((line) => line.includes("canary"))).toEqual([]);
  expect(output).not.toContain(vendorKey);
  expect(output).not.toContain("authorization");
});
