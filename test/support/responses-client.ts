import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { faultsOf } from "./openai-schema.ts";

/** The events of a Responses stream: comments left out, each under its own name. */
export function responseEvents(text: string): JsonObject[] {
  const events: JsonObject[] = [];
  for (const block of text.split("\n\n")) {
    const name = /^event: (.*)$/mu.exec(block)?.[1];
    const data = /^data: (.*)$/mu.exec(block)?.[1];
    if (data === undefined) continue;
    const value: JsonValue = JSON.parse(data);
    if (!isJsonObject(value)) throw new Error(`no event: ${data}`);
    if (value["type"] !== name) throw new Error(`${name} holds a ${show(value["type"])}`);
    events.push(value);
  }
  return events;
}

/**
 * What a client of Responses would trip over: an event or object that is not OpenAI's schema, a gap in the numbers, an
 * item that overlaps another or is closed unopened, a `done` that is not what its deltas said.
 */
export function streamFaults(events: readonly JsonObject[]): string[] {
  const faults = events.flatMap((event) => faultsOf("ResponseStreamEvent", event));
  const deltas = new Map<string, string>();
  const done: JsonValue[] = [];
  let open: JsonValue | undefined;
  for (const [index, event] of events.entries()) {
    const type = show(event["type"]);
    if (event["sequence_number"] !== index)
      faults.push(`${type} is number ${show(event["sequence_number"])}, not ${index}`);
    if ((index === 0) !== (type === "response.created")) faults.push(`${type} at ${index}`);
    if (type === "response.output_item.added") {
      if (open !== undefined) faults.push("an item is opened inside another");
      if (event["output_index"] !== done.length) faults.push(`an item opens at ${show(event["output_index"])}`);
      open = event["output_index"];
    } else if (type === "response.output_item.done") {
      if (open !== event["output_index"]) faults.push("an item is closed that is not open");
      open = undefined;
      done.push(event["item"] ?? null);
    } else if (event["output_index"] !== undefined && event["output_index"] !== open)
      faults.push(`${type} is outside its item`);
    checkDeltas(event, type, deltas, faults);
  }
  const last = events.at(-1);
  const ended = last?.["response"];
  if (!/^response\.(completed|incomplete|failed)$/.test(show(last?.["type"]))) faults.push("it has no end");
  if (
    last?.["type"] !== "response.failed" &&
    isJsonObject(ended) &&
    JSON.stringify(ended["output"]) !== JSON.stringify(done)
  )
    faults.push("the output is not what its items were");
  return faults;
}

const wholes = ["text", "refusal", "arguments"];

function checkDeltas(event: JsonObject, type: string, deltas: Map<string, string>, faults: string[]): void {
  const [, base = "", verb] = /^(response\..*)\.(delta|done)$/.exec(type) ?? [];
  const whole = wholes.map((field) => event[field]).find((value) => typeof value === "string");
  const key = `${base}:${show(event["output_index"])}:${show(event["content_index"] ?? event["summary_index"] ?? 0)}`;
  if (verb === "delta") deltas.set(key, (deltas.get(key) ?? "") + show(event["delta"]));
  if (verb === "done" && whole !== undefined && (deltas.get(key) ?? "") !== whole)
    faults.push(`${type} is not what its deltas said`);
}

/** A field as it stands in a message about it. */
export function show(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
