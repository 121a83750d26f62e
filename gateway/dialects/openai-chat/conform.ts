import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";

/** What every chunk of one answer says about it, for hosts that leave it out. */
export type AnswerHead = { readonly id: string; readonly model: string; readonly created: number };

/**
 * A chunk of a host that speaks OpenAI's protocol, with what OpenAI's schema requires and older hosts leave out. The
 * same text comes back when nothing had to change, so that a vendor's own bytes are passed on.
 */
export function conformChunk(raw: string, head: AnswerHead): string {
  return isWholeChunk(raw) ? raw : rewritten(raw, "chat.completion.chunk", "delta", head);
}

/** The same for an answer that is not streamed. */
export function conformCompletion(raw: string, head: AnswerHead): string {
  const required = ['"logprobs":', '"refusal":', '"content":'];
  const isWhole = isWholeBody(raw) && required.every((field) => raw.includes(field));
  return isWhole ? raw : rewritten(raw, "chat.completion", "message", head);
}

const emptyChoices = /"choices":\s*\[\]/;

function isWholeChunk(raw: string): boolean {
  return isWholeBody(raw) && (raw.includes('"delta":') || emptyChoices.test(raw));
}

/** Told by the text, because parsing every chunk would cost more than all else: a quote inside a string is escaped. */
function isWholeBody(raw: string): boolean {
  const named = ['"id":', '"object":', '"created":', '"model":'].every((field) => raw.includes(field));
  if (!named || otherFinish.test(raw)) return false;
  return (raw.includes('"finish_reason":') && raw.includes('"index":')) || emptyChoices.test(raw);
}

/** A reason that is none of OpenAI's. */
const otherFinish = /"finish_reason":\s*"(?!stop"|length"|tool_calls"|content_filter"|function_call")/;

function rewritten(raw: string, object: string, field: "delta" | "message", head: AnswerHead): string {
  const body: JsonValue = JSON.parse(raw);
  if (!isJsonObject(body)) return raw;
  const choices = Array.isArray(body["choices"]) ? body["choices"] : [];
  return JSON.stringify({
    ...body,
    id: textOr(body["id"], head.id),
    object,
    created: typeof body["created"] === "number" ? Math.trunc(body["created"]) : head.created,
    model: textOr(body["model"], head.model),
    choices: choices.map((choice: JsonValue, index) =>
      isJsonObject(choice) ? conformChoice(choice, index, field) : choice,
    ),
  });
}

function conformChoice(choice: JsonObject, place: number, field: "delta" | "message"): JsonObject {
  const said = isJsonObject(choice[field]) ? choice[field] : {};
  return {
    ...choice,
    index: typeof choice["index"] === "number" ? choice["index"] : place,
    [field]: field === "message" ? { role: "assistant", content: null, refusal: null, ...said } : said,
    ...(field === "message" ? { logprobs: choice["logprobs"] ?? null } : {}),
    finish_reason: conformFinish(choice["finish_reason"], field, said),
  };
}

const finishWords: Readonly<Record<string, string>> = {
  eos: "stop",
  end_turn: "stop",
  max_tokens: "length",
  model_length: "length",
};
const finishes = new Set(["stop", "length", "tool_calls", "content_filter", "function_call"]);

function conformFinish(reason: JsonValue | undefined, field: "delta" | "message", said: JsonObject): string | null {
  if (typeof reason !== "string" || reason === "") {
    if (field === "delta") return null;
    return Array.isArray(said["tool_calls"]) && said["tool_calls"].length > 0 ? "tool_calls" : "stop";
  }
  return finishes.has(reason) ? reason : (finishWords[reason] ?? "stop");
}

function textOr(value: JsonValue | undefined, fallback: string): string {
  return typeof value === "string" && value !== "" ? value : fallback;
}
