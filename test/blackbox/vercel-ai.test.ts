import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { startGateway, type TestGateway } from "../support/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ yaml: "memory: { enabled: false }\n" });
});
afterAll(async () => {
  await gateway.close();
});

const models = ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"];
/** The package's three ways to speak to `/v1`, each with nothing changed but its base URL. */
const providers = {
  "Chat Completions": (model: string) => createOpenAI({ baseURL: `${gateway.origin}/v1`, apiKey: "none" }).chat(model),
  Responses: (model: string) => createOpenAI({ baseURL: `${gateway.origin}/v1`, apiKey: "none" }).responses(model),
  Messages: (model: string) => createAnthropic({ baseURL: `${gateway.origin}/v1`, apiKey: "none" })(model),
};
const pairs = Object.entries(providers).flatMap(([wire, connect]) => models.map((model) => ({ wire, model, connect })));

describe.each(pairs)("the Vercel AI SDK over $wire to $model", ({ model, connect }) => {
  it("streams words and usage", async () => {
    const result = streamText({ model: connect(model), prompt: "The code is 4711. What is the code?", maxRetries: 0 });
    let text = "";
    for await (const delta of result.textStream) text += delta;
    expect(text).toContain("4711");
    expect(await result.finishReason).toBe("stop");
    expect((await result.totalUsage).outputTokens).toBeGreaterThan(0);
  });

  it("runs a loop of two tools at once to its end, streamed", async () => {
    const called: string[] = [];
    const result = streamText({
      model: connect(model),
      prompt: "Use get_weather for Paris and Berlin.",
      maxRetries: 0,
      stopWhen: stepCountIs(4),
      tools: {
        get_weather: tool({
          description: "The weather in a city",
          inputSchema: z.object({ city: z.string() }),
          execute: ({ city }) => {
            called.push(city);
            return `It is mild in ${city}.`;
          },
        }),
      },
    });
    const text = await result.text;
    expect(called).toEqual(["Paris", "Berlin"]);
    expect(text).toMatch(/mild in Paris.*mild in Berlin/u);
    expect(await result.steps).toHaveLength(2);
  });

  it("makes an object of a schema", async () => {
    const result = await generateText({
      model: connect(model),
      prompt: "My name is Ada. My city is Lisbon. Fill in the form.",
      maxRetries: 0,
      output: Output.object({ schema: z.object({ name: z.string(), city: z.string() }) }),
    });
    expect(result.output).toMatchObject({ city: "Lisbon" });
  });

  it("hears why a model is not there", async () => {
    const asked = generateText({ model: connect("no-such-model"), prompt: "Hello", maxRetries: 0 });
    await expect(asked).rejects.toMatchObject({ statusCode: 404, message: expect.stringMatching(/no-such-model/) });
  });
});
