import type { RecordedRequest } from "../../gateway/sandbox/vendor-server.ts";

/** Whether memory asked this for itself: only its schema has such a field. */
export function isMemoryPrompt(request: RecordedRequest): boolean {
  return JSON.stringify(request.body).includes('"same_as"');
}

/** Everything a vendor was told, in one string, to search for what must or must not have reached it. */
export function promptOf(request: RecordedRequest | undefined): string {
  if (request === undefined) throw new Error("No vendor was asked.");
  return textsIn(request.body).join("\n");
}

/** The user turns as the vendor got them, in order, each with the memory block that stands ahead of it. */
export function userTexts(request: RecordedRequest | undefined): readonly string[] {
  if (request === undefined) throw new Error("No vendor was asked.");
  const { messages, contents, input } = request.body;
  const turns: unknown[] = [messages, contents, input].find(Array.isArray) ?? [];
  return turns
    .filter(
      (turn): turn is object => typeof turn === "object" && turn !== null && "role" in turn && turn.role === "user",
    )
    .map((turn) => textsIn("content" in turn ? turn.content : "parts" in turn ? turn.parts : "").join(""));
}

/** Text as it stands in any vendor's wire: under `text`, or as the content itself. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap((item) => textsIn(item));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => (namesText.has(name) ? textsIn(item) : []));
}

const namesText = new Set([
  "text",
  "content",
  "parts",
  "messages",
  "contents",
  "input",
  "system",
  "systemInstruction",
  "instructions",
]);
