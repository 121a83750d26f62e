import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";

/** Where values come from: the user's own words first, then the whole prompt, both without the sandbox's directives. */
export type Source = { readonly own: string; readonly all: string };

const deepest = 12;
/** A schema that is nothing but a reference to itself is valid for no value, and past this any will do. */
const endless = 4 * deepest;
const mostItems = 50;

/**
 * A value that is valid against the schema, filled from the prompt where a property's name matches something in it.
 * `$ref` is followed up to {@link deepest} levels: past that the shortest valid value is taken, so a schema that holds
 * itself ends. Keywords that cannot be met by construction (`not`, `if`, most `pattern`s) are not read.
 */
export function fillSchema(schema: JsonValue, source: Source): JsonValue {
  return fill({ schema, root: isJsonObject(schema) ? schema : {}, name: "", source, depth: 0 });
}

type Place = {
  readonly schema: JsonValue | undefined;
  readonly root: JsonObject;
  readonly name: string;
  readonly source: Source;
  readonly depth: number;
};

function fill(place: Place): JsonValue {
  const { schema } = place;
  if (!isJsonObject(schema) || place.depth > endless) return "sandbox";
  if (typeof schema["$ref"] === "string")
    return fill({ ...place, schema: follow(schema["$ref"], place.root), depth: place.depth + 1 });
  if (schema["const"] !== undefined) return schema["const"];
  if (Array.isArray(schema["enum"])) return fillEnum(schema["enum"], place);
  const merged = mergeAll(schema, place.root);
  const choices = merged["anyOf"] ?? merged["oneOf"];
  if (Array.isArray(choices)) return fillChoice(choices, place);
  const type = typeOf(merged, place);
  const typed = { ...place, schema: merged };
  switch (type) {
    case "object":
      return fillObject(merged, typed);
    case "array":
      return fillArray(merged, typed);
    case "number":
    case "integer":
      return fillNumber(merged, typed, type === "integer");
    case "boolean":
      return fillBoolean(typed);
    case "null":
      return null;
    default:
      return fillString(merged, typed);
  }
}

function follow(pointer: string, root: JsonObject): JsonValue | undefined {
  if (!pointer.startsWith("#")) return undefined;
  let found: JsonValue | undefined = root;
  for (const step of pointer
    .slice(1)
    .split("/")
    .filter((part) => part !== "")) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    found = isJsonObject(found) ? found[key] : undefined;
  }
  return found;
}

function mergeAll(schema: JsonObject, root: JsonObject): JsonObject {
  if (!Array.isArray(schema["allOf"])) return schema;
  const parts = schema["allOf"]
    .map((raw) => (isJsonObject(raw) && typeof raw["$ref"] === "string" ? follow(raw["$ref"], root) : raw))
    .filter(isJsonObject);
  const all = [...parts, schema];
  const properties = Object.assign({}, ...all.map((part) => asObject(part["properties"])));
  const required = all.flatMap((part) => asArray(part["required"]));
  return Object.assign({}, ...all, { properties, required });
}

const asObject = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {});
const asArray = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);

function isNull(choice: JsonValue): boolean {
  return isJsonObject(choice) && choice["type"] === "null";
}

/** The first choice that is not null: null only where a value would lead into the same schema without end. */
function fillChoice(choices: readonly JsonValue[], place: Place): JsonValue {
  const hasNull = choices.some(isNull);
  if (hasNull && (place.depth >= deepest || !isMentioned(place))) return null;
  return fill({ ...place, schema: choices.find((choice) => !isNull(choice)) ?? choices[0], depth: place.depth + 1 });
}

/** Whether the prompt gives a value for the property, so that a nullable one is worth filling. */
function isMentioned(place: Place): boolean {
  return (
    place.name === "" ||
    findValue(place.name, place.source.own) !== undefined ||
    /text|content|answer|reply/iu.test(place.name)
  );
}

