import { array, assert, asyncProperty, constantFrom, jsonValue, nat, oneof, record, string, tuple } from "fast-check";
import type { Arbitrary } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { catalogue } from "../../config/models.ts";
import type { Dialect } from "../../gateway/dialects/dialect.ts";
import { anthropicMessages } from "../../gateway/dialects/anthropic-messages/dialect.ts";
import { openAiChat } from "../../gateway/dialects/openai-chat/dialect.ts";
import { openAiResponses } from "../../gateway/dialects/openai-responses/dialect.ts";
import { readObject } from "../../gateway/dialects/read.ts";
import type { ChatRequest } from "../../router/chat.ts";
import { GatewayError } from "../../router/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import type { Model } from "../../router/model.ts";
import { toPassThrough } from "../../router/providers/anthropic-messages/pass-through.ts";
import { toMessagesRequest } from "../../router/providers/anthropic-messages/request.ts";
import { toGenerateRequest } from "../../router/providers/gemini-generate/request.ts";
import { openAiChatHost } from "../../router/providers/openai-chat/host.ts";
import { toChatBody } from "../../router/providers/openai-chat/request.ts";
import { compatibleHosts } from "../../router/providers/openai-compatible.ts";
import { toResponsesBody } from "../../router/providers/openai-responses/request.ts";
import { createToolNames } from "../../router/providers/tool-names.ts";
import { type Ask, bodyIn, type DialectName, dialectPaths, dialects, type Turn } from "../conformance/dialect/ask.ts";
import { pixel } from "../conformance/dialect/scenarios.ts";
import { startWorld, type World } from "../conformance/dialect/world.ts";
import { runs, words } from "./arbitraries.ts";

const parsers: Readonly<Record<DialectName, Dialect>> = {
  "openai-chat": openAiChat,
  "openai-responses": openAiResponses,
  "anthropic-messages": anthropicMessages,
};

/** Requests a client may well send: every kind of turn, with ids that fit and ids that do not. */
const ids = constantFrom("call_1", "call_2", "", "x".repeat(500), "fc_1|rs_2", "ü");
const anyText = oneof(words, constantFrom("", " ", "\ud83d", "\udc00 half"), string({ unit: "binary", maxLength: 8 }));
const turn: Arbitrary<Turn> = oneof(
  record({ role: constantFrom("user" as const), parts: array(record({ text: anyText }), { maxLength: 3 }) }),
  record({
    role: constantFrom("user" as const),
    parts: array(
      constantFrom(
        { image: pixel, mediaType: "image/png" },
        { image: "not base64!", mediaType: "image/svg+xml" },
        { imageUrl: "https://example.com/a.png" },
        { imageUrl: "http://169.254.169.254/latest" },
        { pdf: "JVBERi0=", name: "a.pdf" },
      ),
      { minLength: 1, maxLength: 2 },
    ),
  }),
  record({ role: constantFrom("system" as const), text: anyText }),
  record({ role: constantFrom("assistant" as const), text: anyText }),
  record({
    role: constantFrom("assistant" as const),
    calls: array(
      record({ id: ids, name: constantFrom("tool", "", "a b"), arguments: constantFrom("", "{}", '{"a":1}') }),
      {
        maxLength: 3,
      },
    ),
  }),
  record({
    role: constantFrom("results" as const),
    results: array(record({ id: ids, text: anyText }), { minLength: 1, maxLength: 3 }),
  }),
);
const schemas: readonly JsonObject[] = [
  { type: "object", properties: {} },
  { $ref: "#" },
  { anyOf: [{ type: "string" }, { $ref: "#/$defs/loop" }], $defs: { loop: { $ref: "#/$defs/loop" } } },
  {},
];
const asks: Arbitrary<Ask> = record(
  {
    turns: array(turn, { minLength: 1, maxLength: 6 }),
    system: anyText,
    tools: array(record({ name: constantFrom("tool", "other", "ä b"), parameters: constantFrom(...schemas) }), {
      maxLength: 2,
    }),
    toolChoice: constantFrom("auto" as const, "none" as const, "required" as const, { tool: "tool" }),
    parallel: constantFrom(true, false),
    schema: constantFrom(...schemas),
    maxTokens: constantFrom(1, 16, 5_000_000),
    stop: array(anyText, { maxLength: 5 }),
    effort: constantFrom("none", "minimal", "high", "max"),
    showThinking: constantFrom(true, false),
  },
  { requiredKeys: ["turns"] },
);

