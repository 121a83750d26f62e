import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { isFirstPersonStatement, readBlocks, splitSentences, type Block } from "./sentences.ts";
import type { RequestView, Turn } from "./view.ts";
import { contentWords } from "./words.ts";

/** The part of a memory-extraction schema that the sandbox knows how to fill. */
export type MemorySchema = { readonly listName: string; readonly item: JsonObject };

const mostMemories = 20;

/**
 * Recognises a schema that asks for what the user said about themselves: an object with a list of objects that have a
 * `text` (or `fact`, `memory`, `content`) and a verbatim `quote` or a `kind`.
 */
export function toMemorySchema(schema: JsonObject): MemorySchema | undefined {
  const properties = schema["properties"];
  if (!isJsonObject(properties)) return undefined;
  for (const [listName, list] of Object.entries(properties)) {
    if (!isJsonObject(list) || !isJsonObject(list["items"])) continue;
    const item = resolve(list["items"], schema);
    const fields = item["properties"];
    if (!isJsonObject(fields)) continue;
    if (nameOfText(fields) !== undefined && ("quote" in fields || "kind" in fields || "evidence" in fields)) {
      return { listName, item };
    }
  }
  return undefined;
}

export function isMemoryRequest(view: RequestView): boolean {
  return view.format.type === "schema" && toMemorySchema(view.format.schema) !== undefined;
}

export type FoundMemory = {
  readonly quote: string;
  readonly kind: string;
  /** Number, from 1, of the known memory that says the same, or that this makes untrue. */
  readonly sameAs?: number;
  readonly replaces?: number;
};

/** What the user said about themselves, the quote byte for byte as it stands in the request. Empty when nothing. */
export function findMemories(turns: readonly Turn[]): FoundMemory[] {
  const texts = turns.filter((turn) => turn.role === "user").flatMap((turn) => turn.texts);
  const prompt = texts.at(-1) ?? "";
  const words = latestWords(prompt);
  const known = knownMemories(prompt);
  const found = words
    .flatMap(splitSentences)
    .flatMap(splitClauses)
    .filter((sentence) => isFirstPersonStatement(sentence) || isStandingInstruction(sentence));
  return [...new Set(found)].slice(0, mostMemories).map((quote) => {
    return Object.assign({ quote, kind: kindOf(quote) }, compare(quote, known));
  });
}

