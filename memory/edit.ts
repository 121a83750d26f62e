import { wordsText } from "./attribute-words.ts";
import { changeLatest, embedAll, retirement, toIndexed } from "./learn.ts";
import type { LearnParts } from "./learn.ts";
import { attributeFromText } from "./extract-rules.ts";
import type { Memory, MemoryKind, Scope } from "./memory.ts";
import type { MemoryPatch, MemoryStore } from "./memory-store.ts";
import { isVisible } from "./recall.ts";
import { withoutInvisible } from "./sanitize.ts";
import { redactSecrets } from "./secrets.ts";

export type MemoryEdit = Omit<MemoryPatch, "supersededAt" | "supersededBy" | "confirmedAt" | "confirmations"> & {
  readonly text?: string;
  readonly kind?: MemoryKind;
};

/**
 * A new text or kind makes a successor and keeps the old memory as history; anything else changes in place. The newest
 * version is edited, whichever id of the chain was named. `undefined` when there is no such memory in this scope.
 */
export async function editMemory(
  parts: LearnParts & { readonly newId: () => string },
  scope: Scope,
  id: string,
  edit: MemoryEdit,
  now: Date,
): Promise<Memory | undefined> {
  const [memory] = await parts.store.get(scope, [id]);
  if (memory === undefined || !isVisible(memory, scope)) return undefined;
  const { text, kind, ...patch } = edit;
  if (text === undefined && kind === undefined) {
    return await changeLatest(parts.store, scope, id, () => patch);
  }
  const successor = toSuccessor(memory, parts.newId(), { ...edit, text: text ?? memory.text }, now);
  const [vector] = await embedAll(parts, [successor]);
  await parts.store.add(scope, [toIndexed(successor, vector, wordsText(successor))]);
  await changeLatest(parts.store, scope, id, (current) => retirement(current, successor));
  parts.onDecision({
    scope,
    operation: "UPDATE",
    reason: "edited",
    memory: successor.id,
    replaced: [id],
    by: "api",
    at: now.toISOString(),
  });
  return successor;
}

/** Every version of a memory, oldest first, whichever of them is named. */
export async function historyOf(store: MemoryStore, scope: Scope, id: string): Promise<readonly Memory[]> {
  const [named] = await store.get(scope, [id]);
  if (named === undefined || !isVisible(named, scope)) return [];
  const versions = new Map([[named.id, named]]);
  for (let newest: Memory | undefined = named; newest?.supersededBy !== undefined && versions.size < maxVersions;) {
    const [next]: readonly Memory[] = await store.get(scope, [newest.supersededBy]);
    if (next === undefined || versions.has(next.id)) break;
    versions.set(next.id, next);
    newest = next;
  }
  const superseded = await listSuperseded(store, scope);
  for (let grown = true; grown && versions.size < maxVersions;) {
    grown = false;
    for (const memory of superseded) {
      if ((memory.kind === "episode") !== (named.kind === "episode")) continue; // said, not learned
      if (versions.has(memory.id) || memory.supersededBy === undefined || !versions.has(memory.supersededBy)) continue;
      versions.set(memory.id, memory);
      grown = true;
    }
  }
  return [...versions.values()].toSorted((one, other) => (one.recordedAt < other.recordedAt ? -1 : 1));
}

const maxVersions = 200;
const pageSize = 500;
const maxPages = 10;

function toSuccessor(memory: Memory, id: string, edit: MemoryEdit & { readonly text: string }, now: Date): Memory {
  const { text, ...changes } = edit;
  const clean = redactSecrets(withoutInvisible(text)).text;
  const attribute = attributeFromText(clean) ?? memory.attribute;
  const { supersededAt: _at, supersededBy: _by, validTo: _validTo, attribute: _attribute, ...kept } = memory;
  return {
    ...kept,
    ...changes,
    id,
    text: clean,
    status: changes.status ?? "active",
    provenance: { ...memory.provenance, quote: clean, extractedBy: "api" },
    recordedAt: now.toISOString(),
    version: 1,
    ...(attribute === undefined ? {} : { attribute }),
  };
}

async function listSuperseded(store: MemoryStore, scope: Scope): Promise<readonly Memory[]> {
  const found: Memory[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const { memories, next } = await store.list(
      scope,
      { statuses: ["superseded"] },
      { limit: pageSize, ...(cursor === undefined ? {} : { cursor }) },
    );
    found.push(...memories.filter((memory) => isVisible(memory, scope)));
    cursor = next;
    if (cursor === undefined) break;
  }
  return found;
}
