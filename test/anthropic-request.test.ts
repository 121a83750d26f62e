import { describe, expect, it } from "vitest";
import type {
  ChatMessage,
  ChatRequest,
  FilePart,
  FunctionTool,
  MediaSource,
  TextPart,
  ThinkingPart,
} from "../router/chat.ts";
import { parseMessagesRequest } from "../gateway/dialects/anthropic-messages/parse.ts";
import { GatewayError } from "../router/errors.ts";
import type { JsonObject } from "../router/json.ts";
import type { Capabilities } from "../router/model.ts";
import { toPassThrough } from "../router/providers/anthropic-messages/pass-through.ts";
import { toMessagesRequest } from "../router/providers/anthropic-messages/request.ts";
import { chatCall, chatModel, chatRequest, objectsIn } from "./chat-call.ts";

type Settings = { readonly model?: string; readonly capabilities?: Partial<Capabilities> };

function translate(parts: Partial<ChatRequest>, { model = "claude-sonnet-5", capabilities }: Settings = {}) {
  const call = chatCall(chatRequest(parts), chatModel(model, "anthropic", capabilities));
  return { ...toMessagesRequest(call), warnings: call.warnings };
}

function user(text: string): ChatMessage {
  return { role: "user", content: [{ type: "text", text }] };
}
function assistant(text: string): ChatMessage {
  return { role: "assistant", content: [{ type: "text", text }] };
}
function toolCall(id: string, name = "get_weather", args = "{}"): ChatMessage {
  return { role: "assistant", content: [{ type: "tool-call", id, name, arguments: args }] };
}
function toolResult(toolCallId: string, text = "sunny"): ChatMessage {
  return { role: "tool", content: [{ type: "tool-result", toolCallId, content: [{ type: "text", text }] }] };
}
function send(content: Extract<ChatMessage, { role: "user" }>["content"]) {
  return translate({ messages: [{ role: "user", content }] });
}
function file(source: MediaSource): FilePart {
  return { type: "file", name: "a.pdf", source };
}
function ownThinking(value: JsonObject): ThinkingPart {
  return { type: "thinking", text: "", state: { protocol: "anthropic-messages", value } };
}
function marked(content: string, ttl?: "5m" | "1h"): TextPart {
  return { type: "text", text: content, cache: ttl === undefined ? {} : { ttl } };
}
const weather: FunctionTool = {
  type: "function",
  name: "get_weather",
  description: "Weather of a place",
  parameters: { type: "object", properties: { zone: { type: "string" }, area: { type: "string" } } },
};
const text = (content: string) => ({ type: "text", text: content });

