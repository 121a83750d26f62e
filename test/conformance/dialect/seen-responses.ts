import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { faultsOf } from "../../support/openai-schema.ts";
import { type Answer, nothing, objectIn, objectsIn, readResponsesWhole, type StreamEvent, textIn } from "./answer.ts";

type State = {
  readonly faults: string[];
  /** The text of each content part by `output_index:part`, as its deltas brought it. */
  readonly deltas: Map<string, string>;
  readonly open: Map<number, JsonObject>;
  readonly done: JsonObject[];
  sequence: number;
  ended: JsonObject | undefined;
  error: Answer["error"];
};

/**
 * response.created first, a terminal event last, `sequence_number` counting up, every item opened before its deltas and closed
 * once, every `done` equal to its deltas, the last response's output equal to the items that were closed.
 */
export function readResponsesStream(events: readonly StreamEvent[]): Answer {
  const state: State = {
    faults: [],
    deltas: new Map(),
    open: new Map(),
    done: [],
    sequence: -1,
    ended: undefined,
    error: undefined,
  };
  for (const [index, { event, data }] of events.entries()) {
    if (data === "[DONE]") {
      state.faults.push("[DONE] is no event of this dialect");
      continue;
    }
    const body = JSON.parse(data) as JsonValue;
    if (!isJsonObject(body)) throw new Error(`no event: ${data}`);
    if (event !== undefined && event !== body["type"]) state.faults.push(`${event} holds a ${textIn(body["type"])}`);
    if (index === 0 && body["type"] !== "response.created" && body["type"] !== "error")
      state.faults.push(`it begins with ${textIn(body["type"])}`);
    step(state, body);
  }
  if (state.error !== undefined) return { ...nothing, error: state.error, faults: state.faults };
  if (state.ended === undefined) return { ...nothing, faults: [...state.faults, "it has no end"] };
  const answer = readResponsesWhole(state.ended);
  const texts = [...state.deltas.entries()].filter(([key]) => key.endsWith("text")).map(([, text]) => text);
  if (texts.join("") !== answer.text) state.faults.push("the deltas say something else than the response");
  if (state.open.size > 0) state.faults.push("an item is never closed");
  if (JSON.stringify(objectsIn(state.ended["output"])) !== JSON.stringify(state.done))
    state.faults.push("the response's output is not what its items were");
  return { ...answer, faults: [...state.faults, ...answer.faults] };
}

function step(state: State, body: JsonObject): void {
  const type = textIn(body["type"]);
  state.faults.push(...faultsOf("ResponseStreamEvent", body));
  const sequence = body["sequence_number"];
  if (typeof sequence !== "number" || sequence <= state.sequence)
    state.faults.push(`${type} has the number ${JSON.stringify(sequence)} after ${state.sequence}`);
  else state.sequence = sequence;
  if (state.ended !== undefined) state.faults.push(`${type} follows the end`);
  const index = typeof body["output_index"] === "number" ? body["output_index"] : -1;
  switch (type) {
    case "response.output_item.added":
      if (index !== state.done.length + state.open.size) state.faults.push(`an item has the index ${index}`);
      state.open.set(index, objectIn(body["item"]));
      return;
    case "response.output_item.done":
      if (!state.open.delete(index)) state.faults.push(`the item ${index} is closed but was never open`);
      state.done[index] = objectIn(body["item"]);
      return;
    case "response.completed":
    case "response.incomplete":
      state.ended = objectIn(body["response"]);
      return;
    case "response.failed": {
      const error = objectIn(objectIn(body["response"])["error"]);
      state.ended = objectIn(body["response"]);
      state.error = { type: "", code: textIn(error["code"]), message: textIn(error["message"]) };
      return;
    }
    case "error":
      state.error = { type: "error", code: textIn(body["code"]), message: textIn(body["message"]) };
      return;
    default:
      part(state, type, index, body);
  }
}

const kinds: Readonly<Record<string, readonly [kind: string, field: string]>> = {
  "response.output_text": ["text", "text"],
  "response.refusal": ["refusal", "refusal"],
  "response.function_call_arguments": ["arguments", "arguments"],
  "response.reasoning_summary_text": ["summary", "text"],
};

function part(state: State, type: string, index: number, body: JsonObject): void {
  const [, base = "", verb] = /^(.*)\.(delta|done)$/.exec(type) ?? [];
  const known = kinds[base];
  if (known === undefined) return;
  const [kind, field] = known;
  if (!state.open.has(index)) state.faults.push(`${type} of an item that is not open`);
  const key = `${index}:${JSON.stringify(body["content_index"] ?? body["summary_index"] ?? 0)}:${kind}`;
  if (verb === "delta") state.deltas.set(key, (state.deltas.get(key) ?? "") + textIn(body["delta"]));
  else if ((state.deltas.get(key) ?? "") !== textIn(body[field]))
    state.faults.push(`${type} is not what its deltas were`);
}
