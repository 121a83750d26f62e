import { describe, expect, it } from "vitest";
import type { ChatMessage, ChatRequest } from "../router/chat.ts";
import type { JsonObject } from "../router/json.ts";
import type { Capabilities } from "../router/model.ts";
import { createPooledFetch } from "../router/pooled-fetch.ts";
import { providers } from "../router/providers.ts";
import { chatModel, chatRequest, objectsIn } from "./chat-call.ts";
import { startFakeVendor } from "./conformance/provider/fake-vendor.ts";

type Sent = {
  readonly path: string;
  readonly body: JsonObject;
  readonly text: string;
  readonly warnings: readonly string[];
};

/** What the vendor receives for a request. */
async function send(
  request: Partial<ChatRequest>,
  capabilities: Partial<Capabilities> = {},
  provider = "openai",
): Promise<Sent> {
  const vendor = await startFakeVendor();
  const pooled = createPooledFetch();
  const warnings: string[] = [];
  vendor.reply = { status: 500 };
  try {
    const create = providers[provider];
    if (create === undefined) throw new Error(`no provider ${provider}`);
    const call = {
      request: chatRequest(request),
      model: chatModel("model-1", provider, { midSystem: true, ...capabilities }),
      signal: new AbortController().signal,
      warn: (warning: string): void => void warnings.push(warning),
    };
    const asking = create({ id: provider, apiKey: "k", baseUrl: vendor.url, fetch: pooled }).chat(call);
    const refusal = await asking.then(
      () => undefined,
      (error: unknown) => error,
    );
    const [sent] = vendor.received;
    if (sent === undefined) throw refusal;
    return { path: sent.path, text: sent.body, body: JSON.parse(sent.body), warnings };
  } finally {
    await vendor.stop();
    await pooled.close();
  }
}

const translated = { dialect: "anthropic-messages" } as const;
const user = (text: string, source?: number): ChatMessage => ({
  role: "user",
  content: [{ type: "text", text }],
  ...(source === undefined ? undefined : { source }),
});
const call = (id: string, name = "weather"): ChatMessage => ({
  role: "assistant",
  content: [{ type: "tool-call", id, name, arguments: "" }],
});
const result = (id: string, text: string): ChatMessage => ({
  role: "tool",
  content: [{ type: "tool-result", toolCallId: id, content: [{ type: "text", text }] }],
});
const weather = { type: "function", name: "weather" } as const;
const image = { type: "image", source: { kind: "base64", mediaType: "image/png", data: "aGk=" } } as const;

