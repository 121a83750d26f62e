import { GatewayError } from "../../router/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";

/**
 * Readers for the fields of a client's body. `path` is how the client would write the place (`messages[2].content`);
 * every failure is `invalid_request` and names it, what was expected and what was found. `null` counts as absent, as
 * OpenAI's servers treat it.
 */

export function invalid(path: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `'${path}' ${message}`, { param: path });
}

export function readObject(value: unknown, path: string): JsonObject {
  if (!isJsonObject(value)) throw invalid(path, `must be an object, not ${nameOf(value)}.`);
  return value;
}

export function readArray(value: JsonValue | undefined, path: string): readonly JsonValue[] {
  if (!Array.isArray(value)) throw invalid(path, `must be an array, not ${nameOf(value)}.`);
  return value as readonly JsonValue[];
}

export function readString(value: JsonValue | undefined, path: string): string {
  if (typeof value !== "string") throw invalid(path, `must be a string, not ${nameOf(value)}.`);
  return value;
}

export function optionalString(value: JsonValue | undefined, path: string): string | undefined {
  return value === undefined || value === null ? undefined : readString(value, path);
}

export function optionalBoolean(value: JsonValue | undefined, path: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw invalid(path, `must be true or false, not ${nameOf(value)}.`);
  return value;
}

export function optionalObject(value: JsonValue | undefined, path: string): JsonObject | undefined {
  return value === undefined || value === null ? undefined : readObject(value, path);
}

export function optionalNumber(
  value: JsonValue | undefined,
  path: string,
  min: number,
  max: number,
): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number") throw invalid(path, `must be a number, not ${nameOf(value)}.`);
  if (value < min || value > max) throw invalid(path, `must be between ${min} and ${max}, not ${value}.`);
  return value;
}

export function optionalInteger(
  value: JsonValue | undefined,
  path: string,
  min: number,
  max: number,
): number | undefined {
  const number = optionalNumber(value, path, min, max);
  if (number !== undefined && !Number.isInteger(number)) throw invalid(path, `must be a whole number, not ${number}.`);
  return number;
}

export function optionalChoice<const T extends string>(
  value: JsonValue | undefined,
  path: string,
  choices: readonly T[],
): T | undefined {
  if (value === undefined || value === null) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw invalid(path, `must be one of ${choices.join(", ")}, not ${show(value)}.`);
  return found;
}

/** How a value is named in an error: its type, and a short string's content. */
export function nameOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return `a ${typeof value}`;
}

function show(value: JsonValue): string {
  return typeof value === "string" && value.length <= 40 ? `'${value}'` : nameOf(value);
}
