import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";

/**
 * A vendor's response object with what it must say here: `fixed` fields as they are, `defaults` where a host left a
 * required field out. The same object comes back when nothing had to change, so that its bytes can be passed on.
 */
export function conformResponse(response: JsonObject, fixed: JsonObject, defaults: JsonObject): JsonObject {
  const changes: Record<string, JsonValue | undefined> = {};
  for (const [field, value] of Object.entries(defaults)) if (response[field] === undefined) changes[field] = value;
  for (const [field, value] of Object.entries(fixed)) if (!isSame(response[field], value)) changes[field] = value;
  const usage = conformUsage(response["usage"]);
  if (usage !== response["usage"]) changes["usage"] = usage;
  // OpenAI's own servers send them before there is something to say, and its own schema does not allow it.
  for (const field of ["user", "usage"]) if (response[field] === null) changes[field] = undefined;
  return Object.keys(changes).length === 0 ? response : { ...response, ...changes };
}

/** Hosts of older versions of this protocol count no cache writes. */
function conformUsage(usage: JsonValue | undefined): JsonValue | undefined {
  if (!isJsonObject(usage)) return usage;
  const input = isJsonObject(usage["input_tokens_details"]) ? usage["input_tokens_details"] : {};
  const output = isJsonObject(usage["output_tokens_details"]) ? usage["output_tokens_details"] : {};
  const whole =
    input["cached_tokens"] !== undefined &&
    input["cache_write_tokens"] !== undefined &&
    output["reasoning_tokens"] !== undefined;
  if (whole) return usage;
  return {
    ...usage,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0, ...input },
    output_tokens_details: { reasoning_tokens: 0, ...output },
  };
}

function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return a === b || (isJsonObject(a) && isJsonObject(b) && a["id"] === b["id"]);
}

/** The vendor writes the type first; anything else is read properly. */
export function rawType(raw: string): string {
  const quick = /^\{"type":"([a-z_.]+)"/.exec(raw);
  if (quick?.[1] !== undefined) return quick[1];
  const value: JsonValue = JSON.parse(raw);
  return isJsonObject(value) && typeof value["type"] === "string" ? value["type"] : "message";
}

/** An event's own number; a quote inside a string is escaped, so a text about numbers is none. */
export function rawSequence(raw: string): number | undefined {
  const found = /"sequence_number":\s*(\d+)/.exec(raw);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}

/** Adds a field to an event that has not got it. Never one that stands elsewhere in it: the text is not read. */
export function withField(raw: string, name: string, value: JsonValue): string {
  if (raw.includes(`"${name}":`)) return raw;
  return `${raw.slice(0, raw.lastIndexOf("}"))},"${name}":${JSON.stringify(value)}}`;
}
