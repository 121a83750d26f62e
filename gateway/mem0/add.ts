import { hash } from "node:crypto";
import type { MemoryService } from "../../memory/create-memory.ts";
import { maxItemChars } from "../../memory/edit.ts";
import type { Decision } from "../../memory/learn.ts";
import type { Memory, Turn } from "../../memory/memory.ts";
import { withoutInvisible } from "../../memory/sanitize.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { invalid, optionalBoolean, optionalObject, readArray, readObject, readString } from "../dialects/read.ts";
import { checkMetadata } from "../routes/memory-request.ts";
import { type Mem0Owner, toMem0Id } from "./entities.ts";
import { checkNoEntityKeys, parseExpiration } from "./shapes.ts";

export type Mem0Add = {
  readonly messages: readonly Mem0Message[];
  readonly infer: boolean;
  readonly metadata: JsonObject;
  readonly expiresAt: string | undefined;
};
type Mem0Message = { readonly role: "user" | "assistant" | "system" | "tool"; readonly text: string };

const maxMessages = 200;

export function parseMem0Add(body: JsonObject, { metadata: entities }: Mem0Owner): Mem0Add {
  const metadata = checkMetadata(optionalObject(body["metadata"], "metadata"), "metadata");
  checkNoEntityKeys(metadata);
  const given = typeof body["messages"] === "string" ? [{ role: "user", content: body["messages"] }] : body["messages"];
  const messages = readArray(given, "messages");
  if (messages.length === 0 || messages.length > maxMessages) {
    throw invalid("messages", `must hold 1 to ${maxMessages} messages, not ${messages.length}.`);
  }
  return {
    messages: messages.map((message, index) =>
      parseMessage(readObject(message, `messages[${index}]`), `messages[${index}]`),
    ),
    infer: optionalBoolean(body["infer"], "infer") ?? true,
    metadata: { ...metadata, ...entities },
    expiresAt: parseExpiration(body),
  };
}

/** What mem0 answers: the memories that came of it, each with what was done. */
export async function addMem0(
  memory: MemoryService,
  to: Mem0Owner,
  added: Mem0Add,
  clock: () => Date,
): Promise<readonly JsonObject[]> {
  return added.infer ? await addLearned(memory, to, added, clock) : await addRaw(memory, to, added, clock);
}

/** Every user message with the answer that follows it goes the way of a turn in a chat, but is waited for. */
async function addLearned(
  memory: MemoryService,
  { owner, metadata }: Mem0Owner,
  added: Mem0Add,
  clock: () => Date,
): Promise<readonly JsonObject[]> {
  const session = metadata["run_id"] ?? "mem0";
  const turns = added.messages.map(toTurn);
  const decisions: Decision[] = [];
  for (const turn of turns) {
    if (turn.role !== "user") continue;
    const next = turns[turn.index + 1];
    decisions.push(
      ...(await memory.learn({
        scope: owner,
        session,
        trace: `mem0-${turn.key}`,
        model: "mem0",
        user: turn,
        before: turns.slice(0, turn.index),
        answer: next?.role === "assistant" ? next.text : "",
        at: clock(),
      })),
    );
  }
  const results: JsonObject[] = [];
  for (const decision of decisions) results.push(...(await settle(memory, owner, decision, added)));
  return results;
}

/** What was learned gets what the client wants kept with it. */
async function settle(
  memory: MemoryService,
  owner: Mem0Owner["owner"],
  { operation, memory: id, replaced }: Decision,
  { metadata, expiresAt }: Mem0Add,
): Promise<readonly JsonObject[]> {
  if (operation === "NOOP") return [];
  if (operation === "DELETE")
    return replaced.map((gone) => ({ id: toMem0Id(owner, gone), memory: "", event: "DELETE" }));
  const learned = id === undefined ? undefined : await memory.get(owner, id);
  if (learned === undefined) return [];
  const edit = {
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: { ...learned.metadata, ...metadata } }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  if (Object.keys(edit).length > 0) await memory.edit(owner, learned.id, edit);
  const [old] = replaced;
  const before = old === undefined ? undefined : await memory.get(owner, old);
  return [
    {
      id: toMem0Id(owner, learned.id),
      memory: learned.text,
      event: operation,
      ...(before === undefined ? {} : { previous_memory: before.text }),
    },
  ];
}

/** As given: what a user says is a fact of theirs, what an assistant says is kept as its words. */
async function addRaw(
  memory: MemoryService,
  { owner, metadata: entities }: Mem0Owner,
  { messages, metadata, expiresAt }: Mem0Add,
  clock: () => Date,
): Promise<readonly JsonObject[]> {
  const spoken = messages.filter(({ role }) => role !== "system");
  for (const [index, { text }] of spoken.entries()) {
    if (text.length > maxItemChars)
      throw invalid(`messages[${index}].content`, `has more than ${maxItemChars} characters.`);
    if (withoutInvisible(text).trim() === "") throw invalid(`messages[${index}].content`, "is empty.");
  }
  const from = clock().toISOString();
  const ends = expiresAt === undefined ? {} : { expiresAt };
  const kept: Memory[] = [];
  for (const { role, text } of spoken) {
    const item =
      role === "user"
        ? ({ text, kind: "fact", metadata } as const)
        : ({
            text,
            kind: "episode",
            origin: "assistant",
            speaker: role,
            session: entities["run_id"] ?? "mem0",
            metadata: { ...metadata, role },
          } as const);
    kept.push(...(await memory.add(owner, [{ ...item, ...ends }])));
  }
  return kept.map((one) => ({
    id: toMem0Id(owner, one.id),
    memory: one.text,
    event: one.recordedAt >= from ? "ADD" : "NONE",
  }));
}

function parseMessage(message: JsonObject, path: string): Mem0Message {
  const role = readString(message["role"] ?? "user", `${path}.role`);
  const known = (["user", "assistant", "system", "tool"] as const).find((one) => one === role);
  if (known === undefined) throw invalid(`${path}.role`, "must be user, assistant, system or tool.");
  return { role: known, text: textOf(message["content"], `${path}.content`) };
}

function textOf(content: JsonValue | undefined, path: string): string {
  if (!Array.isArray(content)) return readString(content, path);
  return readArray(content, path)
    .flatMap((part) => (isJsonObject(part) && typeof part["text"] === "string" ? [part["text"]] : []))
    .join("\n");
}

function toTurn({ role, text }: Mem0Message, index: number): Turn {
  return {
    role,
    text,
    carriesToolResults: false,
    index,
    key: hash("sha256", `mem0\n${role}\n${text}`, "base64url").slice(0, 27),
  };
}
