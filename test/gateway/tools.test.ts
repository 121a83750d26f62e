import OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";
import { createCheckedFetch } from "../support/openai-schema.ts";

const models = ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"] as const;
const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};
const clock = { type: "function" as const, function: { name: "current_time", description: "The time now" } };
const bothCities: ChatCompletionMessageParam = { role: "user", content: "Use get_weather for Paris and Berlin." };

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

/** What each call asks for, however the model spaced its JSON. */
function citiesOf(message: OpenAI.ChatCompletionMessage | undefined): unknown[] {
  return (message?.tool_calls ?? []).map((call) => {
    const called = call.type === "function" ? call.function : undefined;
    return [called?.name, (JSON.parse(called?.arguments ?? "null") as { city?: string } | null)?.city];
  });
}

describe.each(models)("%s", (model) => {
  it("calls two tools at once, whole and streamed alike", async () => {
    const whole = await client.chat.completions.create({ model, messages: [bothCities], tools: [weather] });
    const expected = [
      ["get_weather", "Paris"],
      ["get_weather", "Berlin"],
    ];
    expect(whole.choices[0]?.finish_reason).toBe("tool_calls");
    expect(citiesOf(whole.choices[0]?.message)).toEqual(expected);
    const ids = whole.choices[0]?.message.tool_calls?.map((call) => call.id) ?? [];
    expect(new Set(ids).size).toBe(2);

    const stream = client.chat.completions.stream({ model, messages: [bothCities], tools: [weather] });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.finish_reason).toBe("tool_calls");
    expect(citiesOf(final.choices[0]?.message)).toEqual(expected);
  });

  it("numbers streamed calls from 0 and names each once", async () => {
    const stream = await client.chat.completions.create({
      model,
      messages: [bothCities],
      tools: [weather],
      stream: true,
    });
    const deltas: OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall[] = [];
    for await (const chunk of stream) deltas.push(...(chunk.choices[0]?.delta.tool_calls ?? []));
    const opened = deltas.filter((delta) => delta.id !== undefined);
    expect(opened.map(({ index, function: called }) => [index, called?.name])).toEqual([
      [0, "get_weather"],
      [1, "get_weather"],
    ]);
    expect(deltas.every(({ index }) => index === 0 || index === 1)).toBe(true);
  });

  it("goes on with the results of a call", async () => {
    const asked = await client.chat.completions.create({ model, messages: [bothCities], tools: [weather] });
    const message = asked.choices[0]?.message;
    if (message === undefined) throw new Error("No answer.");
    const [paris, berlin] = message.tool_calls ?? [];
    const answer = await client.chat.completions.create({
      model,
      tools: [weather],
      messages: [
        bothCities,
        message,
        { role: "tool", tool_call_id: paris?.id ?? "", content: "sunny, 21 degrees" },
        { role: "tool", tool_call_id: berlin?.id ?? "", content: "rain, 9 degrees" },
      ],
    });
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    expect(answer.choices[0]?.message.content).toMatch(/sunny, 21 degrees.*rain, 9 degrees/u);
  });

  it("runs the client's own tool loop to its end", async () => {
    const called: string[] = [];
    const runner = client.chat.completions.runTools({
      model,
      messages: [bothCities],
      tools: [
        {
          type: "function",
          function: {
            ...weather.function,
            parse: JSON.parse,
            function: ({ city }: { city: string }) => {
              called.push(city);
              return `It is warm in ${city}.`;
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toMatch(/warm in Paris.*warm in Berlin/u);
    expect(called).toEqual(["Paris", "Berlin"]);
  });

  it("calls no more than one tool when parallel calls are off", async () => {
    const { data: answer, response } = await client.chat.completions
      .create({ model, messages: [bothCities], tools: [weather], parallel_tool_calls: false })
      .withResponse();
    const { length } = answer.choices[0]?.message.tool_calls ?? [];
    // Gemini has no such switch: what cannot be carried is named.
    const named = /parallel/u.test(response.headers.get("x-throughline-warnings") ?? "");
    expect({ length, named }).toEqual(
      model.startsWith("google/") ? { length: 2, named: true } : { length: 1, named: false },
    );
  });

  it("gives a tool without arguments an empty object", async () => {
    const stream = client.chat.completions.stream({
      model,
      messages: [{ role: "user", content: "Call current_time." }],
      tools: [clock],
    });
    const message = (await stream.finalChatCompletion()).choices[0]?.message;
    const [call] = message?.tool_calls ?? [];
    expect(call?.type === "function" && JSON.parse(call.function.arguments)).toEqual({});
  });
});

describe("a forced tool call", () => {
  it.each(models)("is made by %s whatever the words", async (model) => {
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "I am on my way to Rome." }],
      tools: [weather],
      tool_choice: { type: "function", function: { name: "get_weather" } },
    });
    expect(answer.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: "get_weather" } });
  });

  it("is named in a warning by a model that cannot be forced", async () => {
    const { response } = await client.chat.completions
      .create({
        model: "anthropic/claude-sonnet-5-5",
        messages: [{ role: "user", content: "I am on my way to Rome." }],
        tools: [weather],
        tool_choice: "required",
      })
      .withResponse();
    expect(response.headers.get("x-throughline-warnings")).toMatch(/tool_choice/u);
  });
});

describe("a tool loop that changes its vendor half-way", () => {
  it.each([
    ["anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"],
    ["google/gemini-3.8-flash", "openai/gpt-6-luna"],
    ["openai/gpt-6-luna", "anthropic/claude-sonnet-5-5"],
  ])("from %s to %s is answered", async (first, second) => {
    const asked = await client.chat.completions.create({ model: first, messages: [bothCities], tools: [weather] });
    const message = asked.choices[0]?.message;
    if (message === undefined) throw new Error("No answer.");
    const results = (message.tool_calls ?? []).map(({ id }) => ({
      role: "tool" as const,
      tool_call_id: id,
      content: "sunny",
    }));
    const answer = await client.chat.completions.create({
      model: second,
      tools: [weather],
      messages: [bothCities, message, ...results],
    });
    expect(answer.choices[0]?.message.content).toContain("sunny");
  });
});

it("a choice among tools of OpenAI's own kinds is left to OpenAI (4)", async () => {
  const custom = { type: "custom" as const, custom: { name: "run_sql" } };
  const allowed = { mode: "auto" as const, tools: [custom] };
  await client.chat.completions.create({
    model: "openai/gpt-6-luna",
    messages: [{ role: "user", content: "Hello" }],
    tools: [custom, weather],
    tool_choice: { type: "allowed_tools", allowed_tools: allowed },
  });
  expect(gateway.asked().at(-1)?.body).toMatchObject({
    tools: [custom, weather],
    tool_choice: { type: "allowed_tools", allowed_tools: allowed },
  });
});
