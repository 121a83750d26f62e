import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";
import { createCheckedFetch } from "../support/openai-schema.ts";
import { promptOf } from "../support/vendor-requests.ts";

/** One model of each vendor; the client and its code are the same. */
const models = ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"] as const;
const wire = createCheckedFetch();
let gateway: TestGateway;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startGateway();
  client = new OpenAI({
    apiKey: "none-needed",
    baseURL: `${gateway.origin}/v1`,
    maxRetries: 0,
    fetch: wire.fetch,
    defaultHeaders: { "x-throughline-memory": "off" },
  });
});
afterAll(async () => {
  await gateway.close();
});
afterEach(() => {
  wire.settle();
});

const say = (content: string) => [{ role: "user" as const, content }];

describe.each(models)("%s, asked with the openai client", (model) => {
  it("answers whole, with its own name, a stable id and usage that adds up", async () => {
    const { data: answer, response } = await client.chat.completions
      .create({ model, messages: say("My name is Ada. What is my name?") })
      .withResponse();
    expect(answer.choices).toHaveLength(1);
    expect(answer.choices[0]).toMatchObject({
      index: 0,
      finish_reason: "stop",
      message: { role: "assistant", content: expect.stringMatching(/sandbox.*Ada/u), refusal: null },
    });
    expect(model).toContain(answer.model);
    expect(answer.usage?.prompt_tokens).toBeGreaterThan(0);
    expect(answer.usage?.total_tokens).toBe(
      (answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0),
    );
    expect(response.headers.get("x-throughline-model")).toBe(model);
    expect(response.headers.get("x-throughline-cost-usd")).toMatch(/^0\.0\d*[1-9]$/u);
  });

  it("streams the same words in chunks of one id, the role first and the finish last", async () => {
    const messages = say("My dog is called Pixel. What is my dog called?");
    const whole = await client.chat.completions.create({ model, messages });
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe(
      whole.choices[0]?.message.content,
    );
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    expect(chunks[0]?.choices[0]?.delta.role).toBe("assistant");
    expect(chunks.filter((chunk) => chunk.choices[0]?.delta.role !== undefined)).toHaveLength(1);
    const finishes = chunks.map((chunk) => chunk.choices[0]?.finish_reason ?? null).filter((reason) => reason !== null);
    expect(finishes).toEqual(["stop"]);
    expect(chunks.every((chunk) => chunk.usage === undefined || chunk.usage === null)).toBe(true);
  });

  it("sends a last chunk with usage and no choices when it was asked for", async () => {
    const messages = say("I like tea.");
    const whole = await client.chat.completions.create({ model, messages });
    const stream = await client.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage).toMatchObject({
      prompt_tokens: whole.usage?.prompt_tokens,
      completion_tokens: whole.usage?.completion_tokens,
      total_tokens: whole.usage?.total_tokens,
    });
    expect(chunks.slice(0, -1).every((chunk) => chunk.choices.length === 1)).toBe(true);
    expect(chunks.slice(0, -1).every((chunk) => (chunk.usage ?? null) === null)).toBe(true);
  });

  it("feeds the client's stream helper", async () => {
    const stream = client.chat.completions.stream({ model, messages: say("I live in Porto. Where do I live?") });
    const content: string[] = [];
    stream.on("content", (delta) => content.push(delta));
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.content).toMatch(/Porto/u);
    expect(content.join("")).toBe(final.choices[0]?.message.content);
    expect(final.choices[0]?.finish_reason).toBe("stop");
  });

  it("hears system and developer messages and the turns before", async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: [
        { role: "system", content: "The office is in Lyon." },
        { role: "developer", content: "The office opens at nine." },
        { role: "user", content: "I parked the car on level four." },
        { role: "assistant", content: "Noted." },
        { role: "user", content: "Where is the office? When does the office open? On which level is the car parked?" },
      ],
    });
    const text = answer.choices[0]?.message.content ?? "";
    expect(text).toContain("Lyon");
    expect(text).toContain("nine");
    expect(text).toContain("level four");
  });

  it("stops at the token limit and says so", async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: say("[[sandbox:words=400]] Count."),
      max_completion_tokens: 50,
    });
    expect(answer.choices[0]?.finish_reason).toBe("length");
    expect(answer.usage?.completion_tokens).toBeLessThanOrEqual(50);
    const old = await client.chat.completions.create({
      model,
      messages: say("[[sandbox:words=400]] Count."),
      max_tokens: 50,
    });
    expect(old.choices[0]?.finish_reason).toBe("length");
  });

  it("tells a refusal apart from an answer", async () => {
    const answer = await client.chat.completions.create({ model, messages: say("[[sandbox:refuse=true]] Do it.") });
    const message = answer.choices[0]?.message;
    expect(answer.choices[0]?.finish_reason === "content_filter" || (message?.refusal ?? "") !== "").toBe(true);
  });

  it("sees an image given as a data URL", async () => {
    const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const answer = await client.chat.completions.create({
      model,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is in this picture?" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${pixel}` } },
          ],
        },
      ],
    });
    expect(answer.choices[0]?.message.content).toContain("image/png, 70 bytes");
  });

  it("keeps unpaired surrogates and other scripts from breaking the answer", async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: say("我住在东京。 Мой кот — Барсик 🐈. I live in Köln. Where do I live? \ud83d"),
    });
    expect(answer.choices[0]?.message.content).toContain("Köln");
  });
});