describe("a Chat Completions client's own body", () => {
  const parts = [
    { type: "text", text: "Look" },
    { type: "image_url", image_url: { url: "data:x" } },
  ];
  const raw = {
    model: "auto",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello", name: "ada" },
      { role: "assistant", content: "Hi" },
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          { type: "image_url", image_url: { url: "data:x" } },
        ],
      },
    ],
    future_field: { b: 1, a: [2, null] },
    temperature: 0.3,
  };
  const messages = [user("Hello", 1), user("Look", 3)];
  const request = { dialect: "openai-chat", raw, messages, sampling: { temperature: 0.3 } } as const;

  it("goes through with nothing but the model changed", async () => {
    const { path, text, warnings } = await send(request);
    expect(path).toBe("/chat/completions");
    expect(text).toBe(JSON.stringify({ ...raw, model: "model-1" }));
    expect(warnings).toEqual([]);
  });

  it("has memory joined to the client's own turn, as text to text and as a part to parts", async () => {
    const injections = new Map([
      [0, "<memory>1</memory>"],
      [1, "<memory>2</memory>"],
    ]);
    const { body } = await send({ ...request, injections });
    const sent = objectsIn(body["messages"]);
    expect(sent[1]).toEqual({ role: "user", content: "<memory>1</memory>\n\nHello", name: "ada" });
    expect(sent[3]?.["content"]).toEqual([{ type: "text", text: "<memory>2</memory>" }, ...parts]);
    expect([sent[0], sent[2]]).toEqual([raw.messages[0], raw.messages[2]]);
    expect(raw.messages[1]?.content).toBe("Hello");
  });

  it("asks for usage in a stream, keeping the client's other options", async () => {
    const stream_options = { include_obfuscation: false, include_usage: false };
    const { body } = await send({ ...request, stream: true, raw: { ...raw, stream: true, stream_options } });
    expect(body["stream_options"]).toEqual({ include_obfuscation: false, include_usage: true });
  });

  it("loses what the model forbids, each with a warning, and keeps a default nobody would refuse", async () => {
    const asked = { ...raw, top_p: 1, presence_penalty: 0.5, logprobs: true, stop: ["END"], max_tokens: 900_000 };
    const thinking: Partial<Capabilities> = { sampling: "default-only", stop: false };
    const { body, warnings } = await send({ ...request, raw: asked }, thinking);
    const lost = new Set(["temperature", "presence_penalty", "logprobs", "stop", "max_tokens"]);
    expect(Object.keys(body).filter((field) => lost.has(field))).toEqual([]);
    expect(body).toMatchObject({ top_p: 1, max_completion_tokens: 64_000 });
    expect(warnings.map((warning) => warning.split(":")[0])).toEqual([
      "max_tokens",
      "temperature",
      "presence_penalty",
      "logprobs",
      "stop",
    ]);
  });

  it("may be as warm as it likes once thinking is off", async () => {
    const capabilities: Partial<Capabilities> = { sampling: "when-not-thinking", efforts: ["none", "low", "high"] };
    const off = await send({ ...request, raw: { ...raw, reasoning_effort: "none" } }, capabilities);
    expect(off.body).toMatchObject({ temperature: 0.3, reasoning_effort: "none" });
    const on = await send({ ...request, raw: { ...raw, reasoning_effort: "medium" } }, capabilities);
    expect(on.body).not.toHaveProperty("temperature");
    expect(on.body).toMatchObject({ reasoning_effort: "low" });
    expect(on.warnings).toHaveLength(2);
  });

  it("is made well-formed where an emoji was cut in half", async () => {
    const { body } = await send({ ...request, raw: { ...raw, messages: [{ role: "user", content: "cut \ud83d" }] } });
    expect(objectsIn(body["messages"])[0]?.["content"]).toBe("cut \ufffd");
  });

  it("loses what a compatible host refuses", async () => {
    const asked = { ...raw, tools: [{ type: "function", function: { name: "x" } }], tool_choice: "required", seed: 4 };
    const strict = await send(
      { ...request, raw: { ...asked, metadata: { a: "b" }, stream: true }, stream: true },
      {},
      "mistral",
    );
    expect(strict.body).toMatchObject({ tool_choice: "any", random_seed: 4 });
    for (const field of ["metadata", "seed", "stream_options"]) expect(strict.body).not.toHaveProperty(field);
    expect(strict.warnings).toEqual(["metadata: not offered by this host"]);
    const groq = await send(
      { ...request, raw: { ...raw, messages: [{ role: "developer", content: "x", name: "y" }] } },
      {},
      "groq",
    );
    expect(objectsIn(groq.body["messages"])[0]).toEqual({ role: "system", content: "x" });
  });

  it("has ids that the host takes where the conversation began at another (10)", async () => {
    const asking = [{ id: "call_made_elsewhere", type: "function", function: { name: "x", arguments: "{}" } }];
    const talk = [
      { role: "user", content: "Go" },
      { role: "assistant", content: null, tool_calls: asking },
      { role: "tool", tool_call_id: "call_made_elsewhere", content: "1" },
    ];
    const [, asked, answered] = objectsIn(
      (await send({ ...request, raw: { ...raw, messages: talk } }, {}, "mistral")).body["messages"],
    );
    const id = objectsIn(asked?.["tool_calls"])[0]?.["id"];
    expect(id).toMatch(/^[a-zA-Z0-9]{9}$/u);
    expect(answered?.["tool_call_id"]).toBe(id);
    const own = await send({ ...request, raw: { ...raw, messages: talk } });
    expect(objectsIn(own.body["messages"])).toEqual(talk);
  });
});

