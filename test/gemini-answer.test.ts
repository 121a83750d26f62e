import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../router/chat.ts";
import { GatewayError } from "../router/errors.ts";
import type { JsonObject } from "../router/json.ts";
import { createGeneratedDecoder, decodeGenerated } from "../router/providers/gemini-generate/answer.ts";
import { isMadeCallId } from "../router/providers/gemini-generate/call-ids.ts";
import { noRecordings, recorded, recordedEvents, textOf } from "./vendor-server.ts";

const context = { provider: "gemini", names: { toClient: (name: string) => name } };

function stream(chunks: readonly (string | JsonObject)[], names = context.names): ChatEvent[] {
  const decoder = createGeneratedDecoder({ ...context, names });
  const events: ChatEvent[] = [];
  for (const each of chunks) {
    const data = typeof each === "string" ? each : JSON.stringify(each);
    events.push(...(decoder.push({ data })?.events ?? []));
  }
  return decoder.done ? events : [...events, ...(decoder.end()?.events ?? [])];
}

function isDone(choices: number, ...chunks: JsonObject[]): boolean {
  const decoder = createGeneratedDecoder(context, choices);
  for (const each of chunks) decoder.push({ data: JSON.stringify(each) });
  return decoder.done;
}

function chunk(parts: readonly JsonObject[], rest: JsonObject = {}, candidate: JsonObject = {}): JsonObject {
  return {
    candidates: [{ content: { role: "model", parts }, ...candidate }],
    responseId: "r1",
    modelVersion: "gemini-3",
    ...rest,
  };
}
const stop = { finishReason: "STOP" };
function indexed(index: number, text: string): JsonObject {
  return { index, content: { parts: [{ text }] }, finishReason: "STOP" };
}
function counts(candidatesTokenCount: number): JsonObject {
  return { usageMetadata: { promptTokenCount: 5, candidatesTokenCount } };
}
function piece(jsonPath: string, value: JsonObject, willContinue = false): JsonObject {
  const partialArgs = [{ jsonPath, ...value, ...(willContinue ? { willContinue } : undefined) }];
  return chunk([{ functionCall: { partialArgs, willContinue: true } }]);
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
function callIds(events: readonly ChatEvent[]): string[] {
  return events.filter((event) => event.type === "tool-call-start").map((event) => event.id);
}

describe("an answer from Gemini", () => {
  it.each([
    ["STOP", "stop"],
    ["MAX_TOKENS", "length"],
    ["SAFETY", "content-filter"],
    ["RECITATION", "content-filter"],
    ["LANGUAGE", "content-filter"],
    ["BLOCKLIST", "content-filter"],
    ["PROHIBITED_CONTENT", "content-filter"],
    ["SPII", "content-filter"],
    ["IMAGE_SAFETY", "content-filter"],
    ["OTHER", "unknown"],
  ])("that ends with %s finishes with %s (47)", (finishReason, reason) => {
    expect(stream([chunk([{ text: "x" }], {}, { finishReason })]).at(-1)).toEqual({
      type: "finish",
      reason,
      rawReason: finishReason,
    });
  });

  it("finishes as unknown, with a warning, for a reason nobody knows (46)", () => {
    const events = stream([chunk([], {}, { finishReason: "ECLIPSE" })]);
    expect(events).toContainEqual({ type: "warning", warning: 'finishReason "ECLIPSE" is not known' });
    expect(events.at(-1)).toMatchObject({ reason: "unknown" });
  });

  it("that stopped to call functions finishes with tool calls (47)", () => {
    expect(
      stream([chunk([{ functionCall: { name: "f", args: {} } }]), chunk([{ text: "" }], {}, stop)]).at(-1),
    ).toEqual({
      type: "finish",
      reason: "tool-calls",
      rawReason: "STOP",
    });
  });

  it.each(["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"])(
    "that is %s is asked for again (47)",
    (finishReason) => {
      expect(failure(() => stream([chunk([], {}, { finishReason })])).code).toBe("bad_answer");
    },
  );

  it("to a blocked prompt is one filtered choice, not none (48)", () => {
    const events = stream([{ promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 4 } }]);
    expect(events.slice(1).map((event) => event.type)).toEqual(["refusal-delta", "usage", "finish"]);
    expect(events.at(-1)).toEqual({ type: "finish", reason: "content-filter", rawReason: "SAFETY" });
  });

  it("without any candidate, or cut before its end, is a bad answer (48)", () => {
    expect(failure(() => stream([{}])).code).toBe("bad_answer");
    expect(failure(() => stream([])).code).toBe("bad_answer");
    expect(failure(() => stream([chunk([{ text: "Half" }])])).code).toBe("bad_answer");
    expect(failure(() => decodeGenerated("<html>", context)).code).toBe("bad_answer");
  });

  it("counts cached input apart, thoughts as output and its tools' reading as input (50, 53)", () => {
    const usageMetadata = {
      promptTokenCount: 100,
      cachedContentTokenCount: 60,
      toolUsePromptTokenCount: 7,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 30,
      promptTokensDetails: [
        { modality: "TEXT", tokenCount: 80 },
        { modality: "AUDIO", tokenCount: 20 },
      ],
    };
    const usage = stream([chunk([{ text: "x" }], { usageMetadata }, stop)]).find((event) => event.type === "usage");
    expect(usage?.usage).toMatchObject({
      inputTokens: 47,
      cacheReadTokens: 60,
      outputTokens: 50,
      reasoningTokens: 30,
      audioInputTokens: 20,
    });
  });

  it("gives the last of its usage once, behind the words and before the finish (52, 58)", () => {
    const events = stream([chunk([{ text: "a" }], counts(1)), chunk([{ text: "b" }], counts(2), stop)]);
    expect(events.map((event) => event.type)).toEqual(["start", "text-delta", "text-delta", "usage", "finish"]);
    expect(events[3]).toMatchObject({ usage: { inputTokens: 5, outputTokens: 2 } });
  });

  it("is over when its choices have finished and its usage is here, not before (59)", () => {
    const finished = { candidates: [indexed(0, "a")], ...counts(1) };
    expect(isDone(1, finished)).toBe(true);
    expect(isDone(2, finished)).toBe(false);
    expect(isDone(2, finished, { candidates: [indexed(1, "b")] })).toBe(true);
    expect(isDone(1, { candidates: [indexed(0, "a")] })).toBe(false);
    expect(isDone(1, { candidates: [indexed(0, "a")] }, counts(1))).toBe(true);
    expect(isDone(1, { promptFeedback: { blockReason: "SAFETY" }, ...counts(0) })).toBe(true);
  });

  it("without usage has none", () => {
    expect(stream([chunk([{ text: "a" }], {}, stop)]).map((event) => event.type)).toEqual([
      "start",
      "text-delta",
      "finish",
    ]);
  });

  it("keeps the order of its parts, thoughts apart from words (54)", () => {
    const events = stream([
      chunk([{ text: "hm", thought: true }]),
      chunk([{ text: " ok", thought: true, thoughtSignature: "c2ln" }, { text: "Yes." }]),
      chunk(
        [
          { text: "more", thought: true },
          { functionCall: { name: "f", args: { a: 1 } }, thoughtSignature: "Y2FsbA==" },
        ],
        {},
        stop,
      ),
    ]);
    expect(events.slice(1, -1)).toEqual([
      { type: "thinking-delta", text: "hm" },
      { type: "thinking-delta", text: " ok" },
      { type: "thinking-end", state: { protocol: "gemini-generate", value: "c2ln" } },
      { type: "text-delta", text: "Yes." },
      { type: "thinking-delta", text: "more" },
      { type: "thinking-end" },
      { type: "tool-call-start", index: 0, id: expect.any(String), name: "f" },
      { type: "tool-call-delta", index: 0, arguments: '{"a":1}' },
      { type: "tool-call-end", index: 0, state: { protocol: "gemini-generate", value: "Y2FsbA==" } },
    ]);
  });

  it("keeps a signature that comes on a text of nothing (63)", () => {
    const events = stream([chunk([{ text: "Yes" }]), chunk([{ text: "", thoughtSignature: "c2ln" }], {}, stop)]);
    expect(events[2]).toEqual({ type: "text-delta", text: "", state: { protocol: "gemini-generate", value: "c2ln" } });
  });

  it("gives calls without ids the same ones each time, and different ones to different calls (11)", () => {
    const twice = chunk(
      [{ functionCall: { name: "f", args: {} } }, { functionCall: { name: "f", args: {} } }],
      {},
      stop,
    );
    const ids = callIds(stream([twice]));
    expect(callIds(stream([twice]))).toEqual(ids);
    expect(new Set(ids).size).toBe(2);
    expect(ids.every(isMadeCallId)).toBe(true);
    expect(callIds(stream([{ ...twice, responseId: "r2" }]))).not.toEqual(ids);
    expect(callIds(stream([chunk([{ functionCall: { id: "own", name: "f" } }], {}, stop)]))).toEqual(["own"]);
  });

  it("gives a call without arguments an empty object, and the client its own name (14, 15)", () => {
    const events = stream([chunk([{ functionCall: { name: "t_f" } }], {}, stop)], { toClient: () => "f!" });
    expect(events).toContainEqual({ type: "tool-call-delta", index: 0, arguments: "{}" });
    expect(events).toContainEqual(expect.objectContaining({ type: "tool-call-start", name: "f!" }));
  });

  it("puts arguments together that come in pieces, and sends them once (57)", () => {
    const events = stream([
      chunk([{ functionCall: { name: "f", willContinue: true } }]),
      piece("$.to", { stringValue: "Bos" }, true),
      piece("$.to", { stringValue: "ton" }),
      piece("$.list[0].n", { numberValue: 2 }),
      piece("$.list[1].ok", { boolValue: false }),
      piece("$['a b']", { nullValue: "NULL_VALUE" }),
      piece("$.__proto__.x", { numberValue: 1 }),
      chunk([{ functionCall: {} }], {}, stop),
    ]);
    const deltas = events.filter((event) => event.type === "tool-call-delta");
    expect(deltas.map((event) => event.arguments)).toEqual([
      '{"to":"Boston","list":[{"n":2},{"ok":false}],"a b":null,"__proto__":{"x":1}}',
    ]);
    expect({}).not.toHaveProperty("x");
  });

  it("refuses arguments that would fill our memory (57)", () => {
    const partialArgs = [{ jsonPath: "$.a[4000000000]", numberValue: 1 }];
    expect(
      failure(() => stream([chunk([{ functionCall: { name: "f", partialArgs, willContinue: true } }])])).code,
    ).toBe("bad_answer");
  });

  it("keeps candidates apart and finishes each", () => {
    const events = stream([{ candidates: [indexed(0, "a"), indexed(1, "b")] }]);
    expect(events.slice(1)).toEqual([
      { type: "text-delta", text: "a" },
      { type: "text-delta", text: "b", choice: 1 },
      { type: "finish", reason: "stop", rawReason: "STOP" },
      { type: "finish", reason: "stop", rawReason: "STOP", choice: 1 },
    ]);
  });

  it("gives code it ran and what it read as blocks of its own protocol (17)", () => {
    const code = { executableCode: { language: "PYTHON", code: "1+1" } };
    const ran = { codeExecutionResult: { outcome: "OUTCOME_OK", output: "2" } };
    const groundingMetadata = { webSearchQueries: ["q"] };
    const events = stream([chunk([code, ran, { text: "2" }], {}, { ...stop, groundingMetadata })]);
    expect(events.filter((event) => event.type === "vendor").map((event) => event.state.value)).toEqual([
      code,
      ran,
      { groundingMetadata },
    ]);
  });

  it("gives log probabilities in the shape Chat Completions has", () => {
    const logprobsResult = {
      chosenCandidates: [{ token: "Hi", logProbability: -0.1 }],
      topCandidates: [
        {
          candidates: [
            { token: "Hi", logProbability: -0.1 },
            { token: "Yo", logProbability: -2 },
          ],
        },
      ],
    };
    const events = stream([chunk([{ text: "Hi" }], {}, { ...stop, logprobsResult })]);
    expect(events[1]).toMatchObject({
      logprobs: {
        content: [{ token: "Hi", logprob: -0.1, bytes: [72, 105], top_logprobs: [{ token: "Hi" }, { token: "Yo" }] }],
      },
    });
  });

  it("throws the error that comes inside a stream (60, 72)", () => {
    const error = { error: { code: 503, status: "UNAVAILABLE", message: "The model is overloaded." } };
    expect(failure(() => stream([chunk([{ text: "x" }]), error])).code).toBe("overloaded");
    const limit = {
      error: {
        code: 429,
        status: "RESOURCE_EXHAUSTED",
        details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.5s" }],
      },
    };
    expect(failure(() => stream([limit]))).toMatchObject({ code: "rate_limited", retryAfterMs: 1500 });
  });
});

