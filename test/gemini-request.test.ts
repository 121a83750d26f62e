import { describe, expect, it } from "vitest";
import type {
  ChatMessage,
  ChatRequest,
  FunctionTool,
  ImagePart,
  MediaSource,
  ThinkingPart,
  ToolCallPart,
} from "../router/chat.ts";
import { GatewayError } from "../router/errors.ts";
import type { Capabilities } from "../router/model.ts";
import { toGenerateRequest } from "../router/providers/gemini-generate/request.ts";
import { chatCall, chatModel, chatRequest } from "./chat-call.ts";

type Settings = { readonly model?: string; readonly capabilities?: Partial<Capabilities> };

function translate(parts: Partial<ChatRequest>, { model = "gemini-3.8-flash", capabilities }: Settings = {}) {
  const asked = chatCall(chatRequest(parts), chatModel(model, "gemini", { promptCache: "automatic", ...capabilities }));
  const { params, names } = toGenerateRequest(asked);
  return { ...params, names, warnings: asked.warnings };
}

function user(text: string): ChatMessage {
  return { role: "user", content: [{ type: "text", text }] };
}
function assistant(text: string): ChatMessage {
  return { role: "assistant", content: [{ type: "text", text }] };
}
function call(id: string, name = "f", args = "{}", signature?: string): ToolCallPart {
  const state = signature === undefined ? {} : { state: { protocol: "gemini-generate", value: signature } as const };
  return { type: "tool-call", id, name, arguments: args, ...state };
}
function calls(...content: ToolCallPart[]): ChatMessage {
  return { role: "assistant", content };
}
function result(toolCallId: string, text = "sunny", isError = false): ChatMessage {
  return { role: "tool", content: [{ type: "tool-result", toolCallId, isError, content: [{ type: "text", text }] }] };
}
const tool: FunctionTool = {
  type: "function",
  name: "f",
  parameters: {
    $schema: "x",
    type: "object",
    properties: { z: { $ref: "#/$defs/p" }, a: { type: ["string", "null"] } },
  },
};
function detailed(detail: string): ImagePart {
  return { type: "image", detail, source: { kind: "base64", mediaType: "image/png", data: "AA" } };
}
function refusal(source: MediaSource): string {
  return failure(() => translate({ messages: [{ role: "user", content: [{ type: "image", source }] }] })).code;
}
function failure(run: () => unknown): GatewayError {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("roles and messages for Gemini", () => {
  it("hoists leading instructions and leaves later ones in place, tagged (19, 20)", () => {
    const { config, contents } = translate({
      messages: [
        { role: "system", content: [{ type: "text", text: "one" }] },
        { role: "developer", content: [{ type: "text", text: "two" }] },
        user("a"),
        assistant("b"),
        { role: "system", content: [{ type: "text", text: "brief" }] },
        user("c"),
      ],
    });
    expect(config.systemInstruction).toEqual({ parts: [{ text: "one" }, { text: "two" }] });
    expect(contents[2]).toEqual({ role: "user", parts: [{ text: "<system>\nbrief\n</system>" }, { text: "c" }] });
  });

  it("merges consecutive messages of one role and begins with the user (21, 22)", () => {
    const { contents } = translate({ messages: [assistant("a"), assistant("b"), user("c"), user("d")] });
    expect(contents).toMatchObject([
      { role: "user" },
      { role: "model", parts: [{ text: "a" }, { text: "b" }] },
      { role: "user", parts: [{ text: "c" }, { text: "d" }] },
    ]);
  });

  it("drops contents without parts (24)", () => {
    const { contents } = translate({ messages: [user("a"), assistant(""), user("b")] });
    expect(contents).not.toContainEqual(expect.objectContaining({ parts: [] }));
  });

  it("mends half surrogate pairs (27)", () => {
    expect(translate({ messages: [user("cut \ud83d")] }).contents).toEqual([
      { role: "user", parts: [{ text: "cut \ufffd" }] },
    ]);
  });

  it("strips the billing header of a coding harness from its system prompt (28)", () => {
    const { config } = translate({
      messages: [
        { role: "system", content: [{ type: "text", text: "x-anthropic-billing-header: cc_version=2; cch=1;" }] },
        { role: "system", content: [{ type: "text", text: "You write code." }] },
        user("a"),
      ],
    });
    expect(config.systemInstruction).toEqual({ parts: [{ text: "You write code." }] });
  });

  it("puts a memory block in front of the user's words and behind responses (66)", () => {
    const { contents } = translate({
      messages: [user("a"), calls(call("c1")), result("c1"), user("b")],
      injections: new Map([[3, "<memory/>"]]),
    });
    expect(contents[2]?.parts).toMatchObject([
      { functionResponse: { name: "f" } },
      { text: "<memory/>" },
      { text: "b" },
    ]);
  });
});

describe("tools for Gemini", () => {
  it("declares functions by JSON Schema as it came, properties in order (67, 68)", () => {
    const { config } = translate({ tools: [tool, { type: "function", name: "bare" }] });
    expect(config.tools).toEqual([
      { functionDeclarations: [{ name: "f", parametersJsonSchema: tool.parameters }, { name: "bare" }] },
    ]);
    expect(JSON.stringify(config.tools)).toMatch(/"z".*"a"/);
  });

  it.each([
    [{ type: "auto" }, { mode: "AUTO" }],
    [{ type: "none" }, { mode: "NONE" }],
    [{ type: "required" }, { mode: "ANY" }],
    [
      { type: "tool", name: "f" },
      { mode: "ANY", allowedFunctionNames: ["f"] },
    ],
    [
      { type: "allowed", mode: "required", names: ["f"] },
      { mode: "ANY", allowedFunctionNames: ["f"] },
    ],
    [{ type: "allowed", mode: "auto", names: ["f"] }, { mode: "AUTO" }],
  ] as const)("maps the choice %j (1, 4)", (toolChoice, expected) => {
    const { config } = translate({ tools: [tool, { ...tool, name: "g" }], toolChoice });
    expect(config.toolConfig).toEqual({ functionCallingConfig: expected });
    const offered = toolChoice.type === "allowed" ? ["f"] : ["f", "g"];
    expect(config.tools).toMatchObject([{ functionDeclarations: offered.map((name) => ({ name })) }]);
  });

  it("warns that calls may be parallel (3)", () => {
    expect(translate({ tools: [tool], parallelToolCalls: false }).warnings).toHaveLength(1);
  });

  it("answers every call in the next turn, in the calls' order (5, 7)", () => {
    const { contents, warnings } = translate({
      messages: [user("a"), calls(call("c1", "f"), call("c2", "g"), call("c3", "h")), result("c3"), result("c1")],
    });
    expect(contents[2]).toMatchObject({
      role: "user",
      parts: [
        { functionResponse: { id: "c1", name: "f", response: { output: "sunny" } } },
        { functionResponse: { id: "c2", name: "g", response: { error: "No result provided" } } },
        { functionResponse: { id: "c3", name: "h" } },
      ],
    });
    expect(warnings).toContainEqual(expect.stringContaining("c2"));
  });

  it("finds a result's function across the history, and refuses one that no call has (12)", () => {
    const error = failure(() => translate({ messages: [user("a"), result("ghost")] }));
    expect(error.code).toBe("invalid_request");
    expect(error.param).toBe("messages[1].content[0].tool_call_id");
  });

  it("wraps results and errors in an object (13)", () => {
    const { contents } = translate({ messages: [user("a"), calls(call("c1")), result("c1", "boom", true)] });
    expect(contents[2]?.parts?.[0]?.functionResponse?.response).toEqual({ error: "boom" });
  });

  it("takes a call without arguments as one with none, and refuses broken ones (14)", () => {
    const { contents } = translate({ messages: [user("a"), calls(call("c1", "f", "")), result("c1")] });
    expect(contents[1]?.parts?.[0]?.functionCall?.args).toEqual({});
    expect(failure(() => translate({ messages: [user("a"), calls(call("c1", "f", "[1]"))] })).code).toBe(
      "invalid_request",
    );
  });

  it("makes a name valid and gives the client its own back (15)", () => {
    const { config, names } = translate({ tools: [{ type: "function", name: "9 lives!" }] });
    const [sent] = JSON.stringify(config.tools).match(/t_[\w]+/) ?? [];
    expect(sent).toMatch(/^[a-zA-Z_][\w.:-]{0,127}$/);
    expect(names.toClient(sent ?? "")).toBe("9 lives!");
  });

  it("nests media in a response since Gemini 3 and puts it beside it before (16)", () => {
    const image = { type: "image", source: { kind: "base64", mediaType: "image/png", data: "AA" } } as const;
    const messages: ChatMessage[] = [
      user("a"),
      calls(call("c1")),
      { role: "tool", content: [{ type: "tool-result", toolCallId: "c1", content: [image] }] },
    ];
    const inlineData = { mimeType: "image/png", data: "AA" };
    expect(translate({ messages }).contents[2]?.parts).toMatchObject([
      { functionResponse: { parts: [{ inlineData }] } },
    ]);
    expect(translate({ messages }, { model: "gemini-2.5-pro" }).contents[2]?.parts).toEqual([
      { functionResponse: { name: "f", response: { output: "" } } },
      { inlineData },
    ]);
  });

  it("refuses another vendor's built-in tool and keeps its own (17)", () => {
    const own = {
      type: "vendor",
      name: "google_search",
      state: { protocol: "gemini-generate", value: { googleSearch: {} } },
    } as const;
    expect(translate({ tools: [own] }).config.tools).toEqual([{ googleSearch: {} }]);
    const foreign = { ...own, state: { protocol: "anthropic-messages", value: {} } } as const;
    expect(failure(() => translate({ tools: [foreign] })).code).toBe("unsupported");
  });
});

describe("signatures for Gemini", () => {
  it("puts a signature back on the call, the text and the thought it came with (62, 63)", () => {
    const thought: ThinkingPart = {
      type: "thinking",
      text: "hm",
      state: { protocol: "gemini-generate", value: "dGhvdWdodA==" },
    };
    const { contents } = translate({
      messages: [
        user("a"),
        {
          role: "assistant",
          content: [
            thought,
            { type: "text", text: "", state: { protocol: "gemini-generate", value: "dGV4dA==" } },
            call("c1", "f", "{}", "Y2FsbA=="),
            call("c2"),
          ],
        },
        result("c1"),
        result("c2"),
      ],
    });
    expect(contents[1]?.parts).toEqual([
      { text: "hm", thought: true, thoughtSignature: "dGhvdWdodA==" },
      { text: "", thoughtSignature: "dGV4dA==" },
      { functionCall: { id: "c1", name: "f", args: {} }, thoughtSignature: "Y2FsbA==" },
      { functionCall: { id: "c2", name: "f", args: {} } },
    ]);
  });

  it("signs the first call of a group with the documented sentinel where a signature is missing, foreign or broken (63, 64)", () => {
    const foreign: ToolCallPart = { ...call("c1"), state: { protocol: "anthropic-messages", value: "AAAA" } };
    for (const first of [call("c1"), foreign, call("c1", "f", "{}", "not base64!")]) {
      const { contents } = translate({ messages: [user("a"), calls(first, call("c2")), result("c1"), result("c2")] });
      const parts = contents[1]?.parts ?? [];
      expect(parts[0]?.thoughtSignature).toBe("skip_thought_signature_validator");
      expect(parts[1]).not.toHaveProperty("thoughtSignature");
    }
    const older = translate({ messages: [user("a"), calls(call("c1")), result("c1")] }, { model: "gemini-2.5-flash" });
    expect(JSON.stringify(older.contents)).not.toContain("thoughtSignature");
  });

  it("leaves out thinking that Gemini did not sign (64)", () => {
    const { contents } = translate({
      messages: [
        user("a"),
        {
          role: "assistant",
          content: [
            { type: "thinking", text: "hm", state: { protocol: "anthropic-messages", value: "AAAA" } },
            { type: "thinking", text: "hm" },
            { type: "text", text: "b" },
          ],
        },
        user("c"),
      ],
    });
    expect(contents[1]?.parts).toEqual([{ text: "b" }]);
  });
});

describe("parameters for Gemini", () => {
  it("passes on what Gemini knows and names what it does not (31, 32, 36)", () => {
    const { config, warnings } = translate({
      maxOutputTokens: 9,
      stop: ["a", "b"],
      sampling: {
        temperature: 1.5,
        topP: 0.5,
        topK: 3,
        seed: 7,
        frequencyPenalty: 0.1,
        presencePenalty: 0.2,
        choices: 2,
        logprobs: true,
        topLogprobs: 4,
        logitBias: { "1": 1 },
      },
    });
    expect(config).toEqual({
      temperature: 1.5,
      topP: 0.5,
      topK: 3,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      stopSequences: ["a", "b"],
      seed: 7,
      candidateCount: 2,
      responseLogprobs: true,
      logprobs: 4,
      maxOutputTokens: 9,
    });
    expect(warnings).toEqual(["logit_bias: not offered by gemini"]);
  });

  it("names what it has no field for: labels, the user, the cache's key, strict arguments (18, 37)", () => {
    const { warnings } = translate({
      metadata: { team: "a" },
      endUser: "u1",
      promptCacheKey: "k",
      tools: [{ type: "function", name: "f", parameters: { type: "object" }, strict: true }],
    });
    expect(warnings.map((warning) => warning.split(":")[0])).toEqual([
      "metadata",
      "user",
      "prompt_cache_key",
      'tools "f"',
    ]);
    expect(translate({ metadata: { user_id: "u1" } }).warnings).toEqual([]);
  });

  it("drops sampling that the model refuses, by name (32)", () => {
    const { config, warnings } = translate(
      { sampling: { temperature: 0, topP: 1 } },
      { capabilities: { sampling: "default-only" } },
    );
    expect(config).toEqual({});
    expect(warnings).toEqual(["temperature: this model takes only its default"]);
  });

  it.each([
    ["gemini-3.8-flash", { effort: "high" }, { thinkingLevel: "HIGH" }, 0],
    ["gemini-3.8-flash", { effort: "max" }, { thinkingLevel: "HIGH" }, 1],
    ["gemini-3.8-flash", { effort: "none", summary: "none" }, { includeThoughts: false, thinkingLevel: "LOW" }, 1],
    [
      "gemini-3.8-flash",
      { budgetTokens: 6000, summary: "auto" },
      { includeThoughts: true, thinkingLevel: "MEDIUM" },
      0,
    ],
    ["gemini-2.5-pro", { budgetTokens: 6000 }, { thinkingBudget: 6000 }, 0],
    ["gemini-2.5-pro", { effort: "low" }, { thinkingBudget: 2048 }, 0],
  ] as const)("thinks on %s for %j (33)", (model, reasoning, expected, warned) => {
    const { config, warnings } = translate({ reasoning }, { model });
    expect(config.thinkingConfig).toEqual(expected);
    expect(warnings).toHaveLength(warned);
  });

  it("switches thinking off by a budget of nothing on models that allow it (33)", () => {
    const settings = { model: "gemini-2.5-flash", capabilities: { efforts: ["none", "low"] } } as const;
    expect(translate({ reasoning: { effort: "none" } }, settings).config.thinkingConfig).toEqual({ thinkingBudget: 0 });
  });

  it("maps service tiers (38)", () => {
    expect(translate({ serviceTier: "flex" }).config.serviceTier).toBe("flex");
    expect(translate({ serviceTier: "default" }).config.serviceTier).toBe("standard");
    expect(translate({ serviceTier: "scale" }).warnings).toHaveLength(1);
  });

  it("asks for JSON by type and schema (67, 70)", () => {
    const schema = { type: "object", properties: { b: {}, a: {} } };
    expect(translate({ responseFormat: { type: "json-schema", name: "x", schema } }).config).toEqual({
      responseMimeType: "application/json",
      responseJsonSchema: schema,
    });
    expect(translate({ responseFormat: { type: "json-object" } }).config).toEqual({
      responseMimeType: "application/json",
    });
  });

  it("says JSON in words to older models that call tools, with a warning (70)", () => {
    const { config, warnings } = translate(
      { tools: [tool], responseFormat: { type: "json-object" } },
      { model: "gemini-2.5-flash" },
    );
    expect(config.responseMimeType).toBeUndefined();
    expect(JSON.stringify(config.systemInstruction)).toContain("JSON");
    expect(warnings).toHaveLength(1);
  });
});

describe("media for Gemini", () => {
  it("takes images, PDFs and audio by data, and URLs by reference without guessing their type (41, 43, 44)", () => {
    const { contents } = translate({
      messages: [
        {
          role: "user",
          content: [
            { type: "image", source: { kind: "base64", mediaType: "image/png;charset=x", data: "AA" } },
            { type: "file", source: { kind: "base64", mediaType: "application/pdf", data: "BB" } },
            { type: "audio", format: "wav", source: { kind: "base64", mediaType: "", data: "CC" } },
            { type: "image", source: { kind: "url", url: "https://example.com/a.jpg" } },
          ],
        },
      ],
    });
    expect(contents[0]?.parts).toEqual([
      { inlineData: { mimeType: "image/png", data: "AA" } },
      { inlineData: { mimeType: "application/pdf", data: "BB" } },
      { inlineData: { mimeType: "audio/wav", data: "CC" } },
      { fileData: { fileUri: "https://example.com/a.jpg" } },
    ]);
  });

  it("refuses private URLs, foreign files and SVG (41, 42, 43)", () => {
    expect(refusal({ kind: "url", url: "http://192.168.1.1/a.png" })).toBe("invalid_request");
    expect(refusal({ kind: "file-id", protocol: "openai-chat", id: "f" })).toBe("invalid_request");
    expect(refusal({ kind: "base64", mediaType: "image/svg+xml", data: "AA" })).toBe("unsupported");
  });

  it("looks as closely as the finest detail asks (45)", () => {
    const { config } = translate({
      messages: [{ role: "user", content: [detailed("low"), detailed("high"), detailed("auto")] }],
    });
    expect(config.mediaResolution).toBe("MEDIA_RESOLUTION_HIGH");
  });
});
