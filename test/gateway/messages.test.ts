import { type Anthropic, APIError } from "@anthropic-ai/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";

const models = ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"] as const;
const weather = {
  name: "get_weather",
  description: "The weather in a city",
  input_schema: { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] },
};
const bothCities = { role: "user" as const, content: "Use get_weather for Paris and Berlin." };

let gateway: TestGateway;
let client: Anthropic;

beforeAll(async () => {
  gateway = await startGateway();
  client = gateway.anthropic({ "x-throughline-memory": "off" });
});
afterAll(async () => {
  await gateway.close();
});

const say = (content: string) => [{ role: "user" as const, content }];
const textOf = (message: Anthropic.Message) =>
  message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
const callsOf = (message: Anthropic.Message) => message.content.filter((block) => block.type === "tool_use");

async function errorOf(request: Promise<unknown>): Promise<APIError> {
  const error: unknown = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof APIError) return error;
  throw new Error("The request was answered.", { cause: error });
}

describe.each(models)("%s, asked with the Anthropic client", (model) => {
  it("answers whole", async () => {
    const message = await client.messages.create({
      model,
      max_tokens: 500,
      system: "The office is in Lyon.",
      messages: say("My name is Ada. What is my name? Where is the office?"),
    });
    expect(message).toMatchObject({ type: "message", role: "assistant", stop_reason: "end_turn", stop_sequence: null });
    expect(textOf(message)).toMatch(/Ada.*Lyon|Lyon.*Ada/u);
    expect(message.usage.input_tokens).toBeGreaterThan(0);
    expect(message.usage.output_tokens).toBeGreaterThan(0);
  });

  it("streams the same words and the same usage", async () => {
    const request = { model, max_tokens: 500, messages: say("My dog is called Pixel. What is my dog called?") };
    const whole = await client.messages.create(request);
    const kinds: string[] = [];
    const stream = client.messages.stream(request);
    stream.on("streamEvent", (event) => kinds.push(event.type));
    const streamed = await stream.finalMessage();
    expect(textOf(streamed)).toBe(textOf(whole));
    expect(streamed.usage.output_tokens).toBe(whole.usage.output_tokens);
    expect(streamed.usage.input_tokens).toBe(whole.usage.input_tokens);
    expect(kinds[0]).toBe("message_start");
    expect(kinds.slice(-2)).toEqual(["message_delta", "message_stop"]);
    const opened = kinds.filter((kind) => kind === "content_block_start").length;
    expect(kinds.filter((kind) => kind === "content_block_stop")).toHaveLength(opened);
  });

  it("calls tools at once and goes on with their results", async () => {
    const request = { model, max_tokens: 1_000, tools: [weather], messages: [bothCities] };
    const asked = await client.messages.stream(request).finalMessage();
    expect(asked.stop_reason).toBe("tool_use");
    expect(callsOf(asked).map((call) => [call.name, call.input])).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_weather", { city: "Berlin" }],
    ]);
    const results = callsOf(asked).map((call, index) => ({
      type: "tool_result" as const,
      tool_use_id: call.id,
      content: index === 0 ? "sunny, 21 degrees" : "rain, 9 degrees",
    }));
    const answer = await client.messages.create({
      ...request,
      messages: [bothCities, { role: "assistant", content: asked.content }, { role: "user", content: results }],
    });
    expect(answer.stop_reason).toBe("end_turn");
    expect(textOf(answer)).toMatch(/sunny, 21 degrees.*rain, 9 degrees/u);
  });

  it("stops at the token limit and says so", async () => {
    const message = await client.messages.create({
      model,
      max_tokens: 60,
      messages: say("[[sandbox:words=400]] Count."),
    });
    expect(message.stop_reason).toBe("max_tokens");
  });
});

describe("thinking", () => {
  it("is shown by Claude and comes back with its signature in a tool loop", async () => {
    const request = {
      model: "claude-opus-5-5",
      max_tokens: 4_000,
      thinking: { type: "adaptive" as const, display: "summarized" as const },
      tools: [weather],
      messages: [bothCities] as Anthropic.MessageParam[],
    };
    const asked = await client.messages.create(request);
    expect(asked.content[0]).toMatchObject({ type: "thinking", signature: expect.stringMatching(/.{20}/u) });
    const results = callsOf(asked).map((call) => ({
      type: "tool_result" as const,
      tool_use_id: call.id,
      content: "sunny",
    }));
    const answer = await client.messages.create({
      ...request,
      messages: [bothCities, { role: "assistant", content: asked.content }, { role: "user", content: results }],
    });
    expect(textOf(answer)).toContain("sunny");
  });

  it("of another vendor arrives as a thinking block, and is no hindrance when it comes back", async () => {
    const request = {
      model: "google/gemini-3.8-flash",
      max_tokens: 4_000,
      thinking: { type: "adaptive" as const, display: "summarized" as const },
      messages: say("I have three apples. How many apples do I have?"),
    };
    const first = await client.messages.create(request);
    expect(first.content.map((block) => block.type)).toEqual(["thinking", "text"]);
    const second = await client.messages.create({
      ...request,
      model: "anthropic/claude-opus-5-5",
      messages: [...request.messages, { role: "assistant", content: first.content }, ...say("Is that all?")],
    });
    expect(second.stop_reason).toBe("end_turn");
  });
});

describe("an error", () => {
  it("has Anthropic's shape and our trace as its request id", async () => {
    const error = await errorOf(client.messages.create({ model: "claude-none", max_tokens: 5, messages: say("Hi") }));
    expect(error.status).toBe(404);
    expect(error.error).toMatchObject({
      type: "error",
      error: { type: "not_found_error", message: expect.any(String) },
      request_id: error.headers?.get("x-throughline-trace"),
    });
  });

  it("names a field that is missing", async () => {
    const response = await gateway.fetch("/v1/messages", { body: { model: "auto", messages: say("Hi") } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      type: "error",
      error: { type: "invalid_request_error", message: expect.stringContaining("'max_tokens' is missing") },
    });
  });

  it("of a vendor that stays overloaded is Anthropic's word for it", async () => {
    const messages = say("[[sandbox:fail=529]] Hi");
    const error = await errorOf(client.messages.create({ model: "claude-haiku-5-5", max_tokens: 5, messages }));
    expect(error.type).toBe("overloaded_error");
  });

  it("after the first byte is an error event of the stream", async () => {
    const messages = say("[[sandbox:fail=500 after=4 words=50]] Count.");
    const request = { model: "openai/gpt-6-luna", max_tokens: 500, messages };
    const error = await errorOf(client.messages.stream(request).finalMessage());
    expect(error.error).toMatchObject({ type: "error", error: { type: "api_error" } });
  });
});