function typeOf(schema: JsonObject, place: Place): string {
  const raw = schema["type"];
  const names = (Array.isArray(raw) ? raw : [raw])
    .filter((name) => typeof name === "string")
    .map((name) => name.toLowerCase());
  const nullable = names.includes("null") || schema["nullable"] === true;
  if (nullable && !isMentioned(place)) return "null";
  const first = names.find((name) => name !== "null");
  if (first !== undefined) return first;
  if (names.length > 0) return "null";
  if (schema["properties"] !== undefined) return "object";
  return schema["items"] === undefined ? "string" : "array";
}

function fillObject(schema: JsonObject, place: Place): JsonObject {
  const properties = asObject(schema["properties"]);
  const required = new Set(asArray(schema["required"]));
  const entries: [string, JsonValue][] = [];
  for (const [name, property] of Object.entries(properties)) {
    if (!required.has(name) && (place.depth >= deepest || findValue(name, place.source.own) === undefined)) continue;
    entries.push([name, fill({ ...place, schema: property, name, depth: place.depth + 1 })]);
  }
  for (const name of required) {
    if (typeof name === "string" && !(name in properties)) entries.push([name, "sandbox"]);
  }
  return Object.fromEntries(entries);
}

function fillArray(schema: JsonObject, place: Place): JsonValue[] {
  const least = Math.min(Number(schema["minItems"] ?? 0), mostItems);
  const most = Math.min(Number(schema["maxItems"] ?? mostItems), mostItems);
  const items = asArray(schema["prefixItems"]);
  const item = isJsonObject(schema["items"]) ? schema["items"] : {};
  const values = listOf(place.name, place.source.own).slice(0, most);
  const isText = item["type"] === "string" && item["enum"] === undefined;
  if (isText && values.length >= least && values.length > 0) return values;
  const count = Math.max(least, items.length);
  return Array.from({ length: count }, (_, index) => {
    const value = fill({ ...place, schema: items[index] ?? item, depth: place.depth + 1 });
    return schema["uniqueItems"] === true && typeof value === "string" && index > 0 ? `${value} ${index + 1}` : value;
  });
}

function listOf(name: string, text: string): string[] {
  const value = findValue(name, text);
  return value === undefined ? [] : splitValues(value);
}

/** "Paris, Berlin and Rome" → three values. */
export function splitValues(text: string): string[] {
  return text
    .split(/\s*(?:,|;|\band\b|\bund\b|\by\b|\bet\b|&)\s*/u)
    .map((value) => value.trim())
    .filter((value) => value !== "");
}

/** An allowed value that the user names; else the only one the prompt's last part names; else the first. */
function fillEnum(allowed: readonly JsonValue[], place: Place): JsonValue {
  const named = allowed.find((value) => typeof value === "string" && value !== "" && hasWord(place.source.own, value));
  return named ?? allowed.find((value) => value !== null) ?? null;
}

function hasWord(text: string, word: string): boolean {
  const escaped = word.replaceAll(/[.*+?^${}()|[\]\\]/gu, String.raw`\$&`);
  return new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, "iu").test(text);
}

function fillNumber(schema: JsonObject, place: Place, isInteger: boolean): number {
  const text = findValue(place.name, place.source.own) ?? place.source.own;
  const found = /-?\d+(?:\.\d+)?/u.exec(text)?.[0];
  const least = Number(schema["minimum"] ?? Number(schema["exclusiveMinimum"] ?? -Infinity) + 1);
  const most = Number(schema["maximum"] ?? Number(schema["exclusiveMaximum"] ?? Infinity) - 1);
  const start = found === undefined ? (Number.isFinite(least) ? least : 0) : Number(found);
  const bounded = Math.min(Math.max(start, least), most);
  const step = Number(schema["multipleOf"] ?? (isInteger ? 1 : 0));
  if (step <= 0) return bounded;
  const rounded = Math.round(bounded / step) * step;
  return rounded < least ? rounded + step : rounded > most ? rounded - step : rounded;
}

function fillBoolean(place: Place): boolean {
  const value = findValue(place.name, place.source.own);
  return value !== undefined && /^(?:true|yes|on|ja|sí|oui)\b/iu.test(value);
}