describe("a translation into Chat Completions", () => {
  it("answers every call before anything else is said, images of results after them", async () => {
    const { body, warnings } = await send({
      ...translated,
      messages: [
        user("Go"),
        { role: "assistant", content: [...call("a").content, ...call("b").content] } as ChatMessage,
        {
          role: "user",
          content: [
            { type: "tool-result", toolCallId: "a", content: [{ type: "text", text: "seen" }, image] },
            { type: "tool-result", toolCallId: "b", content: [{ type: "text", text: "no" }], isError: true },
            { type: "tool-result", toolCallId: "zzz", content: [] },
            { type: "text", text: "And now?" },
          ],
        },
        call("c"),
        user("Never mind"),
      ],
      tools: [weather],
    });
    const sent = objectsIn(body["messages"]);
    expect(sent.map((message) => message["role"])).toEqual([
      "user",
      "assistant",
      "tool",
      "tool",
      "user",
      "user",
      "assistant",
      "tool",
      "user",
    ]);
    expect(sent[1]).toMatchObject({
      content: null,
      tool_calls: [{ id: "a", function: { arguments: "{}" } }, { id: "b" }],
    });
    expect(sent[2]).toEqual({ role: "tool", tool_call_id: "a", content: "seen" });
    expect(sent[3]).toEqual({ role: "tool", tool_call_id: "b", content: "Error: no" });
    expect(objectsIn(sent[4]?.["content"])[1]).toEqual({
      type: "image_url",
      image_url: { url: "data:image/png;base64,aGk=" },
    });
    expect(sent[5]).toEqual({ role: "user", content: "And now?" });
    expect(sent[7]).toEqual({ role: "tool", tool_call_id: "c", content: "No result provided" });
    expect(warnings).toHaveLength(2);
  });

  it("keeps a system message in its place, and says so where the model has none there", async () => {
    const system = { role: "developer", content: [{ type: "text", text: "Be brief." }] } as const;
    const messages = [system, user("Hi"), { ...system, role: "system" as const }, user("Go")];
    const { body } = await send({ ...translated, messages });
    expect(objectsIn(body["messages"]).map((message) => message["role"])).toEqual([
      "developer",
      "user",
      "system",
      "user",
    ]);
    const other = await send({ ...translated, messages }, { midSystem: false });
    expect(objectsIn(other.body["messages"])[2]).toEqual({ role: "user", content: "<system>\nBe brief.\n</system>" });
    expect(other.warnings).toHaveLength(1);
  });

  it("lets no system message come between a call and its result", async () => {
    const system = { role: "system", content: [{ type: "text", text: "Hurry." }] } as const;
    const messages = [user("Hi"), call("a"), system, result("a", "x"), user("And?")];
    const chat = await send({ ...translated, messages });
    expect(objectsIn(chat.body["messages"]).map((message) => message["role"])).toEqual([
      "user",
      "assistant",
      "tool",
      "system",
      "user",
    ]);
    const responses = await send({ ...translated, messages, reasoning: { summary: "auto" } });
    expect(objectsIn(responses.body["input"]).map((item) => item["role"] ?? item["type"])).toEqual([
      "user",
      "function_call",
      "function_call_output",
      "system",
      "user",
    ]);
  });

  it("puts memory ahead of the user's words and never on a turn of results", async () => {
    const messages = [user("Hi"), call("a"), result("a", "x"), { role: "user", content: [image] } as ChatMessage];
    const { body } = await send({
      ...translated,
      messages,
      injections: new Map([
        [0, "M1"],
        [3, "M2"],
      ]),
    });
    const sent = objectsIn(body["messages"]);
    expect(sent[0]?.["content"]).toBe("M1\n\nHi");
    expect(sent[2]).toEqual({ role: "tool", tool_call_id: "a", content: "x" });
    expect(objectsIn(sent[3]?.["content"])[0]).toEqual({ type: "text", text: "M2" });
  });

  it("shortens foreign names and ids the same way each time, and leaves out turns that say nothing", async () => {
    const long = "x".repeat(300);
    const messages: ChatMessage[] = [
      user("Hi"),
      call(long, "mcp.server/tool"),
      result(long, "x"),
      {
        role: "assistant",
        content: [{ type: "thinking", text: "Hm", state: { protocol: "anthropic-messages", value: "sig" } }],
      },
    ];
    const tools = [{ type: "function", name: "mcp.server/tool" } as const];
    const { body } = await send({ ...translated, messages, tools });
    const [, calling, answering, ...rest] = objectsIn(body["messages"]);
    const [sentCall] = objectsIn(calling?.["tool_calls"]);
    expect(rest).toEqual([]);
    expect(sentCall?.["id"]).toMatch(/^call_[0-9a-f]{24}$/);
    expect(answering?.["tool_call_id"]).toBe(sentCall?.["id"]);
    const [sentTool] = objectsIn(body["tools"]);
    const name = /"name":"([a-zA-Z0-9_-]{1,64})"/.exec(JSON.stringify(sentTool))?.[1] ?? "no name";
    expect(sentCall?.["function"]).toMatchObject({ name });
  });

  it("hashes whoever asks, and warns of fields nobody else knows", async () => {
    const { body, warnings } = await send({ ...translated, endUser: "ada@example.org", unknownFields: ["container"] });
    expect(body["safety_identifier"]).toMatch(/^[0-9a-f]{64}$/);
    expect(warnings).toEqual(["container: not known to this protocol"]);
  });

  it("refuses what the protocol cannot hold, so that another model is tried", async () => {
    const fileUrl = { type: "file", source: { kind: "url", url: "https://example.org/a.pdf" } } as const;
    const foreign = {
      type: "vendor",
      name: "web_search",
      state: { protocol: "anthropic-messages", value: {} },
    } as const;
    const inside = { ...image, source: { kind: "url", url: "http://169.254.169.254/x" } } as const;
    await expect(send({ ...translated, messages: [{ role: "user", content: [fileUrl] }] })).rejects.toMatchObject({
      code: "unsupported",
    });
    await expect(send({ ...translated, tools: [foreign] })).rejects.toMatchObject({ code: "unsupported" });
    await expect(send({ ...translated, messages: [{ role: "user", content: [inside] }] })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("gives a thinking host its thinking back", async () => {
    const messages: ChatMessage[] = [
      user("Hi"),
      {
        role: "assistant",
        content: [
          { type: "thinking", text: "Look it up" },
          { type: "tool-call", id: "a", name: "weather", arguments: "" },
        ],
      },
      result("a", "x"),
    ];
    const { body } = await send({ ...translated, messages }, {}, "deepseek");
    expect(objectsIn(body["messages"])[1]).toMatchObject({ reasoning_content: "Look it up", content: null });
  });
});

describe("a Responses client's own body", () => {
  const raw = {
    model: "auto",
    input: [
      { role: "user", content: "Hello" },
      { type: "x", deep: [1] },
    ],
    future: { z: 1, a: 2 },
  };
  const request = { dialect: "openai-responses", raw, messages: [user("Hello", 0)] } as const;

  it("goes through with nothing but the model changed", async () => {
    const { path, text } = await send(request);
    expect(path).toBe("/responses");
    expect(text).toBe(JSON.stringify({ ...raw, model: "model-1" }));
  });

  it("has memory joined to its text, its message or its parts", async () => {
    const injections = new Map([[0, "M"]]);
    const text = await send({ ...request, raw: { input: "Hello" }, injections });
    expect(text.body["input"]).toBe("M\n\nHello");
    const message = await send({ ...request, injections });
    expect(objectsIn(message.body["input"])[0]).toEqual({ role: "user", content: "M\n\nHello" });
    const parts = [{ type: "input_text", text: "Hello" }];
    const list = await send({ ...request, raw: { input: [{ role: "user", content: parts }] }, injections });
    expect(objectsIn(list.body["input"])[0]?.["content"]).toEqual([{ type: "input_text", text: "M" }, ...parts]);
  });
});

describe("the choice between the two protocols", () => {
  const thinker: Partial<Capabilities> = { toolsWithEffortNeedResponses: true };
  const asking = { tools: [weather], reasoning: { effort: "high" } } as const;

  it("is Responses for tools with an effort where Chat Completions refuses them", async () => {
    const chatRaw = { messages: [], verbosity: "low", metadata: { a: "b" }, user: "u1", seed: 1 };
    const { path, body, warnings } = await send(
      { ...asking, raw: chatRaw, unknownFields: ["verbosity", "prediction"], sampling: { seed: 1 }, endUser: "u1" },
      thinker,
    );
    expect(path).toBe("/responses");
    expect(body).toMatchObject({
      input: [{ type: "message", role: "user", content: "Hello" }],
      tools: [{ type: "function", name: "weather", parameters: { type: "object", properties: {} }, strict: false }],
      reasoning: { effort: "high" },
      include: ["reasoning.encrypted_content"],
      text: { verbosity: "low" },
      metadata: { a: "b" },
      user: "u1",
      store: false,
    });
    expect(body).not.toHaveProperty("safety_identifier");
    expect(warnings).toEqual(["seed: not offered by the Responses API", "prediction: not known to this protocol"]);
  });

  it("is Chat Completions for everything else", async () => {
    expect((await send({ ...asking, ...translated })).path).toBe("/chat/completions");
    expect((await send({ tools: [weather], raw: { messages: [] } }, thinker)).path).toBe("/chat/completions");
    expect((await send({ ...translated, reasoning: { effort: "low" } }, thinker)).path).toBe("/chat/completions");
  });

  it("is Responses for a client that wants to see the thinking", async () => {
    const { path, body } = await send({ ...translated, reasoning: { effort: "low", summary: "auto" } });
    expect(path).toBe("/responses");
    expect(body["reasoning"]).toEqual({ effort: "low", summary: "auto" });
  });
});

describe("a translation into Responses", () => {
  const asking = { ...translated, reasoning: { summary: "auto" } } as const;

  it("writes calls, results with their images, and reasoning of its own key only", async () => {
    const own = { id: "rs_1", type: "reasoning", encrypted_content: "gAAA", summary: [] };
    const first = await send(asking);
    expect(first.path).toBe("/responses");
    const messages: ChatMessage[] = [
      { role: "system", content: [{ type: "text", text: "Be brief." }] },
      user("Hi"),
      {
        role: "assistant",
        content: [
          { type: "thinking", text: "mine", state: { protocol: "openai-responses", value: own } },
          {
            type: "thinking",
            text: "theirs",
            state: { protocol: "openai-responses", credential: "other", value: own },
          },
          { type: "thinking", text: "foreign", state: { protocol: "anthropic-messages", value: "sig" } },
          { type: "text", text: "One moment." },
          { type: "tool-call", id: "a", name: "weather", arguments: '{"x":1}' },
        ],
      },
      {
        role: "tool",
        content: [{ type: "tool-result", toolCallId: "a", content: [{ type: "text", text: "seen" }, image] }],
      },
      { role: "system", content: [{ type: "text", text: "Hurry." }] },
    ];
    const { body, warnings } = await send({ ...asking, messages });
    expect(body["instructions"]).toBe("Be brief.");
    expect(body["input"]).toEqual([
      { type: "message", role: "user", content: "Hi" },
      own,
      { type: "message", role: "assistant", content: "One moment." },
      { type: "function_call", call_id: "a", name: "weather", arguments: '{"x":1}' },
      {
        type: "function_call_output",
        call_id: "a",
        output: [
          { type: "input_text", text: "seen" },
          { type: "input_image", image_url: "data:image/png;base64,aGk=", detail: "auto" },
        ],
      },
      { type: "message", role: "system", content: "Hurry." },
    ]);
    expect(warnings).toEqual(["messages: reasoning encrypted for another API key is left out"]);
  });

  it("warns of what Responses has no field for, and keeps to its least output", async () => {
    const { body, warnings } = await send({ ...asking, sampling: { topK: 5, choices: 2 }, maxOutputTokens: 4 });
    expect(body["max_output_tokens"]).toBe(16);
    expect(warnings.map((warning) => warning.split(":")[0])).toEqual(["top_k", "n", "max_output_tokens"]);
  });
});
