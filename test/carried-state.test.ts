import type Anthropic from "@anthropic-ai/sdk";
import type OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RecordedRequest } from "../gateway/sandbox/vendor-server.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../router/json.ts";
import { newDirectory, removeDirectory, startGateway, type TestGateway } from "./support/gateway.ts";

type Message = OpenAI.ChatCompletionMessageParam;

const claude = "anthropic/claude-opus-5-5";
const gemini = "google/gemini-3.8-flash";
const gpt = "openai/gpt-5.6-sol";
const weather: OpenAI.ChatCompletionFunctionTool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const skipsSignature = "skip_thought_signature_validator";

let gateway: TestGateway;
const folders: string[] = [];

beforeEach(async () => {
  gateway = await startGateway();
});
afterEach(async () => {
  await gateway.close();
  for (const folder of folders.splice(0)) removeDirectory(folder);
});

type Talk = {
  readonly client: OpenAI;
  readonly stream: boolean;
  readonly messages: Message[];
};

function talk(stream: boolean, headers: Readonly<Record<string, string>> = {}): Talk {
  return { client: gateway.openai(headers), stream, messages: [] };
}

/** Asks, and keeps of the answer what every chat client keeps: its words and its calls. */
async function ask({ client, stream, messages }: Talk, model: string): Promise<OpenAI.ChatCompletionMessage> {
  const body = { model, messages, tools: [weather], reasoning_effort: "high" as const };
  const answer = stream
    ? await client.chat.completions.stream(body).finalChatCompletion()
    : await client.chat.completions.create(body);
  const message = answer.choices[0]?.message;
  if (message === undefined) throw new Error("No answer.");
  const { role, content, tool_calls } = message;
  messages.push({ role, content, ...(tool_calls === undefined ? {} : { tool_calls }) });
  return message;
}

/** One turn with a tool loop: the question, the call, its result, the answer. */
async function askWithTool(one: Talk, model: string, city: string): Promise<void> {
  one.messages.push({ role: "user", content: `Use get_weather for ${city}.` });
  const called = await ask(one, model);
  const calls = called.tool_calls ?? [];
  expect(calls).toHaveLength(1);
  for (const call of calls) one.messages.push({ role: "tool", tool_call_id: call.id, content: `rain in ${city}` });
  expect((await ask(one, model)).content).toContain(`rain in ${city}`);
}

function lastAsked(vendor: RecordedRequest["vendor"]): JsonObject {
  const found = gateway.asked().findLast((request) => request.vendor === vendor);
  if (found === undefined) throw new Error(`${vendor} was not asked.`);
  return found.body;
}