function failure(run: () => unknown): GatewayError {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("roles and messages for Anthropic", () => {
  it("hoists leading system and developer messages in their order (19)", () => {
    const { body } = translate({
      messages: [
        { role: "system", content: [{ type: "text", text: "one" }] },
        { role: "developer", content: [{ type: "text", text: "two" }] },
        user("hi"),
      ],
    });
    expect(body["system"]).toEqual([text("one"), text("two")]);
    expect(body["messages"]).toEqual([{ role: "user", content: [text("hi")] }]);
  });

  it("leaves a system message in the middle where it is, as tagged user text (20)", () => {
    const messages: ChatMessage[] = [
      user("a"),
      assistant("b"),
      { role: "system", content: [{ type: "text", text: "be brief" }] },
      user("c"),
    ];
    expect(translate({ messages }).body["messages"]).toEqual([
      { role: "user", content: [text("a")] },
      { role: "assistant", content: [text("b")] },
      { role: "user", content: [text("<system>\nbe brief\n</system>"), text("c")] },
    ]);
    expect(translate({ messages }).body["system"]).toBeUndefined();
  });

  it("sends a system message behind a user turn as one to models that take it (20)", () => {
    const { body } = translate(
      { messages: [user("a"), { role: "system", content: [{ type: "text", text: "be brief" }] }] },
      { capabilities: { midSystem: true } },
    );
    expect(body["messages"]).toEqual([
      { role: "user", content: [text("a")] },
      { role: "system", content: [text("be brief")] },
    ]);
  });

  it("merges consecutive messages of one role in their order (21)", () => {
    const { body } = translate({ messages: [user("a"), user("b"), assistant("c"), assistant("d"), user("e")] });
    expect(body["messages"]).toEqual([
      { role: "user", content: [text("a"), text("b")] },
      { role: "assistant", content: [text("c"), text("d")] },
      { role: "user", content: [text("e")] },
    ]);
  });

  it("begins a conversation that starts with the assistant with a user turn (22)", () => {
    const { body } = translate({ messages: [assistant("welcome"), user("hi")] });
    expect(body["messages"]).toMatchObject([{ role: "user" }, { role: "assistant" }, { role: "user" }]);
  });

  it("asks a model without prefill to continue instead, and says so (23)", () => {
    const { body, warnings } = translate({ messages: [user("write"), assistant("Once upon")] });
    expect(body["messages"]).toMatchObject([{ role: "user" }, { role: "assistant" }, { role: "user" }]);
    expect(warnings).toContainEqual(expect.stringContaining("prefill"));
  });

  it("keeps a prefill for models that take one, without white space at its end (23, 24)", () => {
    const { body, warnings } = translate(
      { messages: [user("write"), assistant("Once upon \n")] },
      { capabilities: { prefill: true } },
    );
    expect(body["messages"]).toMatchObject([{}, { role: "assistant", content: [text("Once upon")] }]);
    expect(warnings).toEqual([]);
  });

  it("drops text blocks of nothing, and keeps the turn that had only them (24)", () => {
    const { body } = translate({ messages: [user("a"), assistant("b"), user("  ")] });
    expect(body["messages"]).toMatchObject([{}, {}, { role: "user", content: [{ text: "(empty message)" }] }]);
    expect(translate({ messages: [user("a"), assistant(""), user("b")] }).body["messages"]).toEqual([
      { role: "user", content: [text("a"), text("b")] },
    ]);
  });

  it("sends an answer that only calls tools without an empty text block (25)", () => {
    const { body } = translate({
      messages: [
        user("a"),
        {
          role: "assistant",
          content: [
            { type: "text", text: "" },
            { type: "tool-call", id: "c1", name: "f", arguments: "" },
          ],
        },
        toolResult("c1"),
      ],
    });
    expect(body["messages"]).toMatchObject([
      {},
      { content: [{ type: "tool_use", id: "c1", name: "f", input: {} }] },
      {},
    ]);
  });

  it("names a speaker's name it cannot carry (26)", () => {
    const { warnings } = translate({
      messages: [{ role: "user", name: "Ann", content: [{ type: "text", text: "hi" }] }],
    });
    expect(warnings).toEqual(["messages[0].name: not carried to Anthropic"]);
  });

  it("mends half surrogate pairs (27)", () => {
    const { body } = translate({ messages: [user("cut \ud83d")] });
    expect(body["messages"]).toEqual([{ role: "user", content: [text("cut \ufffd")] }]);
  });
});

describe("tools for Anthropic", () => {
  it.each([
    [{ type: "auto" }, { type: "auto" }],
    [{ type: "none" }, { type: "none" }],
    [{ type: "required" }, { type: "any" }],
    [
      { type: "tool", name: "get_weather" },
      { type: "tool", name: "get_weather" },
    ],
  ] as const)("maps the choice %j (1)", (toolChoice, expected) => {
    expect(translate({ tools: [weather], toolChoice }).body["tool_choice"]).toEqual(expected);
  });

  it("asks in words, with a warning, where a call cannot be forced (2)", () => {
    const { body, warnings } = translate(
      { tools: [weather], toolChoice: { type: "tool", name: "get_weather" } },
      { model: "claude-opus-5-5", capabilities: { forcedToolChoice: false } },
    );
    expect(body["tool_choice"]).toEqual({ type: "auto" });
    expect(JSON.stringify(body["system"])).toContain("get_weather");
    expect(warnings).toContainEqual(expect.stringContaining("tool_choice"));
  });

  it("says one call at a time inside an explicit choice (3)", () => {
    expect(translate({ tools: [weather], parallelToolCalls: false }).body["tool_choice"]).toEqual({
      type: "auto",
      disable_parallel_tool_use: true,
    });
    expect(
      translate({ tools: [weather], parallelToolCalls: false, toolChoice: { type: "required" } }).body["tool_choice"],
    ).toEqual({ type: "any", disable_parallel_tool_use: true });
  });

  it("offers only the allowed tools, in the client's order (4)", () => {
    const tools = ["a", "b", "c"].map((name): FunctionTool => ({ type: "function", name }));
    const { body } = translate({ tools, toolChoice: { type: "allowed", mode: "required", names: ["c", "a"] } });
    expect(body["tools"]).toMatchObject([{ name: "a" }, { name: "c" }]);
    expect(body["tool_choice"]).toEqual({ type: "any" });
  });

  it("merges parallel results into one user message, results first (5, 6)", () => {
    const { body } = translate({
      messages: [
        user("a"),
        {
          role: "assistant",
          content: ["c1", "c2"].map((id) => ({ type: "tool-call", id, name: "f", arguments: "{}" })),
        },
        toolResult("c1"),
        user("and then?"),
        toolResult("c2"),
      ],
    });
    expect(body["messages"]).toMatchObject([
      {},
      {},
      { role: "user", content: [{ tool_use_id: "c1" }, { tool_use_id: "c2" }, text("and then?")] },
    ]);
  });

  it("answers a call without a result with an error, in the next turn (7)", () => {
    const { body, warnings } = translate({ messages: [user("a"), toolCall("c1"), user("never mind")] });
    expect(body["messages"]).toMatchObject([
      {},
      {},
      { content: [{ type: "tool_result", tool_use_id: "c1", is_error: true }, text("never mind")] },
    ]);
    expect(warnings).toContainEqual(expect.stringContaining("c1"));
    expect(translate({ messages: [user("a"), toolCall("c1")] }).body["messages"]).toHaveLength(3);
  });

  it("drops a result without a call, with a warning (7)", () => {
    const { body, warnings } = translate({ messages: [user("a"), toolResult("ghost"), user("b")] });
    expect(JSON.stringify(body["messages"])).not.toContain("ghost");
    expect(warnings).toContainEqual(expect.stringContaining("ghost"));
  });

  it("marks an error only where the client did, whatever the result says (9)", () => {
    const failed: ChatMessage = {
      role: "tool",
      content: [{ type: "tool-result", toolCallId: "c1", isError: true, content: [] }],
    };
    expect(translate({ messages: [user("a"), toolCall("c1"), failed] }).body["messages"]).toMatchObject([
      {},
      {},
      { content: [{ is_error: true }] },
    ]);
    const { body } = translate({ messages: [user("a"), toolCall("c1"), toolResult("c1", '{"error":"no"}')] });
    expect(JSON.stringify(body["messages"])).not.toContain("is_error");
  });

  it("gives long and odd call ids a valid one, the same in each request and on both sides (10)", () => {
    const id = `call_|${"x".repeat(400)}`;
    const messages = [user("a"), toolCall(id), toolResult(id)];
    const [, call, result] = messagesOf(translate({ messages }).body);
    const sent: unknown = call?.content[0]?.["id"];
    expect(sent).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    expect(result?.content[0]?.["tool_use_id"]).toBe(sent);
    expect(messagesOf(translate({ messages: [...messages, user("b")] }).body)[1]?.content[0]?.["id"]).toBe(sent);
  });

  it("tells apart calls of two turns that came with one id (10)", () => {
    const { body, warnings } = translate({
      messages: [user("a"), toolCall("call_0"), toolResult("call_0"), toolCall("call_0"), toolResult("call_0", "rain")],
    });
    const [, first, , second, last] = messagesOf(body);
    expect(second?.content[0]?.["id"]).not.toBe(first?.content[0]?.["id"]);
    expect(last?.content[0]?.["tool_use_id"]).toBe(second?.content[0]?.["id"]);
    expect(warnings).toEqual([]);
  });

  it("refuses arguments that are not JSON as the client's mistake, naming the field (14)", () => {
    const error = failure(() => translate({ messages: [user("a"), toolCall("c1", "f", "{broken")] }));
    expect(error.code).toBe("invalid_request");
    expect(error.param).toBe("messages[1].content[0]");
  });

  it("makes a tool's name valid and gives the client its own back (15)", () => {
    const { body, names } = translate({ tools: [{ ...weather, name: "wéather.get now" }] });
    const sent = objectsIn(body["tools"])[0]?.["name"];
    expect(sent).toMatch(/^[a-zA-Z0-9_-]{1,128}$/);
    expect(names.toClient(typeof sent === "string" ? sent : "")).toBe("wéather.get now");
  });

  it("carries images inside tool results (16)", () => {
    const image = { type: "image", source: { kind: "base64", mediaType: "image/png", data: "AAAA" } } as const;
    const { body } = translate({
      messages: [
        user("a"),
        toolCall("c1"),
        {
          role: "tool",
          content: [{ type: "tool-result", toolCallId: "c1", content: [{ type: "text", text: "see" }, image] }],
        },
      ],
    });
    expect(messagesOf(body)[2]?.content[0]?.["content"]).toEqual([
      text("see"),
      { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
    ]);
  });

  it("refuses another vendor's built-in tool and keeps its own (17)", () => {
    const builtIn = { type: "web_search_20260318", name: "web_search" };
    const own = {
      type: "vendor",
      name: "web_search",
      state: { protocol: "anthropic-messages", value: builtIn },
    } as const;
    expect(translate({ tools: [own] }).body["tools"]).toEqual([builtIn]);
    const foreign = { ...own, state: { protocol: "openai-responses", value: {} } } as const;
    expect(failure(() => translate({ tools: [foreign] })).code).toBe("unsupported");
  });

  it("names the labels that it has no field for", () => {
    expect(translate({ metadata: { team: "a" } }).warnings).toEqual(["metadata: not carried to Anthropic"]);
  });

  it("passes strict on where it is enforced and warns where it is not (18)", () => {
    const strict = { ...weather, strict: true };
    expect(translate({ tools: [strict] }).body["tools"]).toMatchObject([{ strict: true }]);
    const old = translate({ tools: [strict] }, { capabilities: { jsonSchema: false } });
    expect(old.body["tools"]).not.toMatchObject([{ strict: true }]);
    expect(old.warnings).toHaveLength(1);
  });

  it("keeps the order of a schema's properties (68)", () => {
    const { body } = translate({ tools: [weather] });
    expect(JSON.stringify(body["tools"])).toContain('"zone":{"type":"string"},"area"');
  });
});

describe("parameters for Anthropic", () => {
  it("sends the model's own limit when the client gives none (29)", () => {
    expect(translate({}).body["max_tokens"]).toBe(64_000);
    expect(translate({ maxOutputTokens: 12 }).body["max_tokens"]).toBe(12);
  });

  it("drops stop sequences of white space alone, with a warning (31)", () => {
    const { body, warnings } = translate({ stop: ["\n\n", "END"] });
    expect(body["stop_sequences"]).toEqual(["END"]);
    expect(warnings).toHaveLength(1);
  });

  it("clamps a temperature over 1 and says so (32)", () => {
    const { body, warnings } = translate({ sampling: { temperature: 1.7 } });
    expect(body["temperature"]).toBe(1);
    expect(warnings).toContainEqual(expect.stringContaining("temperature"));
  });

  it("drops sampling that the model refuses, silently only where it is the default (32)", () => {
    const settings = { capabilities: { sampling: "default-only" } } as const;
    const { body, warnings } = translate({ sampling: { temperature: 0.2, topP: 1, topK: 5 } }, settings);
    expect(body).not.toHaveProperty("temperature");
    expect(body).not.toHaveProperty("top_k");
    expect(warnings.map((warning) => warning.split(":")[0])).toEqual(["temperature", "top_k"]);
    expect(translate({ sampling: { temperature: 1 } }, settings).warnings).toEqual([]);
  });

  it("takes a temperature from models that think only when asked, unless asked (32)", () => {
    const settings = {
      model: "claude-sonnet-4-6",
      capabilities: { sampling: "when-not-thinking", efforts: ["none", "low", "high"], defaultEffort: "none" },
    } as const;
    const sampling = { temperature: 0.2 };
    expect(translate({ sampling }, settings).body["temperature"]).toBe(0.2);
    const thinking = translate({ sampling, reasoning: { effort: "high" } }, settings);
    expect(thinking.body).not.toHaveProperty("temperature");
    expect(thinking.warnings).toHaveLength(1);
  });

  it("guides adaptive models by effort, moved to the nearest they have (33)", () => {
    const { body, warnings } = translate({ reasoning: { effort: "xhigh", summary: "auto" } });
    expect(body["thinking"]).toEqual({ type: "adaptive", display: "summarized" });
    expect(body["output_config"]).toEqual({ effort: "high" });
    expect(warnings).toContainEqual(expect.stringContaining('"xhigh"'));
  });

  it("switches thinking off only where the model allows it (33)", () => {
    const none = { reasoning: { effort: "none" } } as const;
    expect(translate(none, { capabilities: { efforts: ["none", "low"] } }).body["thinking"]).toEqual({
      type: "disabled",
    });
    const always = translate(none);
    expect(always.body["output_config"]).toEqual({ effort: "low" });
    expect(always.warnings).toHaveLength(1);
  });

  it("gives older models a budget below max_tokens, and newer ones an effort for a budget (34)", () => {
    const old = { model: "claude-haiku-4-5-20251001" };
    expect(translate({ reasoning: { effort: "medium" } }, old).body["thinking"]).toEqual({
      type: "enabled",
      budget_tokens: 5000,
    });
    const tight = translate({ reasoning: { effort: "high" }, maxOutputTokens: 4000 }, old);
    expect(tight.body["thinking"]).toEqual({ type: "enabled", budget_tokens: 2000 });
    const none = translate({ reasoning: { effort: "high" }, maxOutputTokens: 500 }, old);
    expect(none.body["thinking"]).toBeUndefined();
    expect(none.warnings).toHaveLength(1);
    const newer = translate({ reasoning: { budgetTokens: 6000 } }, { model: "claude-opus-5-5" });
    expect(newer.body["output_config"]).toEqual({ effort: "medium" });
    expect(newer.body["thinking"]).toEqual({ type: "adaptive" });
  });

  it("does not begin a budget in the middle of a tool loop that started without thinking", () => {
    const { body, warnings } = translate(
      { messages: [user("a"), toolCall("c1"), toolResult("c1")], reasoning: { effort: "high" } },
      { model: "claude-sonnet-4-5" },
    );
    expect(body["thinking"]).toBeUndefined();
    expect(warnings).toContainEqual(expect.stringContaining("reasoning_effort"));
  });

  it("keeps a forced call and leaves out the thinking that forbids it", () => {
    const { body, warnings } = translate({
      tools: [weather],
      toolChoice: { type: "required" },
      reasoning: { effort: "high" },
    });
    expect(body["tool_choice"]).toEqual({ type: "any" });
    expect(body["thinking"]).toBeUndefined();
    expect(warnings).toContainEqual(expect.stringContaining("forced tool call"));
  });

  it("names every parameter Anthropic does not offer (36)", () => {
    const { body, warnings } = translate({
      sampling: {
        choices: 2,
        logprobs: true,
        topLogprobs: 3,
        seed: 1,
        logitBias: { "50256": -100 },
        frequencyPenalty: 0.5,
        presencePenalty: 0.5,
      },
    });
    expect(warnings.map((warning) => warning.split(":")[0])).toEqual([
      "n",
      "logprobs",
      "top_logprobs",
      "logit_bias",
      "frequency_penalty",
      "presence_penalty",
      "seed",
    ]);
    expect(Object.keys(body)).toEqual(["model", "max_tokens", "messages"]);
  });

  it("hashes the client's user to 64 characters (37)", () => {
    const { body } = translate({ endUser: "ann@example.com" });
    expect(JSON.stringify(body)).not.toContain("ann@");
    expect(body["metadata"]).toEqual({ user_id: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  it.each([
    ["auto", "auto", 0],
    ["default", "standard_only", 0],
    ["priority", "auto", 1],
    ["flex", undefined, 1],
  ] as const)("maps the service tier %s to %s (38)", (serviceTier, expected, warned) => {
    const { body, warnings } = translate({ serviceTier });
    expect(body["service_tier"]).toBe(expected);
    expect(warnings).toHaveLength(warned);
  });

  it("sends a JSON schema as the output format, closed and in its order (68, 69)", () => {
    const schema = {
      type: "object",
      properties: { z: { type: "string" }, a: { type: "number", minimum: 1 } },
      required: ["z"],
    };
    const { body } = translate({ responseFormat: { type: "json-schema", name: "x", schema } });
    expect(body["output_config"]).toMatchObject({
      format: { type: "json_schema", schema: { additionalProperties: false } },
    });
    expect(JSON.stringify(body["output_config"])).toMatch(/"z".*"a"/);
  });

  it("says a schema in words, with a warning, where the model takes none (69)", () => {
    const { body, warnings } = translate(
      { responseFormat: { type: "json-schema", name: "x", schema: { type: "object" } } },
      { capabilities: { jsonSchema: false } },
    );
    expect(body["output_config"]).toBeUndefined();
    expect(JSON.stringify(body["system"])).toContain("JSON Schema");
    expect(warnings).toHaveLength(1);
  });

  it("asks for a JSON object in words, behind the client's own instructions (70)", () => {
    const { body } = translate({
      messages: [{ role: "system", content: [{ type: "text", text: "mine" }] }, user("a")],
      responseFormat: { type: "json-object" },
    });
    expect(body["system"]).toMatchObject([text("mine"), { type: "text" }]);
  });
});

describe("media for Anthropic", () => {
  const png = { type: "image", source: { kind: "base64", mediaType: "image/png; charset=x", data: "AAAA" } } as const;

  it("takes images by data and by URL (41)", () => {
    const { body } = send([png, { type: "image", source: { kind: "url", url: "https://example.com/a" } }]);
    expect(body["messages"]).toMatchObject([
      {
        content: [
          { source: { type: "base64", media_type: "image/png" } },
          { source: { type: "url", url: "https://example.com/a" } },
        ],
      },
    ]);
  });

  it("takes PDFs, and files of its own by id only (43)", () => {
    expect(send([file({ kind: "base64", mediaType: "application/pdf", data: "AA" })]).body["messages"]).toMatchObject([
      { content: [{ type: "document", title: "a.pdf", source: { type: "base64", media_type: "application/pdf" } }] },
    ]);
    expect(
      send([file({ kind: "file-id", protocol: "anthropic-messages", id: "file_1" })]).body["messages"],
    ).toMatchObject([{ content: [{ source: { type: "file", file_id: "file_1" } }] }]);
    expect(failure(() => send([file({ kind: "file-id", protocol: "openai-chat", id: "f" })])).code).toBe(
      "invalid_request",
    );
  });

  it.each([
    "http://127.0.0.1/a",
    "http://localhost:8080/a",
    "http://10.1.2.3/",
    "http://2130706433/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://metadata.google.internal/",
    "http://169.254.169.254/latest",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "nonsense",
  ])("refuses the URL %s as the client's mistake (42)", (url) => {
    const error = failure(() => send([{ type: "image", source: { kind: "url", url } }]));
    expect(error.code).toBe("invalid_request");
    expect(error.param).toBe("messages[0].content[0]");
  });

  it("refuses SVG and audio so that another model may take them (41, 44)", () => {
    const svg = { type: "image", source: { kind: "base64", mediaType: "image/svg+xml", data: "AA" } } as const;
    expect(failure(() => send([svg])).code).toBe("unsupported");
    const audio = { type: "audio", source: { kind: "base64", mediaType: "audio/wav", data: "AA" } } as const;
    expect(failure(() => send([audio])).code).toBe("unsupported");
  });

  it("names an image detail it cannot carry (45)", () => {
    expect(send([{ ...png, detail: "high" }]).warnings).toHaveLength(1);
    expect(send([{ ...png, detail: "auto" }]).warnings).toEqual([]);
  });
});

describe("thinking replayed to Anthropic", () => {
  const block = { type: "thinking", thinking: "", signature: "c2ln" };
  const redacted = { type: "redacted_thinking", data: "b3BhcXVl" };

  it("keeps its blocks byte for byte and in front of the words, empty and redacted ones too (61)", () => {
    const { body } = translate({
      messages: [
        user("a"),
        { role: "assistant", content: [{ type: "text", text: "b" }, ownThinking(block), ownThinking(redacted)] },
        user("c"),
      ],
    });
    expect(messagesOf(body)[1]?.content).toEqual([block, redacted, text("b")]);
  });

  it("leaves out the thinking of other vendors, and thinking without a signature (64)", () => {
    const foreign = { type: "thinking", text: "hm", state: { protocol: "gemini-generate", value: "AAAA" } } as const;
    const { body } = translate({
      messages: [
        user("a"),
        { role: "assistant", content: [foreign, { type: "thinking", text: "hm" }, { type: "text", text: "b" }] },
        user("c"),
      ],
    });
    expect(messagesOf(body)[1]?.content).toEqual([text("b")]);
  });

  it("lets models that bind thinking to its transcript leave it out instead of refusing (65)", () => {
    const messages: ChatMessage[] = [
      user("a"),
      { role: "assistant", content: [ownThinking(block), { type: "text", text: "b" }] },
      user("c"),
    ];
    const bound = translate({ messages }, { model: "claude-opus-5-5" });
    expect(bound.body["thinking"]).toEqual({
      type: "adaptive",
      block_binding: { prefix_mismatch_behavior: "drop_block" },
    });
    expect(bound.betas).toEqual(["thinking-binding-controls-2026-08-01"]);
    const older = translate({ messages }, { model: "claude-opus-5" });
    expect(older.body["thinking"]).toBeUndefined();
    expect(older.betas).toEqual([]);
  });
});

describe("memory and caching for Anthropic", () => {
  it("puts a memory block in front of the user's words but behind tool results (6, 66)", () => {
    const messages: ChatMessage[] = [
      user("a"),
      toolCall("c1"),
      {
        role: "user",
        content: [
          { type: "tool-result", toolCallId: "c1", content: [{ type: "text", text: "sunny" }] },
          { type: "text", text: "thanks" },
        ],
      },
    ];
    const { body } = translate({
      messages,
      injections: new Map([
        [0, "<memory/>"],
        [2, "<more/>"],
      ]),
    });
    expect(messagesOf(body)[0]?.content).toEqual([text("<memory/>"), text("a")]);
    expect(messagesOf(body)[2]?.content).toMatchObject([{ type: "tool_result" }, text("<more/>"), text("thanks")]);
  });

  it("keeps earlier turns the same byte for byte when the conversation goes on (66, 77)", () => {
    const messages: ChatMessage[] = [user("a"), toolCall("call|1"), toolResult("call|1"), assistant("done")];
    const first = messagesOf(translate({ messages: messages.slice(0, 3) }).body);
    const later = messagesOf(translate({ messages: [...messages, user("next")] }).body);
    expect(JSON.stringify(later.slice(0, 3))).toBe(JSON.stringify(first));
  });

  it("carries cache marks with their lifetime, four at most, and none of an hour behind a short one (76)", () => {
    const { body } = translate({ messages: [{ role: "user", content: [marked("a", "1h"), marked("b")] }] });
    expect(messagesOf(body)[0]?.content).toEqual([
      { ...text("a"), cache_control: { type: "ephemeral", ttl: "1h" } },
      { ...text("b"), cache_control: { type: "ephemeral" } },
    ]);
    const many = translate({
      messages: [{ role: "user", content: ["a", "b", "c", "d", "e", "f"].map((name) => marked(name)) }],
    });
    expect(JSON.stringify(many.body).match(/cache_control/g)).toHaveLength(4);
    expect(messagesOf(many.body)[0]?.content[0]).toHaveProperty("cache_control");
    expect(messagesOf(many.body)[0]?.content[5]).toHaveProperty("cache_control");
    expect(many.warnings).toHaveLength(1);
    const disorder = translate({ messages: [{ role: "user", content: [marked("a"), marked("b", "1h")] }] });
    expect(messagesOf(disorder.body)[0]?.content[1]?.["cache_control"]).toEqual({ type: "ephemeral", ttl: "5m" });
    expect(disorder.warnings).toHaveLength(1);
  });

  it("caches a conversation that goes on for clients whose dialect has no marks (76)", () => {
    const going = translate({ messages: [user("a"), assistant("b"), user("c")] });
    expect(going.body["cache_control"]).toEqual({ type: "ephemeral" });
    expect(translate({}).body["cache_control"]).toBeUndefined();
  });
});

describe("a Messages body passed through to Anthropic", () => {
  const raw = {
    model: "auto",
    max_tokens: 7,
    future_field: { deep: [1, null] },
    messages: [
      { role: "user", content: "hello" },
      { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "f", input: {} }] },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "t1", content: "x" },
          { type: "text", text: "and?" },
        ],
      },
    ],
  };
  const messages: ChatMessage[] = raw.messages.map((_, source) => ({ ...user("parsed"), source }));
  const pass = (parts: Partial<ChatRequest>, model = "claude-opus-5-5") => {
    const call = chatCall(
      chatRequest({ dialect: "anthropic-messages", raw, messages, ...parts }),
      chatModel(model, "anthropic"),
    );
    return { ...toPassThrough(call), warnings: call.warnings };
  };

  it("changes the model and nothing else", () => {
    const { body } = pass({});
    expect(JSON.stringify(body)).toBe(JSON.stringify({ ...raw, model: "claude-opus-5-5" }));
    expect(raw.model).toBe("auto");
  });

  it("joins memory to a string, and to an array behind its tool results (66)", () => {
    const { body } = pass({
      injections: new Map([
        [0, "<m/>"],
        [2, "<n/>"],
      ]),
    });
    expect(body["messages"]).toMatchObject([
      { content: "<m/>\n\nhello" },
      raw.messages[1],
      { content: [{ type: "tool_result" }, text("<n/>"), text("and?")] },
    ]);
    expect(raw.messages[0]?.content).toBe("hello");
  });

  it("warns about memory that finds no user message", () => {
    const { body, warnings } = pass({ injections: new Map([[1, "<m/>"]]) });
    expect(JSON.stringify(body)).not.toContain("<m/>");
    expect(warnings).toHaveLength(1);
  });

  it("lets thinking go rather than the request where memory stands before it (65)", () => {
    const thinking = { role: "assistant", content: [{ type: "thinking", thinking: "x", signature: "s" }] };
    const bound = { ...raw, messages: [raw.messages[0] ?? {}, thinking, { role: "user", content: "go on" }] };
    const guarded = pass({ raw: bound, injections: new Map([[2, "<m/>"]]) });
    expect(guarded.body["thinking"]).toMatchObject({ block_binding: { prefix_mismatch_behavior: "drop_block" } });
    expect(guarded.betas).toEqual(["thinking-binding-controls-2026-08-01"]);
    expect(pass({ raw: bound, model: "claude-opus-5-5" }).body).not.toHaveProperty("thinking");
  });

  it("lets another Claude's thinking go where the model is of our choosing (65)", () => {
    const thinking = { role: "assistant", content: [{ type: "thinking", thinking: "x", signature: "s" }] };
    const bound = { ...raw, messages: [raw.messages[0] ?? {}, thinking, { role: "user", content: "go on" }] };
    const dropped = { block_binding: { prefix_mismatch_behavior: "drop_block" } };
    expect(pass({ raw: bound, model: "auto" }).body["thinking"]).toMatchObject(dropped);
    expect(pass({ raw: bound, model: "anthropic/claude-opus-5-5" }).body).not.toHaveProperty("thinking");
  });

  it("gives calls that another vendor numbered in its own way ids that Anthropic takes (10)", () => {
    const id = "functions.get_weather:0";
    const turns = [
      { role: "user", content: "a" },
      { role: "assistant", content: [{ type: "tool_use", id, name: "f", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: "x" }] },
    ];
    const sent = messagesOf(pass({ raw: { ...raw, messages: turns } }).body);
    const call = objectsIn(sent[1]?.content)[0]?.["id"];
    expect(call).toMatch(/^[a-zA-Z0-9_-]{1,64}$/u);
    expect(objectsIn(sent[2]?.content)[0]?.["tool_use_id"]).toBe(call);
  });

  it("leaves out thinking that another vendor thought and nobody signed (64)", () => {
    const foreign = { type: "thinking", thinking: "hm", signature: "" };
    const own = { type: "thinking", thinking: "", signature: "s" };
    const turns = [
      { role: "user", content: "a" },
      { role: "assistant", content: [foreign, { type: "text", text: "b" }] },
      { role: "assistant", content: [foreign] },
      { role: "assistant", content: [own, { type: "text", text: "c" }] },
      { role: "user", content: [text("d")] },
    ];
    expect(messagesOf(pass({ raw: { ...raw, messages: turns } }).body).map(({ content }) => content)).toEqual([
      [],
      [{ type: "text", text: "b" }],
      [own, { type: "text", text: "c" }],
      [text("d")],
    ]);
  });

  it("passes on betas of messages and names those it keeps back (39)", () => {
    const { betas, warnings } = pass({
      dialectHeaders: {
        "anthropic-beta": "context-management-2025-06-27, oauth-2025-04-20,interleaved-thinking-2025-05-14",
      },
    });
    expect(betas).toEqual(["context-management-2025-06-27", "interleaved-thinking-2025-05-14"]);
    expect(warnings).toEqual(['anthropic-beta: "oauth-2025-04-20" is not passed on']);
  });
});

function messagesOf(body: JsonObject): { readonly content: readonly JsonObject[] }[] {
  return objectsIn(body["messages"]).map((message) => ({ content: objectsIn(message["content"]) }));
}

describe("an Anthropic body for a model that its client did not choose", () => {
  const opus55: Partial<Capabilities> = { sampling: "default-only", forcedToolChoice: false, prefill: false };
  const question = [{ role: "user", content: "hello" }];
  const pass = (fields: JsonObject, capabilities: Partial<Capabilities> = opus55, model = "claude-opus-5-5") => {
    const raw = { model: "auto", max_tokens: 4000, messages: question, ...fields };
    const call = chatCall(parseMessagesRequest(raw, {}), chatModel(model, "anthropic", capabilities));
    return { ...toPassThrough(call), warnings: call.warnings };
  };

  it("goes without a temperature where that is refused, and says so (32)", () => {
    const { body, warnings } = pass({ temperature: 0.5, top_k: 3 });
    expect(body).not.toHaveProperty("temperature");
    expect(body).not.toHaveProperty("top_k");
    expect(warnings).toEqual([
      "temperature: this model takes only its default",
      "top_k: this model takes only its default",
    ]);
    expect(pass({ temperature: 0.5 }, { sampling: "full" }, "claude-haiku-4-5").body["temperature"]).toBe(0.5);
  });

  it("has an effort in place of a budget, and a budget in place of an effort, by the model (33, 34)", () => {
    const budgeted = pass({ thinking: { type: "enabled", budget_tokens: 2000 } });
    expect(budgeted.body).toMatchObject({ thinking: { type: "adaptive" }, output_config: { effort: "low" } });
    expect(budgeted.warnings).toEqual([expect.stringContaining("thinking.budget_tokens")]);
    const older = pass(
      {
        thinking: { type: "adaptive" },
        output_config: { effort: "medium", format: { type: "json_schema", schema: {} } },
      },
      { efforts: ["none", "low", "medium", "high"] },
      "claude-haiku-4-5",
    );
    expect(older.body).toMatchObject({ thinking: { type: "enabled", budget_tokens: 2000 } });
    expect(older.body["output_config"]).toEqual({ format: { type: "json_schema", schema: {} } });
  });

  it("thinks as little as it can where thinking cannot be switched off (33)", () => {
    const { body, warnings } = pass({ thinking: { type: "disabled" } });
    expect(body).toMatchObject({ thinking: { type: "adaptive" }, output_config: { effort: "low" } });
    expect(warnings).toEqual([expect.stringContaining('"none" is not offered')]);
  });

  it("asks in words for a tool call that cannot be forced, one at a time if so asked (2, 3)", () => {
    const tools = [{ name: "get_x", input_schema: { type: "object" } }];
    const choice = { type: "any", disable_parallel_tool_use: true };
    const { body, warnings } = pass({ tools, tool_choice: choice, system: "Be brief." });
    expect(body["tool_choice"]).toEqual({ type: "auto", disable_parallel_tool_use: true });
    expect(body["system"]).toMatchObject([{ text: "Be brief." }, { text: expect.stringContaining("calling") }]);
    expect(warnings).toEqual([expect.stringContaining("tool_choice")]);
    expect(pass({ tools, tool_choice: choice }, { forcedToolChoice: true }).body["tool_choice"]).toEqual(choice);
  });

  it("asks to go on where an answer cannot be prefilled, but not where a built-in tool paused (23, 46)", () => {
    const prefilled = [...question, { role: "assistant", content: "Once" }];
    expect(pass({ messages: prefilled }).body["messages"]).toMatchObject([{}, {}, { role: "user" }]);
    const paused = [
      ...question,
      { role: "assistant", content: [{ type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }] },
    ];
    expect(pass({ messages: paused }).body["messages"]).toEqual(paused);
  });

  it("says as the user what a model takes from no system message in the middle (20)", () => {
    const messages = [...question, { role: "system", content: "Be brief" }];
    const { body, warnings } = pass({ messages });
    expect(body["messages"]).toEqual([...question, { role: "user", content: "<system>\nBe brief\n</system>" }]);
    expect(warnings).toEqual(["messages: a system message in the middle is sent as the user's"]);
    expect(pass({ messages }, { midSystem: true }).body["messages"]).toEqual(messages);
  });

  it("asks for no more than the model writes, and is otherwise left alone (29)", () => {
    const { body, warnings } = pass({ max_tokens: 900_000, stop_sequences: ["x"], unheard_of: { a: 1 } });
    expect(body).toEqual({
      model: "claude-opus-5-5",
      max_tokens: 64_000,
      messages: question,
      stop_sequences: ["x"],
      unheard_of: { a: 1 },
    });
    expect(warnings).toHaveLength(1);
  });
});
