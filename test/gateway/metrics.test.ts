import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";

const gpt = "openai/gpt-6-luna";
let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startGateway();
});
afterEach(async () => {
  await gateway.close();
});

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

async function scrape(): Promise<{ text: string; samples: readonly Sample[] }> {
  const text = await (await gateway.fetch("/metrics")).text();
  const samples = [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gmu)].map(([, name = "", labels = "", value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/gu)].map((match) => [match[1], match[2]])),
    value: Number(value),
  }));
  return { text, samples };
}

/** The sum over every series of a metric that has these labels. */
async function total(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const { samples } = await scrape();
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

async function say(model: string, content: string, user = "ada", more: object = {}) {
  return await gateway
    .openai({ "x-throughline-user": user })
    .chat.completions.create({ model, messages: [{ role: "user", content }], ...more })
    .withResponse();
}

describe("the numbers", () => {
  it("show what memory asked models for itself, apart from what clients asked", async () => {
    const { response } = await say(gpt, "I live in Lisbon.");
    await gateway.learned();
    expect(await total("throughline_memory_cost_usd_total")).toBeGreaterThan(0);
    const cost = Number(response.headers.get("x-throughline-cost-usd"));
    expect(await total("throughline_cost_usd_total")).toBeCloseTo(cost, 12);
  });

  it("of tokens and money add up with what the answers said", async () => {
    let input = 0;
    let output = 0;
    let nanoUsd = 0;
    for (const model of [gpt, "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash", gpt]) {
      const { data, response } = await say(model, "I like tea.");
      input += data.usage?.prompt_tokens ?? 0;
      output += data.usage?.completion_tokens ?? 0;
      nanoUsd += Math.round(Number(response.headers.get("x-throughline-cost-usd")) * 1e9);
    }
    expect(await total("throughline_requests_total", { status: "200" })).toBe(4);
    expect(await total("throughline_requests_total", { provider: "openai" })).toBe(2);
    const inputs = ["input", "cache_read", "cache_write"].map((type) => total("throughline_tokens_total", { type }));
    expect((await Promise.all(inputs)).reduce((sum, value) => sum + value)).toBe(input);
    expect(await total("throughline_tokens_total", { type: "output" })).toBe(output);
    expect(Math.round((await total("throughline_cost_usd_total")) * 1e9)).toBe(nanoUsd);
    expect(await total("gen_ai_client_operation_duration_seconds_count")).toBe(4);
    expect(await total("throughline_time_to_first_token_seconds_count")).toBe(4);
    expect(await total("throughline_requests_in_flight")).toBe(0);
  });

  it("of a stream are those of the same answer whole", async () => {
    await say(gpt, "I like tea.");
    const whole = await total("throughline_tokens_total", { type: "output" });
    const cost = await total("throughline_cost_usd_total");
    await gateway
      .openai({ "x-throughline-memory": "off" })
      .chat.completions.stream({ model: gpt, messages: [{ role: "user", content: "I like tea." }] })
      .finalContent();
    expect(await total("throughline_tokens_total", { type: "output" })).toBe(2 * whole);
    expect(await total("throughline_cost_usd_total")).toBeCloseTo(2 * cost, 9);
  });

  it("of attempts tell retries and fallbacks apart, by outcome", async () => {
    await say(gpt, "I like tea. [[sandbox:fail=500 times=1]]");
    expect(await total("throughline_attempts_total", { kind: "first", outcome: "provider_error" })).toBe(1);
    expect(await total("throughline_attempts_total", { kind: "retry", outcome: "answered" })).toBe(1);
  });

  it("of attempts hold those of a request that nobody answered, as its trace does", async () => {
    const messages = [{ role: "user", content: "I like tea. [[sandbox:fail=500]]" }];
    const response = await gateway.fetch("/v1/chat/completions", { body: { model: gpt, messages } });
    expect(response.status).toBe(502);
    const outcome = { provider: "openai", outcome: "provider_error" };
    const failed = await total("throughline_attempts_total", outcome);
    expect(failed).toBeGreaterThan(1);
    const trace = await gateway.fetch(`/v1/traces/${response.headers.get("x-throughline-trace")}`);
    expect(((await trace.json()) as { attempts: unknown[] }).attempts).toHaveLength(failed);
  });

  it("of errors count each failed request once, by its code", async () => {
    const post = (body: unknown) => gateway.fetch("/v1/chat/completions", { body });
    await post({ model: "gpt-none", messages: [{ role: "user", content: "Hi" }] });
    await post({ model: gpt, messages: [] });
    await post("{");
    await post({ model: gpt, messages: [{ role: "user", content: "Hi [[sandbox:fail=quota]]" }] });
    await gateway.fetch("/nowhere/at/all");
    expect(await total("throughline_errors_total", { route: "chat.completions", code: "unknown_model" })).toBe(1);
    expect(await total("throughline_errors_total", { route: "chat.completions", code: "invalid_request" })).toBe(2);
    expect(await total("throughline_errors_total", { route: "chat.completions", code: "quota_exhausted" })).toBe(1);
    expect(await total("throughline_errors_total", { route: "none", code: "not_found" })).toBe(1);
    expect(await total("throughline_errors_total")).toBe(5);
  });

  it("of memory tell hits from misses, and what became of what was said", async () => {
    await say(gpt, "My dog is called Pixel.");
    await gateway.learned();
    await say(gpt, "What is my dog called?");
    await gateway.learned();
    await gateway.openai({ "x-throughline-memory": "off" }).chat.completions.create({
      model: gpt,
      messages: [{ role: "user", content: "Hello." }],
    });
    const recalls = ["hit", "miss", "off"].map((result) => total("throughline_memory_recall_total", { result }));
    expect(await Promise.all(recalls)).toEqual([1, 1, 1]);
    expect(await total("throughline_memory_recall_seconds_count")).toBe(2);
    expect(await total("throughline_memory_decisions_total", { decision: "ADD" })).toBeGreaterThan(0);
    expect(await total("throughline_memory_job_seconds_count", { outcome: "done" })).toBe(2);
    expect(await total("throughline_memory_queue_jobs")).toBe(0);
  });
});

describe("the exposition", () => {
  it("holds no user, no content and no name a client made up", async () => {
    await say(gpt, "My secret word is xylophone-canary.", "user-canary");
    const strange = { model: "model-canary", messages: [{ role: "user", content: "Hi" }] };
    await gateway.fetch("/v1/chat/completions", { body: strange });
    await gateway.fetch("/path-canary/1");
    await gateway.fetch("/v1/memories/id-canary");
    await gateway.learned();
    expect((await scrape()).text).not.toContain("canary");
  });

  it("is what Prometheus reads: every sample announced, no series twice", async () => {
    await say(gpt, "I like tea.");
    const response = await gateway.fetch("/metrics");
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/u);
    const { text, samples } = await scrape();
    const announced = new Set([...text.matchAll(/^# TYPE (\S+)/gmu)].map((match) => match[1]));
    const families = samples.map(({ name }) => name.replace(/_(?:bucket|sum|count)$/u, ""));
    expect(families.filter((name, index) => !announced.has(name) && !announced.has(samples[index]?.name))).toEqual([]);
    const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const keys = series.map((line) => line.slice(0, line.lastIndexOf(" ")));
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("health", () => {
  it("is ready while the store answers", async () => {
    expect(await (await gateway.fetch("/healthz")).json()).toEqual({ status: "ok" });
    const ready = await gateway.fetch("/readyz");
    expect([ready.status, await ready.json()]).toEqual([200, { status: "ready", store: "ok" }]);
  });
});