describe("what a vendor cannot do", () => {
  it("stops at a stop sequence where the model takes one", async () => {
    const answer = await client.chat.completions.create({
      model: "anthropic/claude-haiku-5-5",
      messages: say("[[sandbox:words=400]] Count."),
      stop: ["word7"],
    });
    expect(answer.choices[0]?.message.content).toMatch(/word6\s*$/u);
    expect(answer.choices[0]?.finish_reason).toBe("stop");
  });

  it("keeps a temperature it cannot carry from failing the request, and names it", async () => {
    const { data: answer, response } = await client.chat.completions
      .create({ model: "anthropic/claude-haiku-5-5", messages: say("I like tea."), temperature: 1.7 })
      .withResponse();
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    expect(response.headers.get("x-throughline-warnings")).toMatch(/temperature/u);
  });

  it("carries a temperature where the model takes one", async () => {
    await client.chat.completions.create({
      model: "google/gemini-3.8-flash",
      messages: say("I like tea."),
      temperature: 0.3,
    });
    expect(gateway.asked().at(-1)?.body["generationConfig"]).toMatchObject({ temperature: 0.3 });
  });

  it("names a field only OpenAI knows when another vendor answers", async () => {
    const { response } = await client.chat.completions
      .create({ model: "google/gemini-3.8-flash", messages: say("I like tea."), prediction: null, verbosity: "low" })
      .withResponse();
    expect(response.headers.get("x-throughline-warnings")).toContain("verbosity");
  });
});

describe("usage", () => {
  const long = "The harbour is quiet in the morning and loud at night. ".repeat(120);

  it.each(models)("of %s counts what the vendor's cache served", async (model) => {
    const ask = () =>
      client.chat.completions.create({
        model,
        messages: [
          { role: "system", content: long },
          { role: "user", content: "I am at the harbour." },
          { role: "assistant", content: "Noted." },
          { role: "user", content: "When is the harbour loud?" },
        ],
      });
    const first = await ask();
    const second = await ask();
    expect(second.usage?.prompt_tokens).toBe(first.usage?.prompt_tokens);
    expect(second.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(
      first.usage?.prompt_tokens_details?.cached_tokens ?? 0,
    );
  });

  it("counts the tokens spent on thinking as a part of the answer's", async () => {
    const answer = await client.chat.completions.create({
      model: "openai/gpt-6-luna",
      messages: say("I have three apples. How many apples do I have?"),
      reasoning_effort: "high",
    });
    const reasoning = answer.usage?.completion_tokens_details?.reasoning_tokens ?? 0;
    expect(reasoning).toBeGreaterThan(0);
    expect(answer.usage?.completion_tokens).toBeGreaterThan(reasoning);
  });
});

describe("the vendor", () => {
  it("gets the client's own words, and nothing of the gateway's when memory is off", async () => {
    await client.chat.completions.create({ model: "openai/gpt-6-luna", messages: say("I like tea with milk.") });
    expect(promptOf(gateway.asked().at(-1))).toBe("I like tea with milk.");
  });
});
