import { hash } from "node:crypto";
import type { Recalled } from "../../memory/fuse.ts";
import type { Memory } from "../../memory/memory.ts";
import type { JsonObject } from "../../router/json.ts";
import { invalid, optionalString } from "../dialects/read.ts";
import { toJson } from "../routes/memory-body.ts";
import { toMem0Id } from "./entities.ts";
import type { Filterable } from "./filters.ts";

/** Kept with a memory under mem0's own names, and shown beside its metadata rather than in it. */
const entityKeys = ["agent_id", "run_id", "role"] as const;

/** A memory as mem0's server shows it. */
export function toMem0Body(memory: Memory): JsonObject {
  const { agent_id: agentId, run_id: runId, role, ...metadata } = toJson(memory.metadata);
  return {
    id: toMem0Id(memory.scope, memory.id),
    memory: memory.text,
    hash: hash("md5", memory.text, "hex"),
    metadata: Object.keys(metadata).length === 0 ? null : metadata,
    created_at: memory.recordedAt,
    updated_at: memory.confirmedAt ?? null,
    user_id: memory.scope.user,
    ...(agentId === undefined ? {} : { agent_id: agentId }),
    ...(runId === undefined ? {} : { run_id: runId }),
    ...(role === undefined ? {} : { role }),
    ...(memory.expiresAt === undefined ? {} : { expiration_date: memory.expiresAt.slice(0, 10) }),
  };
}

export function toMem0Hit(hit: Recalled, explain: boolean): JsonObject {
  const { arms, boost } = hit;
  const details = {
    semantic_score: arms.dense ?? null,
    semantic_rank: arms.denseRank ?? null,
    bm25_score: arms.sparse ?? null,
    bm25_rank: arms.sparseRank ?? null,
    boost: boost ?? null,
  };
  return {
    ...toMem0Body(hit.memory),
    score: Math.min(1, hit.score),
    ...(explain ? { score_details: details } : {}),
  };
}

/** One entry for every version: the first was added, each later one is an update of the one before. */
export function toMem0History(memoryId: string, versions: readonly Memory[]): readonly JsonObject[] {
  return versions.map((memory, index) => ({
    id: memory.id,
    memory_id: memoryId,
    old_memory: versions[index - 1]?.text ?? null,
    new_memory: memory.text,
    event: index === 0 ? "ADD" : "UPDATE",
    created_at: versions[0]?.recordedAt ?? memory.recordedAt,
    updated_at: memory.recordedAt,
    is_deleted: false,
    actor_id: null,
    role: null,
  }));
}

export function toFilterable(memory: Memory): Filterable {
  return {
    ...memory.metadata,
    user_id: memory.scope.user,
    created_at: memory.recordedAt,
    updated_at: memory.confirmedAt ?? memory.recordedAt,
  };
}

/** Turns of a conversation are kept beside what is learned from them; mem0 lists only what was learned or asked to be kept. */
export function isListed(memory: Memory): boolean {
  return memory.kind !== "episode" || memory.metadata?.["role"] !== undefined;
}

export function checkNoEntityKeys(metadata: JsonObject | undefined): void {
  for (const key of entityKeys) {
    if (metadata?.[key] !== undefined) throw invalid(`metadata.${key}`, "has a place of its own beside 'metadata'.");
  }
}

/** A date is meant to its end, in UTC. */
export function parseExpiration(fields: JsonObject): string | undefined {
  const text = optionalString(fields["expiration_date"], "expiration_date");
  if (text === undefined) return undefined;
  const at = new Date(/^\d{4}-\d{2}-\d{2}$/u.test(text) ? `${text}T23:59:59.999Z` : text);
  if (Number.isNaN(at.getTime())) throw invalid("expiration_date", "must be a date such as 2027-01-31.");
  return at.toISOString();
}
