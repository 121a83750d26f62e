import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type TestGateway, startGateway } from "../support/gateway.ts";
import { createCheckedFetch } from "../support/openai-schema.ts";

const models = ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"] as const;
const person = z.object({ name: z.string(), city: z.string(), age: z.number().int(), hobbies: z.array(z.string()) });
const words = "My name is Ada. My city is Lisbon. My age is 36.";

const wire = createCheckedFetch();
let gateway: TestGateway;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startGateway();
  client = new OpenAI({ apiKey: "x", baseURL: `${gateway.origin}/v1`, maxRetries: 0, fetch: wire.fetch });
});
afterAll(async () => {
  await gateway.close();
});
afterEach(() => {
  wire.settle();
});

describe.each(models)("%s", (model) => {
  const request = () => ({
    model,
    messages: [{ role: "user" as const, content: words }],
    response_format: zodResponseFormat(person, "person"),
  });

  it("answers in the shape of a zod schema", async () => {
    const answer = await client.chat.completions.parse(request());
    expect(answer.choices[0]?.message.parsed).toMatchObject({ name: "Ada", city: "Lisbon", age: 36 });
  });

  it("streams the same", async () => {
    const final = await client.chat.completions.stream(request()).finalChatCompletion();
    expect(final.choices[0]?.message.parsed).toMatchObject({ name: "Ada", city: "Lisbon", age: 36 });
  });
});

describe("JSON without a schema", () => {
  const request = {
    messages: [{ role: "user" as const, content: "Answer in JSON: my city is Lisbon. What is my city?" }],
    response_format: { type: "json_object" as const },
  };

  it.each(["openai/gpt-6-luna", "google/gemini-3.8-flash"])("comes from %s", async (model) => {
    const answer = await client.chat.completions.create({ model, ...request });
    expect(JSON.parse(answer.choices[0]?.message.content ?? "")).toBeTypeOf("object");
  });

  it("is asked of Claude in words, which has no switch for it", async () => {
    await client.chat.completions.create({ model: "anthropic/claude-haiku-5-5", ...request });
    expect(JSON.stringify(gateway.asked().at(-1)?.body["system"])).toContain("one valid JSON object");
  });
});