/** One value somewhere in a body, replaced by another or taken out. */
const mutation = record({
  at: nat(200),
  by: oneof(jsonValue({ maxDepth: 2 }), constantFrom(1e308, -1, "x".repeat(9_000))),
});
const inputs: Arbitrary<{ readonly dialect: DialectName; readonly body: JsonObject }> = tuple(
  constantFrom(...dialects),
  asks,
  constantFrom(true, false),
  array(mutation, { maxLength: 3 }),
).map(([dialect, ask, stream, mutations]) => {
  let body = { model: "auto", ...bodyIn[dialect](ask, stream) };
  for (const { at, by } of mutations) body = mutated(body, at, by as JsonValue);
  return { dialect, body };
});

function mutated<T extends JsonObject>(body: T, at: number, by: JsonValue): T {
  const count = JSON.stringify(body).split(":").length;
  let left = at % Math.max(1, count);
  return JSON.parse(
    JSON.stringify(body, (_key, value: unknown) => {
      left -= 1;
      return left === -1 ? by : value;
    }),
  ) as T;
}

const names = () => createToolNames({ valid: /^[a-zA-Z0-9_-]{1,64}$/, unwanted: /[^a-zA-Z0-9_-]/g, maxLength: 64 });
const modelsFor = (provider: string): readonly Model[] => catalogue.filter((model) => model.provider === provider);
const hosts = [openAiChatHost, ...Object.values(compatibleHosts).map((host) => host.chat)];

/** Builds what each vendor would be sent; throws whatever the builders throw that is not the client's fault. */
function buildAll(request: ChatRequest, seed: number): void {
  const pick = <T>(list: readonly T[]): T => {
    const found = list[seed % list.length];
    if (found === undefined) throw new Error("nothing to pick");
    return found;
  };
  const call = (provider: string) => ({
    request,
    model: pick(modelsFor(provider)),
    signal: new AbortController().signal,
    warn: () => undefined,
  });
  const builders: (() => unknown)[] = [
    () => toChatBody(call("openai"), pick(hosts), names()),
    () => toResponsesBody(call("openai"), names(), "key"),
    () => toMessagesRequest(call("anthropic")),
    () => toGenerateRequest(call("google")),
    ...(request.dialect === "anthropic-messages" ? [() => toPassThrough(call("anthropic"))] : []),
  ];
  for (const build of builders) refusedOrDone(build);
}

/** Done, or refused as the client's own mistake; anything else is thrown on. */
function refusedOrDone<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof GatewayError && error.status < 500) return undefined;
    throw error;
  }
}

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
let world: World;
beforeAll(async () => {
  process.on("unhandledRejection", note);
  world = await startWorld();
});
afterAll(async () => {
  process.off("unhandledRejection", note);
  await world.close();
});

describe("a generated body", () => {
  it("is translated for every vendor or refused as the client's mistake", async () => {
    await assert(
      asyncProperty(inputs, nat(1_000), async ({ dialect, body }, seed) => {
        const parsed = refusedOrDone(() => parsers[dialect].parse(readObject(body, "body"), {}));
        if (parsed !== undefined) buildAll(parsed, seed);
        await Promise.resolve();
      }),
      { numRuns: runs(2_000) },
    );
    expect(unhandled).toEqual([]);
  });

  it("never makes the gateway answer 5xx or leave a rejection unhandled", async () => {
    const models = ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash", "local/local-model"];
    await assert(
      asyncProperty(inputs, constantFrom(...models), async ({ dialect, body }, model) => {
        const named = isJsonObject(body) && body["model"] === "auto" ? { ...body, model } : body;
        const response = await world.gateway.fetch(dialectPaths[dialect], { body: named });
        const text = await response.text();
        expect({ status: response.status < 500, text: text.slice(0, 300) }).toMatchObject({ status: true });
      }),
      { numRuns: Math.ceil(runs(2_000) / 20) },
    );
    expect(unhandled).toEqual([]);
  });
});
