import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAiResponses } from "../gateway/dialects/openai-responses/dialect.ts";
import { sealState } from "../gateway/dialects/openai-responses/sealed-state.ts";
import { requestOver } from "../gateway/responses/conversation-items.ts";
import type { JsonObject, JsonValue } from "../router/json.ts";
import { GatewayError } from "../router/errors.ts";
import { toResponsesBody } from "../router/providers/openai-responses/request.ts";
import { createToolNames } from "../router/providers/tool-names.ts";
import { chatCall, chatModel } from "./chat-call.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { faultsOf } from "./support/openai-schema.ts";

const parse = (body: JsonObject) => openAiResponses.parse({ model: "auto", ...body }, {});
const message = (content: JsonValue) => ({ input: [{ role: "user", content }] });

/** The path that a refusal names. */
function refused(body: JsonObject): string | undefined {
  try {
    openAiResponses.parse(body, {});
  } catch (error) {
    if (error instanceof GatewayError && error.code === "invalid_request") return error.param;
    throw error;
  }
  return "nothing";
}

describe("what is wrong is named by its path", () => {
  const hello = { model: "auto", input: "Hello" };
  it.each<[string, JsonObject]>([
    ["model", { input: "x" }],
    ["model", { model: "", input: "x" }],
    ["model", { model: 5, input: "x" }],
    ["input", { model: "auto" }],
    ["input", { model: "auto", input: [] }],
    ["input", { model: "auto", input: 7 }],
    ["input", { model: "auto", input: { role: "user" } }],
    ["input[0]", { model: "auto", input: ["x"] }],
    ["input[0].type", { model: "auto", input: [{}] }],
    ["input[0].type", { model: "auto", input: [{ type: 4 }] }],
    ["input[0].role", { model: "auto", input: [{ role: "tool", content: "x" }] }],
    ["input[0].role", { model: "auto", input: [{ type: "message" }] }],
    ["input[0].content", { model: "auto", input: [{ role: "user" }] }],
    ["input[0].content", { model: "auto", input: [{ role: "user", content: 3 }] }],
    ["input[0].content[1].type", { model: "auto", ...message([{ type: "input_text", text: "x" }, {}]) }],
    ["input[0].content[0].type", { model: "auto", ...message([{ type: "image_url" }]) }],
    ["input[0].content[0].text", { model: "auto", ...message([{ type: "input_text" }]) }],
    ["input[0].content[0].image_url", { model: "auto", ...message([{ type: "input_image" }]) }],
    [
      "input[0].content[0].image_url",
      { model: "auto", ...message([{ type: "input_image", image_url: "http://169.254.169.254/x" }]) },
    ],
    ["input[0].content[0].file_url", { model: "auto", ...message([{ type: "input_file", file_url: "file:///etc" }]) }],
    ["input[0].content[0].file_data", { model: "auto", ...message([{ type: "input_file" }]) }],
    [
      "input[0].content[0].type",
      { model: "auto", input: [{ role: "assistant", content: [{ type: "input_image", image_url: "x" }] }] },
    ],
    [
      "input[0].content[0].type",
      { model: "auto", input: [{ role: "system", content: [{ type: "input_image", image_url: "https://a.b/c" }] }] },
    ],
    ["input[0].call_id", { model: "auto", input: [{ type: "function_call", name: "f", arguments: "{}" }] }],
    [
      "input[0].arguments",
      { model: "auto", input: [{ type: "function_call", call_id: "c", name: "f", arguments: {} }] },
    ],
    ["input[0].call_id", { model: "auto", input: [{ type: "function_call_output", output: "x" }] }],
    ["input[0].output", { model: "auto", input: [{ type: "function_call_output", call_id: "c" }] }],
    [
      "input[0].output[0].type",
      { model: "auto", input: [{ type: "function_call_output", call_id: "c", output: [{}] }] },
    ],
    ["input[0].summary[0].text", { model: "auto", input: [{ type: "reasoning", id: "r", summary: [{}] }] }],
    ["input[0].encrypted_content", { model: "auto", input: [{ type: "reasoning", id: "r", encrypted_content: 5 }] }],
    ["input[0].id", { model: "auto", input: [{ type: "item_reference" }] }],
    ["instructions", { ...hello, instructions: ["x"] }],
    ["tools", { ...hello, tools: {} }],
    ["tools[0].type", { ...hello, tools: [{}] }],
    ["tools[0].name", { ...hello, tools: [{ type: "function" }] }],
    ["tools[0].parameters", { ...hello, tools: [{ type: "function", name: "f", parameters: "x" }] }],
    ["tools[1].name", { ...hello, tools: ["f", "f"].map((name) => ({ type: "function", name })) }],
    ["tool_choice", { ...hello, tool_choice: "any" }],
    ["tool_choice.name", { ...hello, tool_choice: { type: "function" } }],
    ["tool_choice.tools", { ...hello, tool_choice: { type: "allowed_tools" } }],
    ["tool_choice.tools[0].name", { ...hello, tool_choice: { type: "allowed_tools", tools: [{ type: "function" }] } }],
    ["text", { ...hello, text: "plain" }],
    ["text.format.type", { ...hello, text: { format: { type: "xml" } } }],
    ["text.format.name", { ...hello, text: { format: { type: "json_schema", schema: {} } } }],
    ["text.format.schema", { ...hello, text: { format: { type: "json_schema", name: "n" } } }],
    ["text.verbosity", { ...hello, text: { verbosity: 3 } }],
    ["reasoning.effort", { ...hello, reasoning: { effort: "extreme" } }],
    ["reasoning.summary", { ...hello, reasoning: { summary: true } }],
    ["max_output_tokens", { ...hello, max_output_tokens: 0 }],
    ["temperature", { ...hello, temperature: 3 }],
    ["top_p", { ...hello, top_p: "x" }],
    ["top_logprobs", { ...hello, top_logprobs: 21 }],
    ["include[0]", { ...hello, include: [1] }],
    ["metadata.a", { ...hello, metadata: { a: 1 } }],
    ["store", { ...hello, store: "yes" }],
    ["stream", { ...hello, stream: 1 }],
    ["stream_options", { ...hello, stream_options: true }],
    ["background", { ...hello, background: true }],
    ["prompt", { ...hello, prompt: { id: "p" } }],
    ["previous_response_id", { ...hello, previous_response_id: 4 }],
    ["previous_response_id", { ...hello, previous_response_id: "r", conversation: "c" }],
    ["conversation", { ...hello, conversation: 4 }],
    ["conversation.id", { ...hello, conversation: {} }],
    ["conversation", { ...hello, conversation: "x".repeat(300) }],
  ])("%s", (path, body) => {
    expect(refused(body)).toBe(path);
  });

  it("and null stands for a field that is not there", () => {
    const nothing = Object.fromEntries(
      "instructions tools tool_choice text reasoning include metadata store stream conversation user top_p background prompt"
        .split(" ")
        .map((field) => [field, null]),
    );
    expect(parse({ input: "Hello", ...nothing })).toMatchObject({ stream: false, tools: [], unknownFields: [] });
  });

  it("and 20,001 items are too many", () => {
    expect(
      refused({ model: "auto", input: Array.from({ length: 20_001 }, () => ({ role: "user", content: "x" })) }),
    ).toBe("input");
  });
});

