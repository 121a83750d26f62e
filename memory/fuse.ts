import { searchableText } from "./attribute-words.ts";
import type { Memory, MemoryKind } from "./memory.ts";
import type { SearchArms } from "./memory-store.ts";
import { canonicalForm, contentWords, countShared } from "./words.ts";

/** A memory that recall found, why, and how good it is: 1 is the best a search can give. */
export type Recalled = {
  readonly memory: Memory;
  readonly score: number;
  readonly via: "search" | "core" | "neighbour" | "profile" | "successor";
  /** What each arm said: cosine similarity and BM25. Absent: that arm did not find it. */
  readonly arms: { readonly dense?: number; readonly sparse?: number };
};

export type FuseQuery = {
  /** From `contentWords`. */
  readonly words: readonly string[];
  readonly now: Date;
  /** The question is about the past: what no longer holds is not held against a memory. */
  readonly past: boolean;
};

/**
 * Reciprocal rank fusion of both arms, times small boosts, best first. Ranks are fused because the arms' scores share
 * no scale; boosts multiply and stay within ten per cent because fused scores lie close together, and a sum would let
 * freshness beat relevance.
 */
export function fuse(arms: SearchArms, query: FuseQuery): readonly Recalled[] {
  const found = new Map<string, { memory: Memory; ranks: number; dense?: number; sparse?: number }>();
  for (const [arm, hits] of [
    ["dense", arms.dense],
    ["sparse", arms.sparse],
  ] as const) {
    for (const [rank, hit] of hits.entries()) {
      const entry = found.get(hit.memory.id) ?? { memory: hit.memory, ranks: 0 };
      entry.ranks += armWeights[arm] / (rrfK + rank + 1);
      entry[arm] = hit.score;
      found.set(hit.memory.id, entry);
    }
  }
  const best = (armWeights.dense + armWeights.sparse) / (rrfK + 1);
  return [...found.values()]
    .map(({ memory, ranks, dense, sparse }): Recalled => ({
      memory,
      score: (ranks / best) * boost(memory, query),
      via: "search",
      arms: { ...(dense === undefined ? {} : { dense }), ...(sparse === undefined ? {} : { sparse }) },
    }))
    .toSorted((one, other) => other.score - one.score || (one.memory.id < other.memory.id ? -1 : 1));
}

export type GateFloors = {
  /** Cosine similarity that convinces alone. */
  readonly strongDense: number;
  /** Cosine similarity that convinces together with a shared content word. */
  readonly weakDense: number;
};

/**
 * Leaves out what only happens to be nearest. Something must convince: meaning alone, or meaning with a shared content
 * word, or words that make up a good part of the question or of the memory. Once something does, what shares any of
 * these is let in behind it. An empty answer means that memory has nothing to say, and nothing is injected.
 */
export function gate(
  candidates: readonly Recalled[],
  words: readonly string[],
  floors: GateFloors,
): readonly Recalled[] {
  const rated = candidates.map((candidate) => ({ candidate, level: rate(candidate, words, floors) }));
  if (!rated.some(({ level }) => level === "convincing")) return [];
  return rated.filter(({ level }) => level !== "unrelated").map(({ candidate }) => candidate);
}

/**
 * Of memories that say the same, one: the fact rather than the words it was learned from, else the better. An episode
 * goes when a fact holds most of what it says.
 */
export function withoutRepeats(candidates: readonly Recalled[]): readonly Recalled[] {
  const forms = new Map<string, Recalled>();
  for (const candidate of candidates) {
    const form = canonicalForm(candidate.memory.text);
    const kept = forms.get(form);
    if (kept === undefined || (kept.memory.kind === "episode" && candidate.memory.kind !== "episode")) {
      forms.set(form, candidate);
    }
  }
  const kept = new Set(forms.values());
  const facts = [...kept].filter(({ memory }) => memory.kind !== "episode");
  return candidates.filter(
    (candidate) =>
      kept.has(candidate) &&
      (candidate.memory.kind !== "episode" || !facts.some((fact) => holdsMostOf(fact.memory, candidate.memory))),
  );
}

const rrfK = 60;
const armWeights = { dense: 1, sparse: 1 } as const;

/** How fast trust fades when nothing confirms it, in days. */
const halfLifeDays: Readonly<Record<MemoryKind, number>> = {
  fact: 365,
  preference: 365,
  procedure: 730,
  episode: 90,
  summary: 365,
  document: 730,
};
const dayMs = 24 * 60 * 60 * 1000;

/** 0.9 to 1.1: freshness and confidence weigh 5 % each way; what has stopped being true loses up to 5 % more. */
function boost(memory: Memory, query: FuseQuery): number {
  const seen = Date.parse(memory.confirmedAt ?? memory.recordedAt);
  const ageDays = Math.max(0, (query.now.getTime() - seen) / dayMs);
  const fresh = 0.5 ** (ageDays / halfLifeDays[memory.kind]);
  const trusted = memory.kind === "episode" ? 0.5 : memory.confidence * (0.5 + fresh / 2);
  const over = memory.validTo !== undefined && Date.parse(memory.validTo) < query.now.getTime();
  const valid = query.past || !(over || memory.status === "superseded") ? 1 : 0.95;
  return Math.min(1.1, Math.max(0.9, (0.95 + 0.1 * (query.past ? 0.5 : fresh)) * (0.95 + 0.1 * trusted) * valid));
}

function rate(
  { memory, arms }: Recalled,
  words: readonly string[],
  floors: GateFloors,
): "convincing" | "related" | "unrelated" {
  const dense = arms.dense ?? 0;
  if (dense >= floors.strongDense) return "convincing";
  const shared = countShared(words, searchableText(memory).toLowerCase());
  if (shared > 0) {
    const ofQuestion = shared / words.length;
    const ofMemory = (shared * charsPerContentWord) / Math.max(memory.text.length, 2 * charsPerContentWord);
    if (dense >= floors.weakDense || ofQuestion >= 0.34 || ofMemory >= 0.3 || shared >= 3) return "convincing";
    return "related";
  }
  return dense >= floors.weakDense ? "related" : "unrelated";
}

/** A content word and the function words around it, in European prose. */
const charsPerContentWord = 9;

function holdsMostOf(fact: Memory, episode: Memory): boolean {
  if (fact.provenance.session === undefined || fact.provenance.session !== episode.provenance.session) return false;
  if (fact.provenance.turn === undefined || fact.provenance.turn !== episode.position) return false;
  return (fact.provenance.quote ?? fact.text).length >= 0.6 * episode.text.length;
}

/** The words of a question, once, for {@link fuse} and {@link gate}. */
export function questionWords(text: string): readonly string[] {
  return contentWords(text, maxQuestionWords);
}

const maxQuestionWords = 24;
