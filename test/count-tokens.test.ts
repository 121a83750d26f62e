import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "./support/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => {
  await gateway.close();
});

const tool = {
  name: "get_weather",
  description: "The weather in a city",
  input_schema: { type: "object" as const, properties: { city: { type: "string" } } },
};
const prompt = {
  system: "You are brief.",
  tools: [tool],
  messages: [{ role: "user" as const, content: "What is the weather in Paris?" }],
};

async function order(body: Readonly<Record<string, unknown>> | undefined): Promise<void> {
  const { baseUrl, apiKey } = gateway.sandbox.anthropic;
  await fetch(`${baseUrl}/_sandbox/fail`, {
    method: body === undefined ? "DELETE" : "POST",
    headers: { "content-type": "application/json", "x-api-key": apiKey },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

describe("counting tokens", () => {
  it("is Anthropic's own count for a Claude: what the answer's usage then says", async () => {
    const client = gateway.anthropic({ "x-throughline-memory": "off" });
    const model = "claude-haiku-5-5";
    const { data, response } = await client.messages.countTokens({ model, ...prompt }).withResponse();
    expect(response.headers.get("x-throughline-model")).toBe("anthropic/claude-haiku-5-5");
    expect(response.headers.get("x-throughline-warnings")).toBeNull();
    expect(gateway.asked().at(-1)?.path).toBe("/v1/messages/count_tokens");
    const { usage } = await client.messages.create({ model, max_tokens: 100, ...prompt });
    expect(data).toEqual({ input_tokens: usage.input_tokens });
  });

  it("takes a message's own body too, and sends on what counts", async () => {
    const body = { model: "claude-opus-5-5", max_tokens: 50, stream: true, stop_sequences: ["x"], ...prompt };
    const response = await gateway.fetch("/v1/messages/count_tokens", { body });
    expect(response.status).toBe(200);
    expect(Object.keys(gateway.asked().at(-1)?.body ?? {}).toSorted()).toEqual([
      "messages",
      "model",
      "system",
      "tools",
    ]);
  });

  it("is our estimate for anybody else's model, and says so", async () => {
    const counted = gateway.anthropic().messages.countTokens({ model: "gpt-6-luna", ...prompt });
    const { data, response } = await counted.withResponse();
    expect(data.input_tokens).toBeGreaterThan(20);
    expect(data.input_tokens).toBeLessThan(100);
    expect(response.headers.get("x-throughline-warnings")).toMatch(/^input_tokens: estimated, openai/u);
    const long = { role: "user" as const, content: "word ".repeat(1_000) };
    const longer = await gateway.anthropic().messages.countTokens({ model: "gpt-6-luna", messages: [long] });
    expect(longer.input_tokens).toBeGreaterThan(1_000);
  });

  it("is our estimate while Anthropic cannot count, and says why", async () => {
    await order({ status: 529 });
    const counted = gateway.anthropic().messages.countTokens({ model: "claude-opus-5-5", ...prompt });
    const { data, response } = await counted.withResponse();
    await order(undefined);
    expect(data.input_tokens).toBeGreaterThan(20);
    expect(response.headers.get("x-throughline-warnings")).toMatch(/anthropic could not count \(overloaded\)/u);
  });

  it("is given for a prompt that is too long for its model", async () => {
    const messages = [{ role: "user" as const, content: "word ".repeat(300_000) }];
    const counted = await gateway.anthropic().messages.countTokens({ model: "claude-haiku-4-5", messages });
    expect(counted.input_tokens).toBeGreaterThan(200_000);
  });

  it("is for the model that would be chosen when none is named", async () => {
    const { response } = await gateway
      .anthropic()
      .messages.countTokens({ model: "auto", ...prompt })
      .withResponse();
    expect(response.headers.get("x-throughline-model")).toMatch(/^(?:openai|anthropic|google)\//u);
  });

  it("passes Anthropic's refusal on", async () => {
    const orphan = { type: "tool_result", tool_use_id: "toolu_unknown", content: "x" };
    const body = { model: "claude-opus-5-5", messages: [{ role: "user", content: [orphan] }] };
    const response = await gateway.fetch("/v1/messages/count_tokens", { body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
  });

  it.each([
    [{ messages: prompt.messages }, "model"],
    [{ model: "claude-opus-5-5" }, "messages"],
    [{ model: "claude-opus-5-5", messages: [] }, "messages"],
  ])("of %j is refused in Anthropic's words", async (body, field) => {
    const response = await gateway.fetch("/v1/messages/count_tokens", { body });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { type: string; message: string } };
    expect(error.type).toBe("invalid_request_error");
    expect(error.message).toContain(`'${field}'`);
  });

  it("for a model nobody has is not found", async () => {
    const response = await gateway.fetch("/v1/messages/count_tokens", { body: { model: "claude-9", ...prompt } });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { type: "not_found_error" } });
  });
});
