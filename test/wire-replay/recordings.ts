import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";

/** `WIRE_DIR` names another folder of recordings; their names and number mean nothing here. */
const wireFolder = process.env["WIRE_DIR"] ?? join(import.meta.dirname, "../../../shared/wire");
export const noRecordings = existsSync(wireFolder) ? false : `skipped: no recorded answers in ${wireFolder}`;

export type Wire = "openai-chat" | "openai-responses" | "anthropic" | "google";

/** One recorded answer, whole or streamed: `events` holds the JSON of each event of a stream. */
export type Recording = {
  readonly name: string;
  readonly wire: Wire;
  readonly whole?: string;
  readonly events?: readonly string[];
};

/** Every `*.json` and `*.chunks.txt` below the folder whose content is a vendor's answer. */
export function readRecordings(): Recording[] {
  if (noRecordings !== false) return [];
  const files = readdirSync(wireFolder, { recursive: true, encoding: "utf8" }).toSorted();
  return files.flatMap((file): Recording[] => {
    const isStream = file.endsWith(".chunks.txt");
    if (!isStream && !file.endsWith(".json")) return [];
    const content = readFileSync(join(wireFolder, file), "utf8");
    const lines = isStream ? content.split("\n").filter((line) => line.trim() !== "" && line.trim() !== "[DONE]") : [];
    const wire = wireOf(isStream ? lines.map(parseLine) : [parseLine(content)]);
    if (wire === undefined) return [];
    return [{ name: file, wire, ...(isStream ? { events: firstAnswer(wire, lines) } : { whole: content }) }];
  });
}

/** Whose wire it is, by what it says rather than by the folder it lies in. */
function wireOf(bodies: readonly (JsonObject | undefined)[]): Wire | undefined {
  for (const body of bodies) {
    if (body === undefined) continue;
    const type = typeof body["type"] === "string" ? body["type"] : "";
    if (body["candidates"] !== undefined || body["promptFeedback"] !== undefined || isGoogleError(body))
      return "google";
    if (type === "message" || type === "message_start" || (type === "error" && isAnthropicError(body)))
      return "anthropic";
    if (body["object"] === "response" || type.startsWith("response.")) return "openai-responses";
    if (Array.isArray(body["choices"])) return "openai-chat";
    if (isJsonObject(body["error"]) && typeof body["error"]["code"] === "string") return "openai-responses";
  }
  return undefined;
}

function isGoogleError(body: JsonObject): boolean {
  return isJsonObject(body["error"]) && typeof body["error"]["status"] === "string";
}

function isAnthropicError(body: JsonObject): boolean {
  return (
    isJsonObject(body["error"]) &&
    JSON.stringify(body["error"]["type"]).endsWith('_error"') &&
    body["sequence_number"] === undefined
  );
}

/** A recording of a tool loop holds several answers one after the other; a vendor sends one. */
function firstAnswer(wire: Wire, lines: readonly string[]): readonly string[] {
  const last = lines.findIndex((line) => {
    const type = parseLine(line)?.["type"];
    if (wire === "anthropic") return type === "message_stop";
    return wire === "openai-responses" && (type === "response.completed" || type === "response.incomplete");
  });
  return last === -1 ? lines : lines.slice(0, last + 1);
}

/** JSON of a line; one that was cut short of its last braces, as some recordings are, is completed. */
export function parseLine(line: string): JsonObject | undefined {
  for (const ending of ["", "}", "}}"]) {
    try {
      const value = JSON.parse(line + ending) as JsonValue;
      return isJsonObject(value) ? value : undefined;
    } catch {
      // Tried again with one more brace; what is no JSON even so is nobody's answer.
    }
  }
  return undefined;
}

/** As the vendor frames it. */
export function frame(wire: Wire, events: readonly string[]): string {
  const framed = events.map((event) => {
    const type = parseLine(event)?.["type"];
    const name =
      (wire === "anthropic" || wire === "openai-responses") && typeof type === "string" ? `event: ${type}\n` : "";
    return `${name}data: ${event}\n\n`;
  });
  return framed.join("") + (wire === "openai-chat" ? "data: [DONE]\n\n" : "");
}
