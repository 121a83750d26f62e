import { GatewayError } from "../../errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";

type Mutable = { [key: string]: Mutable | Mutable[] | JsonValue | undefined };

const maxDepth = 64;
const maxArrayLength = 100_000;

/**
 * Arguments that arrive piece by piece, each with the JSON Path of its place (`$.a.b[0]`). A string may come in several
 * pieces; every other value comes whole.
 */
export class PartialArgs {
  readonly #root: Mutable = {};
  /** Paths whose string is not finished. */
  readonly #open = new Set<string>();

  add(piece: JsonObject): void {
    const path = piece["jsonPath"];
    if (typeof path !== "string") return;
    const value = valueOf(piece);
    if (value === undefined) return;
    const keys = keysOf(path);
    const last = keys.pop();
    if (last === undefined) return;
    let holder: unknown = this.#root;
    for (const [index, key] of keys.entries()) holder = childOf(holder, key, keys[index + 1] ?? last);
    const before: unknown = this.#open.has(path) ? read(holder, last) : undefined;
    write(holder, last, typeof value === "string" && typeof before === "string" ? before + value : value);
    if (piece["willContinue"] === true) this.#open.add(path);
    else this.#open.delete(path);
  }

  toJson(): string {
    return JSON.stringify(this.#root);
  }
}

function valueOf(piece: JsonObject): JsonValue | undefined {
  if (piece["nullValue"] !== undefined) return null;
  return piece["stringValue"] ?? piece["numberValue"] ?? piece["boolValue"];
}

/** `$.a['b c'][0]` as its keys; numbers are places in an array. */
function keysOf(path: string): (string | number)[] {
  const keys: (string | number)[] = [];
  const pattern = /\.([^.[\]]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/g;
  for (const [, name, place, single, double] of path.matchAll(pattern)) {
    if (place !== undefined) keys.push(Number(place));
    else keys.push(name ?? (single ?? double ?? "").replaceAll(/\\(.)/g, "$1"));
    if (keys.length > maxDepth) throw tooLarge();
  }
  return keys;
}

function childOf(holder: unknown, key: string | number, next: string | number): unknown {
  const known = read(holder, key);
  if (typeof known === "object" && known !== null) return known;
  const child: Mutable | Mutable[] = typeof next === "number" ? [] : {};
  write(holder, key, child);
  return child;
}

function read(holder: unknown, key: string | number): unknown {
  if (Array.isArray(holder)) return typeof key === "number" ? holder[key] : undefined;
  return isJsonObject(holder) && Object.hasOwn(holder, key) ? holder[String(key)] : undefined;
}

/** Defined, not assigned: a model may well name an argument `__proto__`. */
function write(holder: unknown, key: string | number, value: unknown): void {
  if (typeof holder !== "object" || holder === null) return;
  if (typeof key === "number" && key >= maxArrayLength) throw tooLarge();
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

function tooLarge(): GatewayError {
  return new GatewayError("bad_answer", "Gemini's function arguments are nested too deep or too long.");
}
