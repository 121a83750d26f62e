import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";

type ReplayEvent = JsonObject & { readonly type: string };

/** A kept response as the stream it might have been, each text in one delta. `after` leaves out events up to that number. */
export function replayStream(response: JsonObject, after: number): string {
  const { usage: _usage, ...rest } = response;
  const begun = { ...rest, status: "in_progress", incomplete_details: null, output: [] };
  const type = response["status"] === "incomplete" ? "response.incomplete" : "response.completed";
  const events: readonly ReplayEvent[] = [
    { type: "response.created", response: begun },
    { type: "response.in_progress", response: begun },
    ...objectsOf(response["output"]).flatMap(itemEvents),
    { type, response },
  ];
  return events
    .map(({ type: name, ...fields }, number) => ({ name, number, fields }))
    .filter(({ number }) => number > after)
    .map(({ name, number, fields }) => toSse(name, number, fields))
    .join("");
}

function toSse(type: string, number: number, fields: JsonObject): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...fields })}\n\n`;
}

function itemEvents(item: JsonObject, output_index: number): ReplayEvent[] {
  const place = { item_id: item["id"], output_index };
  return [
    { type: "response.output_item.added", output_index, item: opened(item) },
    ...innerEvents(item, place),
    { type: "response.output_item.done", output_index, item },
  ];
}

/** An item before its parts came. Items of built-in tools have none. */
function opened(item: JsonObject): JsonObject {
  switch (item["type"]) {
    case "message":
      return { ...item, status: "in_progress", content: [] };
    case "function_call":
      return { ...item, status: "in_progress", arguments: "" };
    case "reasoning":
      return { ...item, summary: [] };
    default:
      return item;
  }
}

function innerEvents(item: JsonObject, place: JsonObject): ReplayEvent[] {
  switch (item["type"]) {
    case "message":
      return objectsOf(item["content"]).flatMap((part, index) => partEvents(part, { ...place, content_index: index }));
    case "reasoning":
      return objectsOf(item["summary"]).flatMap((part, index) =>
        summaryEvents(part, { ...place, summary_index: index }),
      );
    case "function_call": {
      const { arguments: args, name } = item;
      return [
        { type: "response.function_call_arguments.delta", ...place, delta: args },
        { type: "response.function_call_arguments.done", ...place, name, arguments: args },
      ];
    }
    default:
      return [];
  }
}

function partEvents(part: JsonObject, place: JsonObject): ReplayEvent[] {
  const { text, refusal, logprobs = [] } = part;
  const ended: ReplayEvent = { type: "response.content_part.done", ...place, part };
  if (part["type"] === "refusal") {
    return [
      { type: "response.content_part.added", ...place, part: { ...part, refusal: "" } },
      { type: "response.refusal.delta", ...place, delta: refusal },
      { type: "response.refusal.done", ...place, refusal },
      ended,
    ];
  }
  const empty = { ...part, text: "", annotations: [], logprobs: [] };
  const annotations = Array.isArray(part["annotations"]) ? part["annotations"] : [];
  return [
    { type: "response.content_part.added", ...place, part: empty },
    { type: "response.output_text.delta", ...place, delta: text, logprobs },
    ...annotations.map((annotation: JsonValue, annotation_index): ReplayEvent => {
      return Object.assign({ type: "response.output_text.annotation.added", annotation_index, annotation }, place);
    }),
    { type: "response.output_text.done", ...place, text, logprobs },
    ended,
  ];
}

function summaryEvents(part: JsonObject, place: JsonObject): ReplayEvent[] {
  const { text } = part;
  return [
    { type: "response.reasoning_summary_part.added", ...place, part: { ...part, text: "" } },
    { type: "response.reasoning_summary_text.delta", ...place, delta: text },
    { type: "response.reasoning_summary_text.done", ...place, text },
    { type: "response.reasoning_summary_part.done", ...place, part },
  ];
}

function objectsOf(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter((item: JsonValue) => isJsonObject(item)) : [];
}
