import type { NewMemory } from "../../memory/add-items.ts";
import type { Recalled } from "../../memory/fuse.ts";
import { type Memory, memoryKinds } from "../../memory/memory.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import {
  invalid,
  optionalBoolean,
  optionalChoice,
  optionalNumber,
  optionalObject,
  optionalString,
  readString,
} from "../dialects/read.ts";

/** One entry of `POST /v1/memories`; `prefix` is its path in the body (`memories[2].`). */
export function parseItem(item: JsonObject, prefix: string): NewMemory {
  const text = readString(item["text"], `${prefix}text`);
  if (text.trim() === "") throw invalid(`${prefix}text`, "is empty.");
  const kind = optionalChoice(item["kind"], `${prefix}kind`, memoryKinds);
  const metadata = optionalObject(item["metadata"], `${prefix}metadata`);
  const expiresAt = optionalTime(item["expires_at"], `${prefix}expires_at`);
  const core = optionalBoolean(item["core"], `${prefix}core`);
  const confidence = optionalNumber(item["confidence"], `${prefix}confidence`, 0, 1);
  return {
    text,
    ...(kind === undefined ? {} : { kind }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(core === undefined ? {} : { core }),
    ...(confidence === undefined ? {} : { confidence }),
  };
}

/** A memory as the API shows it: OpenAI's casing, absent as null. */
export function toMemoryBody(memory: Memory): JsonObject {
  const { scope, provenance } = memory;
  return {
    id: memory.id,
    object: "memory",
    user: scope.user,
    kind: memory.kind,
    text: memory.text,
    status: memory.status,
    confidence: memory.confidence,
    core: memory.core ?? false,
    valid_from: memory.validFrom ?? null,
    valid_to: memory.validTo ?? null,
    recorded_at: memory.recordedAt,
    superseded_at: memory.supersededAt ?? null,
    superseded_by: memory.supersededBy ?? null,
    confirmed_at: memory.confirmedAt ?? null,
    confirmations: memory.confirmations,
    expires_at: memory.expiresAt ?? null,
    sensitivity: memory.sensitivity ?? null,
    speaker: memory.speaker ?? null,
    session: scope.session ?? provenance.session ?? null,
    provenance: {
      origin: provenance.origin,
      quote: provenance.quote ?? null,
      trace: provenance.trace ?? null,
      extracted_by: provenance.extractedBy ?? null,
      source: provenance.source ?? null,
    },
    metadata: toJson(memory.metadata),
    version: memory.version,
  };
}

export function toHitBody({ memory, score, via, arms }: Recalled, explain: boolean): JsonObject {
  const explained = explain ? { explanation: { via, dense: arms.dense ?? null, sparse: arms.sparse ?? null } } : {};
  return { ...toMemoryBody(memory), score, ...explained };
}

function toJson(metadata: Memory["metadata"]): JsonObject {
  const value: unknown = metadata === undefined ? {} : JSON.parse(JSON.stringify(metadata));
  return isJsonObject(value) ? value : {};
}

/** An ISO 8601 time in UTC. */
export function optionalTime(value: JsonValue | undefined, path: string): string | undefined {
  const text = optionalString(value, path);
  if (text === undefined) return undefined;
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw invalid(path, "must be an ISO 8601 time, such as 2026-11-21T09:00:00Z.");
  return at.toISOString();
}