const formats: Readonly<Record<string, { readonly pattern: RegExp; readonly otherwise: string }>> = {
  date: { pattern: /\b\d{4}-\d{2}-\d{2}\b/u, otherwise: "2026-01-01" },
  "date-time": {
    pattern: /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})/u,
    otherwise: "2026-01-01T00:00:00Z",
  },
  time: { pattern: /\b\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})/u, otherwise: "00:00:00Z" },
  duration: { pattern: /\bP(?:\d+[YMWD])+\b/u, otherwise: "P1D" },
  email: { pattern: /[\w.+-]+@[\w-]+\.[\w.-]*\w/u, otherwise: "sandbox@example.com" },
  uri: { pattern: /https?:\/\/[^\s"'<>)]+/u, otherwise: "https://example.com/sandbox" },
  uuid: {
    pattern: /\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b/iu,
    otherwise: "00000000-0000-4000-8000-000000000000",
  },
  ipv4: { pattern: /\b(?:\d{1,3}\.){3}\d{1,3}\b/u, otherwise: "127.0.0.1" },
  ipv6: { pattern: /(?!)/u, otherwise: "::1" },
  hostname: { pattern: /(?!)/u, otherwise: "sandbox.example.com" },
};

function fillString(schema: JsonObject, place: Place): string {
  const format = typeof schema["format"] === "string" ? formats[schema["format"]] : undefined;
  if (format !== undefined) {
    return format.pattern.exec(place.source.own)?.[0] ?? format.pattern.exec(place.source.all)?.[0] ?? format.otherwise;
  }
  const found = findValue(place.name, place.source.own) ?? findValue(place.name, place.source.all);
  const topic = place.source.own.replaceAll(/\s+/gu, " ").trim();
  const value = found ?? `[sandbox] ${topic === "" ? place.name : topic}`;
  const least = Number(schema["minLength"] ?? 0);
  const most = Number(schema["maxLength"] ?? 400);
  const bounded = value.length > most ? value.slice(0, most).toWellFormed() : value;
  return matchPattern(bounded.padEnd(least, "."), schema["pattern"]);
}

/** Patterns are met by trying a few likely words: a pattern none of them meets gets the text as it is. */
function matchPattern(value: string, pattern: JsonValue | undefined): string {
  if (typeof pattern !== "string" || pattern.length > 200) return value;
  try {
    const expression = new RegExp(pattern, "u");
    const likely = [
      value,
      "sandbox",
      "SANDBOX",
      "Sandbox",
      "0",
      "1",
      "42",
      "2026",
      "2026-01-01",
      "a",
      "A",
      "AB",
      "ABC",
      "a1",
      "",
    ];
    return likely.find((candidate) => expression.test(candidate)) ?? value;
  } catch {
    return value;
  }
}

/** What the text says a property is: `city: Lisbon`, `city = Lisbon`, `my city is Lisbon`, `"city": "Lisbon"`. */
export function findValue(name: string, text: string): string | undefined {
  if (name === "") return undefined;
  const words = name
    .replaceAll(/([a-z\d])([A-Z])/gu, "$1 $2")
    .replaceAll(/[_-]+/gu, " ")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} ]/gu, "")
    .trim();
  if (words === "") return undefined;
  const label = `(?<![\\p{L}\\p{N}])${words.replaceAll(" ", "[ _-]?")}["”']?`;
  const quoted = new RegExp(
    `${label}\\s*(?::|=|\\bis\\b|\\bare\\b|\\bto\\b)\\s*["“']([^"”'\\n]{1,200})["”']`,
    "iu",
  ).exec(text);
  if (quoted?.[1] !== undefined) return quoted[1].trim();
  const plain = new RegExp(`${label}\\s*(?::|=|\\bis\\b|\\bare\\b)\\s*([^\\n.!?;{}\\]]{1,200}(?:\\.\\d+)?)`, "iu").exec(
    text,
  );
  return plain?.[1] === undefined || plain[1].trim() === "" ? undefined : plain[1].trim();
}
