import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { fillSchema, findValue, splitValues, type Source } from "./fill-schema.ts";
import type { AnswerToolCall, RequestView, ToolView } from "./view.ts";
import { asText } from "./wire.ts";

const mostCalls = 16;

/**
 * Which tools to call, and with what. A forced choice always calls; otherwise a tool is called when the user's own
 * words name it and it has not been called since they said so.
 */
export function chooseTools(view: RequestView, source: Source): AnswerToolCall[] {
  const choice = view.toolChoice;
  if (choice.type === "none" || view.tools.length === 0) return [];
  const called = calledSinceUserSpoke(view);
  const named = view.tools.filter((tool) => namesTool(source.own, tool.name));
  const waiting = named.filter((tool) => !called.has(tool.name));
  if (choice.type === "required") {
    const allowed = view.tools.filter((tool) => choice.names === undefined || choice.names.includes(tool.name));
    const wanted = allowed.filter((tool) => waiting.includes(tool));
    const first = wanted.length > 0 ? wanted : allowed.slice(0, 1);
    return limit(
      view,
      first.flatMap((tool) => toCalls(tool, view.tools, source)),
    );
  }
  return limit(
    view,
    waiting.flatMap((tool) => toCalls(tool, view.tools, source)),
  );
}

function limit(view: RequestView, calls: readonly AnswerToolCall[]): AnswerToolCall[] {
  return calls.slice(0, view.parallelToolCalls ? mostCalls : 1);
}

function calledSinceUserSpoke(view: RequestView): Set<string> {
  const spoke = view.turns.findLastIndex((turn) => turn.role === "user" && turn.texts.length > 0);
  return new Set(view.turns.slice(spoke + 1).flatMap((turn) => turn.toolCalls.map((call) => call.name)));
}

function namesTool(text: string, name: string): boolean {
  const at = indexOfName(text, name);
  if (at === -1) return false;
  const before = text.slice(Math.max(0, at - 60), at);
  if (/\b(?:not|never|without|don['’]t)\b[^.!?]*$/iu.test(before)) return false;
  // A plain word such as `search` is only a tool's name when the user says to use it.
  return /[_\-A-Z\d]/u.test(name.slice(1)) || /\b(?:call|use|run|invoke|execute|try)\b[^.!?]*$/iu.test(before);
}

function indexOfName(text: string, name: string): number {
  const escaped = name.replaceAll(/[.*+?^${}()|[\]\\]/gu, String.raw`\$&`).replaceAll(/[_-]/gu, "[ _-]");
  return text.search(new RegExp(`(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`, "iu"));
}

function toCalls(tool: ToolView, all: readonly ToolView[], source: Source): AnswerToolCall[] {
  const said = wordsAbout(tool, all, source.own);
  const given = jsonIn(said);
  const local = { own: said, all: source.all };
  const base = fillSchema(tool.parameters, local);
  const filled = isJsonObject(base) ? base : {};
  if (given !== undefined) return [{ name: tool.name, arguments: { ...filled, ...given } }];
  const main = mainProperty(tool.parameters);
  const values = main === undefined || findValue(main, said) !== undefined ? [] : valuesIn(said);
  if (main === undefined || values.length === 0) return [{ name: tool.name, arguments: filled }];
  return values.map((value) => ({ name: tool.name, arguments: { ...filled, [main]: value } }));
}

/** The part of the user's text that follows the tool's name, up to the next tool's. */
function wordsAbout(tool: ToolView, all: readonly ToolView[], text: string): string {
  const at = indexOfName(text, tool.name);
  if (at === -1) return text;
  const rest = text.slice(at + tool.name.length);
  const ends = all.map((other) => indexOfName(rest, other.name)).filter((index) => index > 0);
  return rest.slice(0, Math.min(rest.length, ...ends));
}

function jsonIn(text: string): JsonObject | undefined {
  const start = text.indexOf("{");
  const end = text.lastIndexOf("}");
  if (start === -1 || end < start) return undefined;
  try {
    const parsed: unknown = JSON.parse(text.slice(start, end + 1));
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** The free-text property a value such as a city belongs to: the first required one, else the first of all. */
function mainProperty(parameters: JsonObject): string | undefined {
  const properties = isJsonObject(parameters["properties"]) ? parameters["properties"] : {};
  const required: readonly JsonValue[] = Array.isArray(parameters["required"]) ? parameters["required"] : [];
  const isFreeText = (name: string): boolean => {
    const property = properties[name];
    return isJsonObject(property) && /^string$/iu.test(asText(property["type"])) && property["enum"] === undefined;
  };
  const names = Object.keys(properties).filter(isFreeText);
  return names.find((name) => required.includes(name)) ?? names[0];
}

function valuesIn(text: string): string[] {
  const quoted = [...text.matchAll(/["“]([^"”\n]{1,200})["”]/gu)].map((match) => match[1] ?? "");
  if (quoted.length > 0) return quoted;
  const listed = /\b(?:for|in|with|of|about|on|to|at|für|para|pour)\s+([^.!?\n]{1,300})/iu.exec(text)?.[1];
  if (listed === undefined) return [];
  return splitValues(listed.replace(/\b(?:please|thanks|now)\b/giu, "").replace(/[,\s]+(?:then|and)\s*$/iu, "")).filter(
    (value) => !/^(?:then|call|use|run)\b/iu.test(value),
  );
}
