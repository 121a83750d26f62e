import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";

const models = ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"] as const;
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => {
  await gateway.close();
});

/** Looked at again until it holds: a fixed wait would be too long or too short. */
const patience = { timeout: 10_000, interval: 5 };

const say = (content: string) => [{ role: "user" as const, content }];
const as = (user: string) => gateway.openai({ "x-throughline-user": user });
const metrics = async () => await (await gateway.fetch("/metrics")).text();
const inputTokens = async () =>
  [...(await metrics()).matchAll(/^throughline_tokens_total\{.*type="input"\} (\d+)$/gmu)].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
const statusCount = async (status: string) =>
  [...(await metrics()).matchAll(/^throughline_requests_total\{(.*)\} (\d+)$/gmu)]
    .filter(([, labels]) => labels?.includes(`status="${status}"`))
    .reduce((sum, [, , value]) => sum + Number(value), 0);

describe.each(models)("a client of %s that hangs up", (model) => {
  it("in the middle of a stream cancels the vendor's request", async () => {
    const controller = new AbortController();
    const stream = await as("ada").chat.completions.create(
      { model, stream: true, messages: say("[[sandbox:words=2000 event_delay_ms=20]] Count.") },
      { signal: controller.signal },
    );
    const asked = gateway.asked().length - 1;
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    controller.abort();
    await expect.poll(() => gateway.asked()[asked]?.aborted, patience).toBe(true);
  });

  it("while it waits for a whole answer cancels it too, and is no failure", async () => {
    const before = await statusCount("499");
    const asked = gateway.asked().length;
    const controller = new AbortController();
    const answer = as("ada").chat.completions.create(
      { model, messages: say("[[sandbox:fail=hang]] Count.") },
      { signal: controller.signal },
    );
    await expect.poll(() => gateway.asked().length, patience).toBe(asked + 1);
    controller.abort();
    await expect(answer).rejects.toThrow(/abort/iu);
    await expect.poll(() => gateway.asked()[asked]?.aborted, patience).toBe(true);
    await expect.poll(() => statusCount("499"), patience).toBe(before + 1);
    expect(gateway.asked()).toHaveLength(asked + 1);
  });
});

describe("a client that hung up", () => {
  it("does not count against the vendor: the next request is its first attempt", async () => {
    const { response } = await as("ada")
      .chat.completions.create({ model: "openai/gpt-6-luna", messages: say("I like tea.") })
      .withResponse();
    expect(response.headers.get("x-throughline-attempts")).toBe("1");
  });

  it("leaves nothing half-said in memory", async () => {
    const controller = new AbortController();
    const messages = say("My parrot is called Kiwi. [[sandbox:words=2000 event_delay_ms=20]]");
    const stream = await as("hal").chat.completions.create(
      { model: "openai/gpt-6-luna", stream: true, messages },
      { signal: controller.signal },
    );
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    controller.abort();
    await expect.poll(() => gateway.asked().at(-1)?.aborted, patience).toBe(true);
    await gateway.learned();
    const listed = await gateway.fetch("/v1/memories", { headers: { "x-throughline-user": "hal" } });
    expect(await listed.json()).toMatchObject({ data: [] });
  });

  it("is not charged for memories that were never added", async () => {
    const before = await inputTokens();
    const controller = new AbortController();
    const stream = await as("nobody-yet").chat.completions.create(
      { model: "openai/gpt-6-luna", stream: true, messages: say("[[sandbox:words=2000 event_delay_ms=20]] Count.") },
      { signal: controller.signal },
    );
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    controller.abort();
    await expect.poll(inputTokens, patience).toBeGreaterThan(before);
    expect(await inputTokens()).toBeLessThan(before + 100);
  });

  it("gives back its place: no request stays in flight", async () => {
    await expect.poll(metrics, patience).toMatch(/^throughline_requests_in_flight 0$/mu);
  });
});

describe("a client that reads slowly", () => {
  it("gets every word", async () => {
    const stream = await as("ida").chat.completions.create({
      model: "openai/gpt-6-luna",
      stream: true,
      messages: say("[[sandbox:words=3000]] Count."),
    });
    let text = "";
    let chunks = 0;
    for await (const chunk of stream) {
      chunks += 1;
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunks % 100 === 0)
        await new Promise((resolve) => {
          setTimeout(resolve, 5);
        });
    }
    expect(text).toMatch(/word1 .*word3000$/u);
  });
});