describe.skipIf(noRecordings)("recorded answers of Gemini", () => {
  it.each(["text", "reasoning", "tool-call", "stream-tool-call-arguments"])(
    "stream %s to exactly one finish behind one usage",
    (name) => {
      const chunks = recordedEvents(`google/google-${name}.chunks.txt`);
      const events = stream(chunks);
      expect(events[0]?.type).toBe("start");
      expect(events.slice(-2).map((event) => event.type)).toEqual(["usage", "finish"]);
      const decoder = createGeneratedDecoder(context);
      expect(chunks.map((data) => decoder.push({ data })?.raw)).toEqual(chunks);
    },
  );

  it.each(["text", "reasoning", "tool-call"])("hold the same whole as streamed for %s", (name) => {
    const events = decodeGenerated(recorded(`google/google-${name}.json`), context).events;
    const streamed = stream(recordedEvents(`google/google-${name}.chunks.txt`));
    expect(events.at(-1)).toEqual(streamed.at(-1));
    expect(events.some((event) => "state" in event && event.state !== undefined)).toBe(true);
  });

  it("put streamed arguments together (57)", () => {
    const events = stream(recordedEvents("google/google-stream-tool-call-arguments.chunks.txt"));
    expect(events.filter((event) => event.type === "tool-call-delta").map((event) => event.arguments)).toEqual([
      '{"location":"Boston"}',
      '{"location":"San Francisco"}',
    ]);
    expect(events.at(-1)).toMatchObject({ reason: "tool-calls" });
    expect(textOf(events)).toBe("");
  });
});
