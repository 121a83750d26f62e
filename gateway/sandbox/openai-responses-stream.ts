import { isJsonObject, type JsonObject } from "../../router/json.ts";
import { splitArguments, splitIntoDeltas } from "./tokens.ts";
import { asObjects, asText } from "./wire.ts";

type Emit = (type: string, fields: JsonObject) => void;

/** The events that lead to a finished response, framed. */
export function toResponseFrames(response: JsonObject): string[] {
  const frames: string[] = [];
  const emit: Emit = (type, fields) => {
    const event = { type, sequence_number: frames.length, ...fields };
    frames.push(`event: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
  };
  const begun = {
    ...response,
    status: "in_progress",
    incomplete_details: null,
    output: [],
    usage: null,
    service_tier: "auto",
  };
  emit("response.created", { response: begun });
  emit("response.in_progress", { response: begun });
  asObjects(response["output"]).forEach((item, index) => emitItem(item, index, emit));
  emit(response["status"] === "incomplete" ? "response.incomplete" : "response.completed", { response });
  return frames;
}

function emitItem(item: JsonObject, index: number, emit: Emit): void {
  if (item["type"] === "reasoning") emitReasoning(item, index, emit);
  else if (item["type"] === "function_call") emitCall(item, index, emit);
  else emitMessage(item, index, emit);
  emit("response.output_item.done", { output_index: index, item });
}

function emitReasoning(item: JsonObject, index: number, emit: Emit): void {
  emit("response.output_item.added", { output_index: index, item: { ...item, summary: [] } });
  asObjects(item["summary"]).forEach((part, position) => {
    const place = { item_id: asText(item["id"]), output_index: index, summary_index: position };
    const text = asText(part["text"]);
    emit("response.reasoning_summary_part.added", { ...place, part: { type: "summary_text", text: "" } });
    for (const delta of splitIntoDeltas(text)) emit("response.reasoning_summary_text.delta", { ...place, delta });
    emit("response.reasoning_summary_text.done", { ...place, text });
    emit("response.reasoning_summary_part.done", { ...place, part });
  });
}

function emitCall(item: JsonObject, index: number, emit: Emit): void {
  const place = { item_id: asText(item["id"]), output_index: index };
  const whole = asText(item["arguments"]);
  emit("response.output_item.added", { output_index: index, item: { ...item, status: "in_progress", arguments: "" } });
  for (const delta of splitArguments(whole)) emit("response.function_call_arguments.delta", { ...place, delta });
  emit("response.function_call_arguments.done", { ...place, name: asText(item["name"]), arguments: whole });
}

function emitMessage(item: JsonObject, index: number, emit: Emit): void {
  emit("response.output_item.added", { output_index: index, item: { ...item, status: "in_progress", content: [] } });
  const part = asObjects(item["content"])[0];
  if (!isJsonObject(part)) return;
  const place = { item_id: asText(item["id"]), output_index: index, content_index: 0 };
  if (part["type"] === "refusal") {
    const refusal = asText(part["refusal"]);
    emit("response.content_part.added", { ...place, part: { type: "refusal", refusal: "" } });
    for (const delta of splitIntoDeltas(refusal)) emit("response.refusal.delta", { ...place, delta });
    emit("response.refusal.done", { ...place, refusal });
  } else {
    const text = asText(part["text"]);
    emit("response.content_part.added", {
      ...place,
      part: { type: "output_text", annotations: [], logprobs: [], text: "" },
    });
    for (const delta of splitIntoDeltas(text)) emit("response.output_text.delta", { ...place, delta, logprobs: [] });
    emit("response.output_text.done", { ...place, text, logprobs: [] });
  }
  emit("response.content_part.done", { ...place, part });
}
