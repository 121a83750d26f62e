import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { faultsOf } from "../../support/openai-schema.ts";
import {
  type Answer,
  chatCall,
  chatFinish,
  chatUsage,
  nothing,
  objectIn,
  objectsIn,
  readError,
  type SeenCall,
  type StreamEvent,
  textIn,
} from "./answer.ts";

/** A stream of Chat Completions chunks: role first, calls numbered from 0, named once, usage last, then `[DONE]`. */
export function readChatStream(events: readonly StreamEvent[]): Answer {
  const faults: string[] = [];
  const calls: { id: string; name: string; arguments: string }[] = [];
  let [text, thinking, refusal, finish, id] = ["", "", "", "", ""];
  let begun = false;
  let usage: Answer["usage"];
  const last = events.at(-1);
  for (const [index, { data }] of events.entries()) {
    if (data === "[DONE]") {
      if (index !== events.length - 1) faults.push("something follows [DONE]");
      continue;
    }
    const chunk = JSON.parse(data) as JsonValue;
    if (!isJsonObject(chunk)) throw new Error(`no chunk: ${data}`);
    if (chunk["error"] !== undefined) {
      if (index !== events.length - 1) faults.push("something follows an error");
      return { ...nothing, ...readError("openai-chat", chunk), text, thinking, refusal, calls, finish };
    }
    faults.push(...faultsOf("CreateChatCompletionStreamResponse", chunk));
    if (id !== "" && chunk["id"] !== id) faults.push("the id changes");
    id = textIn(chunk["id"]);
    if (isJsonObject(chunk["usage"])) {
      usage = chatUsage(chunk["usage"]);
      if (objectsIn(chunk["choices"]).length > 0) faults.push("usage stands beside a choice");
    }
    for (const choice of objectsIn(chunk["choices"])) {
      const delta = objectIn(choice["delta"]);
      if (!begun && delta["role"] !== "assistant") faults.push("the role is not in the first chunk");
      begun = true;
      if (finish !== "" && Object.values(delta).some((value) => value !== null && value !== ""))
        faults.push("a delta follows the finish");
      text += textIn(delta["content"]);
      thinking += textIn(delta["reasoning_content"]);
      refusal += textIn(delta["refusal"]);
      for (const call of objectsIn(delta["tool_calls"])) addCall(calls, call, faults);
      if (textIn(choice["finish_reason"]) !== "") {
        if (finish !== "") faults.push("it finishes twice");
        finish = chatFinish(choice["finish_reason"]);
      }
    }
  }
  if (last?.data !== "[DONE]") faults.push("it does not end with [DONE]");
  if (finish === "") faults.push("it does not say why it stopped");
  if (usage === undefined) faults.push("the usage that was asked for is missing");
  return { ...nothing, text, thinking, refusal, calls, finish, usage, faults, echo: [echoOf(text, refusal, calls)] };
}

function addCall(calls: { id: string; name: string; arguments: string }[], delta: JsonObject, faults: string[]): void {
  const { id, name, arguments: written } = chatCall(delta);
  const index = delta["index"];
  if (typeof index !== "number" || index < 0 || index > calls.length) {
    faults.push(`a call has the index ${JSON.stringify(index)} where ${calls.length} are known`);
    return;
  }
  const known = calls[index];
  if (known === undefined) {
    if (id === "" || name === "") faults.push("a call begins without id or name");
    calls.push({ id, name, arguments: written });
    return;
  }
  if (id !== "" || name !== "") faults.push("a call is named twice");
  known.arguments += written;
}

function echoOf(text: string, refusal: string, calls: readonly SeenCall[]): JsonObject {
  return {
    role: "assistant",
    content: text === "" ? null : text,
    ...(refusal === "" ? {} : { refusal }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map((call) => ({
            id: call.id,
            type: "function",
            function: { name: call.name, arguments: call.arguments },
          })),
        }),
  };
}