describe("items become messages", () => {
  it("one for each, but for what the model said in one turn", () => {
    const { messages } = parse({
      instructions: "Be brief.",
      input: [
        { role: "developer", content: "Be kind." },
        { type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] },
        { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "Hm." }], encrypted_content: "e" },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "I look." }] },
        { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
        { type: "custom_tool_call", call_id: "c2", name: "sql", input: "SELECT 1" },
        { type: "function_call_output", call_id: "c1", output: [{ type: "input_text", text: "one" }] },
        { type: "custom_tool_call_output", call_id: "c2", output: "two" },
        { role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
      ],
    });
    expect(messages.map(({ role, source }) => [role, source])).toEqual([
      ["system", undefined],
      ["developer", 0],
      ["user", 1],
      ["assistant", 2],
      ["tool", 6],
      ["tool", 7],
      ["assistant", 8],
    ]);
    expect(messages[3]?.content).toEqual([
      {
        type: "thinking",
        text: "Hm.",
        state: { protocol: "openai-responses", value: expect.objectContaining({ id: "rs_1", encrypted_content: "e" }) },
      },
      { type: "text", text: "I look." },
      { type: "tool-call", id: "c1", name: "f", arguments: "{}" },
      { type: "tool-call", id: "c2", name: "sql", arguments: '{"input":"SELECT 1"}' },
    ]);
    expect(messages[4]?.content).toEqual([
      { type: "tool-result", toolCallId: "c1", content: [{ type: "text", text: "one" }] },
    ]);
  });

  it("a built-in tool's items are the vendor's, and its output is never the user's words", () => {
    const { messages, unknownFields } = parse({
      input: [
        { role: "user", content: "Look it up" },
        { type: "web_search_call", id: "ws_1", status: "completed" },
        { type: "computer_call", id: "cu_1", call_id: "c1", action: { type: "wait" } },
        { type: "computer_call_output", call_id: "c1", output: { type: "computer_screenshot" } },
        { type: "mcp_approval_response", approval_request_id: "a1", approve: true },
        { type: "compaction_trigger" },
      ],
    });
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool"]);
    expect(messages[1]?.content.map((part) => part.type)).toEqual(["vendor", "vendor"]);
    expect(unknownFields).toEqual(["input[5]"]);
  });

  it("tools, choices and formats are read flat", () => {
    const request = parse({
      input: "x",
      tools: [
        { type: "function", name: "f", description: "d", parameters: { type: "object" }, strict: true },
        { type: "web_search" },
        { type: "custom", name: "sql" },
      ],
      tool_choice: {
        type: "allowed_tools",
        mode: "required",
        tools: [{ type: "function", name: "f" }, { type: "web_search" }],
      },
      text: { format: { type: "json_schema", name: "n", schema: { type: "object" }, strict: true }, verbosity: "low" },
      reasoning: { effort: "low", summary: "auto" },
      include: ["message.output_text.logprobs", "file_search_call.results"],
      top_logprobs: 3,
    });
    expect(request.tools.map(({ type, name }) => [type, name])).toEqual([
      ["function", "f"],
      ["vendor", "web_search"],
      ["vendor", "sql"],
    ]);
    expect(request.toolChoice).toEqual({ type: "allowed", mode: "required", names: ["f", "web_search"] });
    expect(request.responseFormat).toEqual({
      type: "json-schema",
      name: "n",
      schema: { type: "object" },
      strict: true,
    });
    expect(request.sampling).toEqual({ logprobs: true, topLogprobs: 3 });
    expect(request.unknownFields).toEqual(["text.verbosity", "include"]);
  });
});