/** "I work as a nurse and I like tea" says two things. */
function splitClauses(sentence: string): string[] {
  return sentence.split(/(?:,\s*|\s+)(?:and|but)\s+(?=(?:I|I['’]m|my)\b)/u);
}

/** Fills one item of the list: the fields we can tell, and a valid value for every other required one. */
export function toMemoryItem(
  memory: FoundMemory,
  schema: MemorySchema,
  fill: (schema: JsonValue) => JsonValue,
): JsonObject {
  const fields = schema.item["properties"];
  if (!isJsonObject(fields)) return {};
  const textName = nameOfText(fields);
  const required = schema.item["required"];
  const entries: [string, JsonValue][] = [];
  for (const [name, field] of Object.entries(fields)) {
    if (name === textName) entries.push([name, memory.quote]);
    else if (name === "quote" || name === "evidence") entries.push([name, memory.quote]);
    else if (name === "kind" || name === "type") entries.push([name, nearestKind(memory.kind, field, fill)]);
    else if (name === "same_as" || name === "replaces") {
      entries.push([name, (name === "same_as" ? memory.sameAs : memory.replaces) ?? null]);
    } else if (name === "confidence" && isNumeric(field)) entries.push([name, 0.9]);
    else if (Array.isArray(required) && required.includes(name)) entries.push([name, unknownValue(field, fill)]);
  }
  return Object.fromEntries(entries);
}

/** What the sandbox does not know is null where null may stand: made-up text there would be taken for a finding. */
function unknownValue(field: JsonValue | undefined, fill: (schema: JsonValue) => JsonValue): JsonValue {
  const types = isJsonObject(field) ? field["type"] : undefined;
  return Array.isArray(types) && types.includes("null") ? null : fill(field ?? true);
}

function nameOfText(fields: JsonObject): string | undefined {
  return ["text", "fact", "memory", "content", "statement"].find((name) => name in fields);
}

function resolve(item: JsonObject, root: JsonObject): JsonObject {
  const pointer = item["$ref"];
  if (typeof pointer !== "string" || !pointer.startsWith("#/")) return item;
  let found: JsonValue | undefined = root;
  for (const step of pointer.slice(2).split("/")) found = isJsonObject(found) ? found[step] : undefined;
  return isJsonObject(found) ? found : item;
}

function isNumeric(field: JsonValue | undefined): boolean {
  return isJsonObject(field) && (field["type"] === "number" || field["type"] === undefined);
}

/**
 * The user's latest words inside an extraction prompt. Prompts fence them in many ways: tags named for the user or the
 * turn, lines that begin with `user:`, a JSON list of messages. The last such piece is the latest; without any, all is.
 */
function latestWords(prompt: string): string[] {
  const spoken = taggedWords(prompt) ?? prompt;
  return quotedMessages(spoken) ?? labelledLines(spoken) ?? [spoken];
}

const deepestTag = 8;

function taggedWords(prompt: string, depth = 0): string | undefined {
  const blocks = readBlocks(prompt)
    .filter((block) => speakingTag.test(block.name))
    .filter((block) => !/\b(?:assistant|model|system|tool)\b/iu.test(block.attributes));
  const best = blocks.findLast(isLatest) ?? blocks.at(-1);
  if (best === undefined || depth >= deepestTag) return best?.text;
  return taggedWords(best.text, depth + 1) ?? best.text;
}

function isLatest(block: Block): boolean {
  return /user|latest|last|current|new|said|words/iu.test(`${block.name}${block.attributes}`);
}

const speakingTag = /^(?:latest|last|current|new|user|turn|message|conversation|transcript|exchange|said|words)/iu;

/** The numbered lines of a `<known>` block: what the memory holds already. */
function knownMemories(prompt: string): ReadonlyMap<number, string> {
  const block = readBlocks(prompt).find(({ name }) => /^known/iu.test(name));
  const lines = (block?.text ?? "").matchAll(/^\s*(\d{1,3})[.)]\s+(.+)$/gmu);
  return new Map(Array.from(lines, (match) => [Number(match[1]), match[2] ?? ""]));
}

/** The same words say the same; the same words about another name or number make the older statement untrue. */
function compare(
  quote: string,
  known: ReadonlyMap<number, string>,
): { readonly sameAs?: number; readonly replaces?: number } {
  const { names, others } = wordsOf(quote);
  if (others === "") return {};
  for (const [number, text] of known) {
    const old = wordsOf(text);
    if (old.others === others) return old.names === names ? { sameAs: number } : { replaces: number };
  }
  return {};
}

function wordsOf(text: string): { readonly names: string; readonly others: string } {
  const words = contentWords(text);
  const join = (list: typeof words): string =>
    list
      .map((word) => word.stem)
      .toSorted()
      .join(" ");
  return { names: join(words.filter((word) => word.isName)), others: join(words.filter((word) => !word.isName)) };
}

/** A JSON list of `{role, content}` or a JSON object that holds one: the last user entries. */
function quotedMessages(text: string): string[] | undefined {
  const start = text.search(/[[{]/u);
  const end = Math.max(text.lastIndexOf("]"), text.lastIndexOf("}"));
  if (start === -1 || end < start) return undefined;
  const parsed = parseOrUndefined(text.slice(start, end + 1));
  const lists = Array.isArray(parsed)
    ? [parsed]
    : isJsonObject(parsed)
      ? Object.values(parsed).filter(Array.isArray)
      : [];
  for (const list of lists) {
    const said = list.filter(isJsonObject).filter((entry) => entry["role"] === "user" || entry["speaker"] === "user");
    const words = said.map((entry) => entry["content"] ?? entry["text"]).filter((value) => typeof value === "string");
    if (words.length > 0) return words;
  }
  return undefined;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function labelledLines(text: string): string[] | undefined {
  const label =
    /^\s*(?:[-*•]\s*)?(?:\[[^\]\n]*\]\s*)?["“]?(user|human|assistant|system|ai|tool)\b["”]?[^:\n]{0,40}:\s?/iu;
  const turns: { isUser: boolean; lines: string[] }[] = [];
  for (const line of text.split("\n")) {
    const match = label.exec(line);
    if (match !== null) {
      turns.push({ isUser: /user|human/iu.test(match[1] ?? ""), lines: [line.slice(match[0].length)] });
    } else turns.at(-1)?.lines.push(line);
  }
  const said = turns.filter((turn) => turn.isUser).map((turn) => turn.lines.join("\n"));
  return said.length === 0 ? undefined : said;
}

function nearestKind(kind: string, field: JsonValue | undefined, fill: (schema: JsonValue) => JsonValue): JsonValue {
  const allowed = isJsonObject(field) ? field["enum"] : undefined;
  if (!Array.isArray(allowed)) return kind;
  const near = allowed.find((value) => value === kind) ?? allowed.find((value) => value === "fact");
  return near ?? fill(field ?? true);
}

/** "Please always answer in metric units": how the user wants every answer, not what they want now. */
function isStandingInstruction(sentence: string): boolean {
  return /\b(?:always|never|whenever|every time|from now on)\b.*\b(?:answer|reply|use|write|call|format|respond)\b/iu.test(
    sentence,
  );
}

function kindOf(quote: string): string {
  if (isStandingInstruction(quote)) return "procedure";
  return /\b(?:prefer|like|love|hate|dislike|favou?rite|enjoy|can['’]t stand)\w*\b/iu.test(quote)
    ? "preference"
    : "fact";
}