function objects(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

/** The blocks of every assistant turn that Anthropic was sent last. */
function claudeTurns(): readonly (readonly JsonObject[])[] {
  return objects(lastAsked("anthropic")["messages"])
    .filter((message) => message["role"] === "assistant")
    .map((message) => objects(message["content"]));
}

function geminiParts(): readonly JsonObject[] {
  return objects(lastAsked("gemini")["contents"])
    .filter((content) => content["role"] === "model")
    .flatMap((content) => objects(content["parts"]));
}

function typesOf(blocks: readonly JsonObject[]): readonly unknown[] {
  return blocks.map((block) => block["type"]);
}

/**
 * Sends Anthropic's sandbox the same request again without the leave to drop thinking whose transcript has changed: it
 * then refuses one altered byte.
 */
async function insist(body: JsonObject): Promise<void> {
  const { thinking, ...rest } = body;
  const { block_binding: _leave, ...strict } = isJsonObject(thinking) ? thinking : {};
  const { baseUrl, apiKey } = gateway.sandbox.anthropic;
  const response = await fetch(`${baseUrl}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": apiKey, "anthropic-version": "2023-06-01" },
    body: JSON.stringify({ ...rest, stream: false, ...(thinking === undefined ? {} : { thinking: strict }) }),
  });
  expect(await response.json()).toMatchObject({ type: "message" });
}

describe.each([
  ["whole", false],
  ["streamed", true],
])("a chat client's conversation, %s", (_name, stream) => {
  it("gives Claude its signed thinking back, first and unaltered", async () => {
    const one = talk(stream);
    await askWithTool(one, claude, "Paris");
    await askWithTool(one, claude, "Berlin");
    expect(claudeTurns().map(typesOf)).toEqual([
      ["thinking", "tool_use"],
      ["thinking", "text"],
      ["thinking", "tool_use"],
    ]);
    const [first] = claudeTurns();
    expect(first?.[0]?.["signature"]).toMatch(/^[A-Za-z0-9+/=]{40,}$/u);
    await insist(lastAsked("anthropic"));
  });

  it("gives Gemini the signatures of its calls and of its words back", async () => {
    const one = talk(stream);
    await askWithTool(one, gemini, "Paris");
    await askWithTool(one, gemini, "Berlin");
    const signatures = geminiParts().map((part) => part["thoughtSignature"]);
    expect(geminiParts().filter((part) => part["functionCall"] !== undefined)).toHaveLength(2);
    expect(signatures.filter((signature) => typeof signature === "string")).toHaveLength(3);
    expect(signatures).not.toContain(skipsSignature);
  });

  it("gives OpenAI its encrypted reasoning back ahead of the call it led to", async () => {
    const one = talk(stream);
    await askWithTool(one, gpt, "Paris");
    const items = objects(lastAsked("openai")["input"]);
    expect(typesOf(items)).toEqual(["message", "reasoning", "function_call", "function_call_output"]);
    expect(items[1]?.["encrypted_content"]).toMatch(/^[A-Za-z0-9+/=]{40,}$/u);
  });

  it("goes from GPT to Claude to Gemini and back, each with its own state alone", async () => {
    const one = talk(stream);
    for (const model of [gpt, claude, gemini, gpt, claude, gemini]) await askWithTool(one, model, "Rome");
    expect(claudeTurns().map(typesOf)).toEqual([
      ["tool_use"],
      ["text"],
      ["thinking", "tool_use"],
      ["thinking", "text"],
      ["tool_use"],
      ["text"],
      ["tool_use"],
      ["text"],
      ["thinking", "tool_use"],
    ]);
    await insist(lastAsked("anthropic"));
    const signed = geminiParts().filter((part) => (part["thoughtSignature"] ?? skipsSignature) !== skipsSignature);
    expect(signed).toHaveLength(3);
    const items = objects(lastAsked("openai")["input"]);
    expect(items.filter((item) => item["type"] === "reasoning")).toHaveLength(3);
    expect(JSON.stringify(items)).not.toContain("signature");
  });

  it("keeps what belongs to words alone apart, though they are said twice", async () => {
    const one = talk(stream);
    for (const text of ["Thanks!", "What is the capital of France?", "Thanks!"]) {
      one.messages.push({ role: "user", content: text });
      await ask(one, claude);
    }
    const thinking = claudeTurns().map(([block]) => block?.["signature"]);
    expect(thinking).toHaveLength(2);
    expect(new Set(thinking).size).toBe(2);
    await insist(lastAsked("anthropic"));
  });
});

describe("an Anthropic client's conversation", () => {
  const tool: Anthropic.Tool = {
    name: "get_weather",
    description: "The weather in a city",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  };

  async function converse(models: readonly string[], stream: boolean): Promise<void> {
    const client = gateway.anthropic();
    const messages: Anthropic.MessageParam[] = [];
    async function answer(model: string): Promise<Anthropic.Message> {
      const body = { model, messages, tools: [tool], max_tokens: 4_000, thinking: { type: "adaptive" as const } };
      const message = stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body);
      messages.push({ role: "assistant", content: message.content });
      return message;
    }
    for (const model of models) {
      messages.push({ role: "user", content: "Use get_weather for Oslo." });
      const called = await answer(model);
      expect(called.stop_reason).toBe("tool_use");
      const results = called.content
        .filter((block) => block.type === "tool_use")
        .map((block) => ({ type: "tool_result" as const, tool_use_id: block.id, content: "rain in Oslo" }));
      messages.push({ role: "user", content: results });
      const said = await answer(model);
      expect(said.content.some((block) => block.type === "text" && block.text.includes("rain in Oslo"))).toBe(true);
    }
  }

  it.each([
    ["whole", false],
    ["streamed", true],
  ])("goes from GPT to Claude to Gemini and back, %s", async (_name, stream) => {
    await converse([gpt, claude, gemini, gpt, claude, gemini], stream);
    const signed = geminiParts().filter((part) => (part["thoughtSignature"] ?? skipsSignature) !== skipsSignature);
    expect(signed.length).toBeGreaterThanOrEqual(3);
    expect(
      claudeTurns()
        .flat()
        .filter((block) => block["type"] === "thinking"),
    ).toHaveLength(3);
  });

  it("goes from one Claude to another, of the gateway's choosing, that the thinking is not bound to", async () => {
    await gateway.close();
    gateway = await startGateway({ yaml: "aliases: { ours: [anthropic/claude-sonnet-5-5] }\n" });
    await converse([claude, "ours"], false);
    expect(
      claudeTurns()
        .flat()
        .some((block) => block["type"] === "thinking"),
    ).toBe(true);
  });
});

/** A call of Gemini's as another client got it, sent on under other headers; what Gemini then saw of a signature. */
async function signatureFor(from: Record<string, string>, to: Record<string, string>): Promise<unknown> {
  const one = talk(false, from);
  one.messages.push({ role: "user", content: "Use get_weather for Paris." });
  const called = await ask(one, gemini);
  const other = { ...one, client: gateway.openai(to) };
  other.messages.push({ role: "tool", tool_call_id: called.tool_calls?.[0]?.id ?? "", content: "rain" });
  await ask(other, gemini);
  return geminiParts().find((part) => part["functionCall"] !== undefined)?.["thoughtSignature"];
}

describe("the state of a conversation", () => {
  const session = { "x-throughline-session": "s1" };
  const as = (key: string) => ({ ...session, authorization: `Bearer key-${key}` });

  it("is found by its user in any request of the session", async () => {
    const anna = { ...session, "x-throughline-user": "anna" };
    expect(await signatureFor(anna, anna)).not.toBe(skipsSignature);
  });

  it("is not another user's, nor another session's", async () => {
    const anna = { ...session, "x-throughline-user": "anna" };
    expect(await signatureFor(anna, { ...anna, "x-throughline-user": "ben" })).toBe(skipsSignature);
    expect(await signatureFor(anna, { ...anna, "x-throughline-session": "s2" })).toBe(skipsSignature);
  });

  it("is a key's own where no user is named, in no other tenant and for no other key", async () => {
    await gateway.close();
    gateway = await startGateway({
      env: { ONE: "key-one", TWO: "key-two", THREE: "key-three" },
      yaml: `keys:
  - { name: one, key: "env:ONE", tenant: acme }
  - { name: two, key: "env:TWO", tenant: acme }
  - { name: three, key: "env:THREE", tenant: globex }
`,
    });
    expect(await signatureFor(as("one"), as("one"))).not.toBe(skipsSignature);
    expect(await signatureFor(as("one"), as("two"))).toBe(skipsSignature);
    expect(await signatureFor(as("one"), as("three"))).toBe(skipsSignature);
    expect(await signatureFor(as("one"), { ...as("two"), "x-throughline-user": "one" })).toBe(skipsSignature);
  });

  it("is kept with memory off, for the request or for the whole gateway", async () => {
    const off = { "x-throughline-memory": "off" };
    expect(await signatureFor(off, off)).not.toBe(skipsSignature);
    await gateway.close();
    gateway = await startGateway({ yaml: "memory: { enabled: false }\n" });
    expect(await signatureFor({}, {})).not.toBe(skipsSignature);
  });

  it("outlives the process", async () => {
    const data = newDirectory();
    folders.push(data);
    await gateway.close();
    gateway = await startGateway({ data });
    const one = talk(true);
    one.messages.push({ role: "user", content: "Use get_weather for Paris." });
    const called = await ask(one, claude);
    await gateway.close();
    gateway = await startGateway({ data });
    const later = { ...one, client: gateway.openai() };
    later.messages.push({ role: "tool", tool_call_id: called.tool_calls?.[0]?.id ?? "", content: "rain" });
    await ask(later, claude);
    expect(claudeTurns().map(typesOf)).toEqual([["thinking", "tool_use"]]);
  });

  it("is gone with its user, memory switched off or not", async () => {
    for (const yaml of ["", "memory: { enabled: false }\n"]) {
      await gateway.close();
      gateway = await startGateway({ yaml });
      const anna = { ...session, "x-throughline-user": "anna" };
      const one = talk(false, anna);
      one.messages.push({ role: "user", content: "Use get_weather for Paris." });
      const called = await ask(one, claude);
      const erased = await gateway.fetch("/v1/users/anna", { method: "DELETE" });
      expect(await erased.json()).toMatchObject({ object: "user.erased" });
      one.messages.push({ role: "tool", tool_call_id: called.tool_calls?.[0]?.id ?? "", content: "rain" });
      await ask(one, claude);
      expect(claudeTurns().map(typesOf)).toEqual([["tool_use"]]);
    }
  });

  it("is left to a client that carries its own", async () => {
    const one = talk(false);
    one.messages.push({ role: "user", content: "Use get_weather for Paris." });
    const called = await ask(one, gemini);
    const call = called.tool_calls?.[0];
    const own = Buffer.from("a signature that the client kept").toString("base64");
    one.messages[1] = {
      role: "assistant",
      tool_calls: [{ ...call, extra_content: { google: { thought_signature: own } } }] as never,
    };
    one.messages.push({ role: "tool", tool_call_id: call?.id ?? "", content: "rain" });
    await expect(ask(one, gemini)).rejects.toThrow(/Corrupted thought signature/u);
    expect(geminiParts()[0]?.["thoughtSignature"]).toBe(own);
  });
});

describe("memory beside bound thinking", () => {
  it("lets Claude think through six turns with tools and recalled memories, none of its thinking altered", async () => {
    const headers = { "x-throughline-user": "anna", "x-throughline-session": "trip" };
    const teller = gateway.openai({ "x-throughline-user": "anna", "x-throughline-session": "before" });
    for (const fact of ["I live in Lisbon.", "My dog is called Bruno.", "I work as a nurse.", "I am allergic to nuts."])
      await teller.chat.completions.create({ model: "openai/gpt-6-luna", messages: [{ role: "user", content: fact }] });
    await gateway.learned();
    const one = talk(true, headers);
    const turns = [
      "Where do I live? Use get_weather for Lisbon.",
      "What is my dog called? Use get_weather for Porto.",
      "What is my job? Use get_weather for Faro.",
      "What am I allergic to? Use get_weather for Braga.",
      "I moved to Berlin. Use get_weather for Berlin.",
      "Where do I live now? Use get_weather for Hamburg.",
    ];
    for (const [index, content] of turns.entries()) {
      one.messages.push({ role: "user", content });
      const called = await ask(one, claude);
      await insist(lastAsked("anthropic"));
      for (const call of called.tool_calls ?? [])
        one.messages.push({ role: "tool", tool_call_id: call.id, content: `rain, and it is day ${index}` });
      await ask(one, claude);
      await insist(lastAsked("anthropic"));
      await gateway.learned();
    }
    expect(claudeTurns()).toHaveLength(11);
    expect(claudeTurns().every(([first]) => first?.["type"] === "thinking")).toBe(true);
    expect(JSON.stringify(lastAsked("anthropic")["messages"])).toContain("<throughline-memory>");
  });
});
