import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import type { SandboxModel } from "./models.ts";
import { digest, makeSeal } from "./seal.ts";
import { countTokens, splitIntoDeltas } from "./tokens.ts";
import type { Answer, AnswerToolCall } from "./view.ts";

type Made = {
  readonly body: JsonObject;
  readonly model: SandboxModel;
  readonly result: Answer;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly responseId: string;
};

const finishReasons = {
  stop: "STOP",
  "stop-sequence": "STOP",
  length: "MAX_TOKENS",
  "tool-calls": "STOP",
  refusal: "SAFETY",
} as const;

/** The whole answer in one object. */
export function toGeminiResponse(made: Made): JsonObject {
  const { result } = made;
  const finish = { finishReason: finishReasons[result.finish], index: 0 };
  if (result.finish === "refusal") return wrap(made, finish, result.outputTokens);
  const calls = result.toolCalls.map((call, index) =>
    toCallPart(made, { name: call.name, args: call.arguments }, index),
  );
  const text = result.text === "" && calls.length > 0 ? [] : [{ text: result.text, ...signatureOf(made, result.text) }];
  const parts = [...thoughtParts(made, [result.thinking]), ...text, ...calls];
  const note = calls.length === 0 ? {} : { finishMessage: "Model generated function call(s)." };
  return wrap(made, { content: { parts, role: "model" }, ...finish, ...note }, result.outputTokens);
}

/** The chunks of a stream; the last one, with empty text, carries the finish reason and the text's signature. */
export function toChunks(made: Made): JsonObject[] {
  const { result } = made;
  const finish = { finishReason: finishReasons[result.finish], index: 0 };
  if (result.finish === "refusal") return [wrap(made, finish, result.outputTokens)];
  const chunk = (part: JsonValue, tokens: number, rest: JsonObject = { index: 0 }): JsonObject => {
    return wrap(made, { content: { parts: [part], role: "model" }, ...rest }, tokens);
  };
  const chunks = thoughtParts(made, splitIntoDeltas(result.thinking)).map((part) => chunk(part, 0));
  let said = "";
  for (const text of splitIntoDeltas(result.text)) {
    said += text;
    chunks.push(chunk({ text }, countTokens(said)));
  }
  result.toolCalls.forEach((call, index) => {
    for (const part of toStreamedCall(made, call, index)) chunks.push(chunk(part, result.outputTokens));
  });
  const last = result.toolCalls.length > 0 ? { text: "" } : { text: "", ...signatureOf(made, result.text) };
  return [...chunks, chunk(last, result.outputTokens, finish)];
}

function thoughtParts({ body, result }: Made, texts: readonly string[]): JsonObject[] {
  const config = isJsonObject(body["generationConfig"]) ? body["generationConfig"]["thinkingConfig"] : undefined;
  if (result.thinking === "" || !isJsonObject(config) || config["includeThoughts"] !== true) return [];
  return texts.map((text) => ({ text, thought: true }));
}

/** Only a model that thought signs, and of parallel calls only the first. */
function toCallPart(made: Made, call: JsonObject, index: number): JsonObject {
  return { functionCall: call, ...(index === 0 ? signatureOf(made, JSON.stringify(call)) : {}) };
}

function signatureOf({ model, result }: Made, content: string): JsonObject {
  if (result.thinking === "") return {};
  return { thoughtSignature: makeSeal({ kind: "thought", model: model.id, content: digest(content) }) };
}

/** A call is one part, unless the request asks for its arguments in pieces. */
function toStreamedCall(made: Made, call: AnswerToolCall, index: number): JsonObject[] {
  const whole = { name: call.name, args: call.arguments };
  const config = isJsonObject(made.body["toolConfig"]) ? made.body["toolConfig"]["functionCallingConfig"] : undefined;
  if (!isJsonObject(config) || config["streamFunctionCallArguments"] !== true) return [toCallPart(made, whole, index)];
  const pieces = Object.entries(call.arguments).flatMap(([name, value]) =>
    toPartialArguments(`$.${name}`, value ?? null),
  );
  const parts = pieces.map((piece) => ({ functionCall: { partialArgs: [piece], willContinue: true } }));
  return [toCallPart(made, { name: call.name, willContinue: true }, index), ...parts, { functionCall: {} }];
}

function toPartialArguments(jsonPath: string, value: JsonValue): JsonObject[] {
  if (typeof value === "string") {
    return [
      ...splitIntoDeltas(value).map((text) => ({ jsonPath, stringValue: text, willContinue: true })),
      { jsonPath, stringValue: "" },
    ];
  }
  if (typeof value === "number") return [{ jsonPath, numberValue: value }];
  if (typeof value === "boolean") return [{ jsonPath, boolValue: value }];
  if (value === null) return [{ jsonPath, nullValue: "NULL_VALUE" }];
  const entries = Array.isArray(value)
    ? value.map((item, index) => [`[${index}]`, item] as const)
    : Object.entries(value).map(([name, item]) => [`.${name}`, item ?? null] as const);
  return entries.flatMap(([step, item]) => toPartialArguments(`${jsonPath}${step}`, item));
}

function wrap(made: Made, candidate: JsonObject, candidateTokens: number): JsonObject {
  const { result, promptTokens, cachedTokens } = made;
  const cached =
    cachedTokens === 0
      ? {}
      : { cachedContentTokenCount: cachedTokens, cacheTokensDetails: [{ modality: "TEXT", tokenCount: cachedTokens }] };
  return {
    candidates: [candidate],
    usageMetadata: {
      promptTokenCount: promptTokens,
      candidatesTokenCount: candidateTokens,
      totalTokenCount: promptTokens + candidateTokens + result.thinkingTokens,
      ...cached,
      promptTokensDetails: [{ modality: "TEXT", tokenCount: promptTokens }],
      ...(result.thinkingTokens === 0 ? {} : { thoughtsTokenCount: result.thinkingTokens }),
    },
    modelVersion: made.model.id,
    responseId: made.responseId,
  };
}