/** What a vendor gets whose key is `credential`, of reasoning that the key `mine` has encrypted. */
function send(body: JsonObject, efforts: readonly ("low" | "high")[] = ["low", "high"], credential = "mine") {
  const request = parse(body);
  const messages = request.messages.map((one) =>
    one.role === "assistant"
      ? {
          ...one,
          content: one.content.map((part) =>
            part.type === "thinking" && part.state !== undefined
              ? { ...part, state: { ...part.state, credential: "mine" } }
              : part,
          ),
        }
      : one,
  );
  const call = chatCall({ ...request, messages }, chatModel("m", "openai", { efforts: [...efforts] }));
  const names = createToolNames({ valid: /./, unwanted: /[^\w-]/g, maxLength: 64 });
  return { body: toResponsesBody(call, names, credential), warnings: call.warnings };
}

describe("a body that passes through to its vendor", () => {
  it("asks a model that does not think for no encrypted reasoning", () => {
    const include = ["reasoning.encrypted_content", "message.output_text.logprobs"];
    expect(send({ input: "x", include }).body["include"]).toEqual(include);
    expect(send({ input: "x", include }, []).body["include"]).toEqual(["message.output_text.logprobs"]);
  });

  it("leaves out reasoning that another key encrypted, and says so", () => {
    const input = [
      { role: "user", content: "x" },
      { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "sealed" },
      { role: "assistant", content: "y" },
      { role: "user", content: "z" },
    ];
    expect(send({ input })).toMatchObject({ body: { input }, warnings: [] });
    const other = send({ input }, ["low", "high"], "another");
    expect(other.body["input"]).toEqual(input.filter((item) => item.type !== "reasoning"));
    expect(other.warnings.join()).toContain("another API key");
  });
});

describe("a conversation for a vendor of the same protocol", () => {
  it("holds no reasoning of others, none without what it led to, and no id of ours", () => {
    const sealed = sealState({ protocol: "anthropic-messages", value: { signature: "s" } });
    const items: readonly JsonObject[] = [
      { type: "message", id: "msg_tl_1_in0", role: "user", content: "One" },
      { type: "reasoning", id: "rs_tl_1_0", summary: [], encrypted_content: sealed },
      { type: "reasoning", id: "rs_tl_1_1", summary: [] },
      { type: "message", id: "msg_tl_1_2", role: "assistant", content: [] },
      { type: "reasoning", id: "rs_vendor", summary: [], encrypted_content: "e" },
      { type: "function_call", id: "fc_vendor", call_id: "c", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "c", output: "1" },
      { type: "reasoning", id: "rs_cut", summary: [], encrypted_content: "cut off by a limit" },
      { type: "message", role: "user", content: "Two" },
    ];
    const request = requestOver(
      parse({ input: "x" }),
      items.map((item) => ({ item })),
    );
    expect(request.raw["input"]).toEqual([
      { type: "message", role: "user", content: "One" },
      { type: "message", role: "assistant", content: [] },
      { type: "reasoning", id: "rs_vendor", summary: [], encrypted_content: "e" },
      { type: "function_call", id: "fc_vendor", call_id: "c", name: "f", arguments: "{}" },
      { type: "function_call_output", call_id: "c", output: "1" },
      { type: "message", role: "user", content: "Two" },
    ]);
    // A memory block must find its user message in that very list.
    const users = request.messages.filter(({ role }) => role === "user");
    expect(users.map(({ source }) => source)).toEqual([0, 5]);
  });
});

describe("the routes", () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({ yaml: "memory: { enabled: false }\n" });
  });
  afterAll(async () => {
    await gateway.close();
  });

  it.each<[string, number, unknown]>([
    ["POST /v1/responses", 400, "{"],
    ["POST /v1/responses", 400, []],
    ["POST /v1/responses", 400, { model: "auto", input: 1 }],
    ["POST /v1/responses", 404, { model: "no-such-model", input: "x" }],
    ["POST /v1/responses/input_tokens", 400, {}],
    ["POST /v1/responses/input_tokens", 404, { input: "x", previous_response_id: "resp_none" }],
    ["GET /v1/responses/resp_none", 404, undefined],
    ["GET /v1/responses/%00", 404, undefined],
    ["GET /v1/responses/resp_none/input_items?limit=0", 400, undefined],
    ["GET /v1/responses/resp_none/input_items?order=up", 400, undefined],
    ["DELETE /v1/responses/resp_none", 404, undefined],
    ["POST /v1/responses/resp_none/cancel", 404, {}],
    ["PATCH /v1/responses/resp_none", 405, {}],
  ])("%s answers %i in OpenAI's shape", async (route, status, body) => {
    const [method = "", path = ""] = route.split(" ");
    const response = await gateway.fetch(path, { method, ...(body === undefined ? {} : { body }) });
    expect(response.status).toBe(status);
    expect(faultsOf("ErrorResponse", await response.json())).toEqual([]);
  });
});
