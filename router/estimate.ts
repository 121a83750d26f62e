import type { ChatRequest, Effort, MediaSource } from "./chat.ts";
import type { Model } from "./model.ts";
import type { CostEstimate, TaskClass } from "./router.ts";
import { priceOf, toNanoUsd } from "./price.ts";

/**
 * Tokens of a text, without a tokenizer: four ASCII characters a token, scripts of two and three bytes a character
 * denser. Within about 15 % for prose and code; the byte count is native, so a long prompt costs microseconds.
 */
export function textTokens(text: string): number {
  const extraBytes = Buffer.byteLength(text) - text.length;
  return text.length / 4 + extraBytes * 0.3;
}

/** Tokens of a tool or a schema, by the text its JSON would have. Walks at most {@link maxNodes} values. */
export function toolTokens(value: unknown): number {
  const walk = { characters: 0, nodes: 0 };
  countCharacters(value, walk);
  return walk.characters / 3.5;
}

/** A deeper or larger tool is priced by its first part only. */
const maxNodes = 5_000;

/** Tokens of an image, document or recording; vendors differ, so these are middle values. */
export function mediaTokens(kind: "image" | "pdf" | "audio", source: MediaSource): number {
  const bytes = source.kind === "base64" ? source.data.length * 0.75 : undefined;
  switch (kind) {
    case "image":
      return 1_200;
    case "pdf":
      // About 40 KB a page, as text and as a picture.
      return bytes === undefined ? 8_000 : 2_000 * Math.max(1, Math.ceil(bytes / 40_000));
    case "audio":
      // 32 tokens a second at 16 KB a second.
      return bytes === undefined ? 2_000 : Math.max(32, bytes / 500);
  }
}

/** What answers of a class have been long, in tokens without thinking. Estimates; the client's own limit caps them. */
const answerTokens: Readonly<Record<TaskClass, number>> = {
  chat: 350,
  coding: 900,
  reasoning: 700,
  math: 600,
  extraction: 250,
  summarization: 400,
  translation: 400,
  creative: 900,
  classification: 20,
  vision: 350,
  agentic: 500,
  long_context: 600,
};

/** Thinking per token of an answer that needs thought; other classes think about a quarter as much. */
const thinkingFactor: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 0.2,
  low: 0.5,
  medium: 1.5,
  high: 3,
  xhigh: 5,
  max: 8,
};
const thoughtfulClasses: ReadonlySet<TaskClass> = new Set(["coding", "reasoning", "math", "agentic"]);

/** The effort this model will use: the asked one moved to the nearest it has, else its default. */
export function effortOn(model: Model, asked: Effort | undefined, ladder: readonly Effort[]): Effort | undefined {
  const { efforts, defaultEffort } = model.capabilities;
  if (efforts.length === 0) return undefined;
  if (asked === undefined) return defaultEffort ?? efforts[0];
  if (efforts.includes(asked)) return asked;
  const place = ladder.indexOf(asked);
  let best = efforts[0];
  for (const effort of efforts) {
    if (best === undefined) return effort;
    if (Math.abs(ladder.indexOf(effort) - place) < Math.abs(ladder.indexOf(best) - place)) best = effort;
  }
  return best;
}

/** Output to expect, thinking included. */
export function expectedOutputTokens(
  model: Model,
  request: Pick<ChatRequest, "maxOutputTokens" | "sampling">,
  taskClass: TaskClass,
  effort: Effort | undefined,
): number {
  const answer = answerTokens[taskClass];
  const weight = thoughtfulClasses.has(taskClass) ? 1 : 0.25;
  const thinking = effort === undefined ? 0 : answer * thinkingFactor[effort] * weight;
  const cap = Math.min(request.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens);
  const choices = Math.max(1, request.sampling.choices ?? 1);
  return Math.ceil(Math.min(answer + thinking, cap) * choices);
}

export type CostQuestion = {
  /** Everything that goes in, memory included. */
  readonly inputTokens: number;
  /** The part a warm cache of this model is expected to serve. */
  readonly cacheReadTokens: number;
  readonly outputTokens: number;
  readonly at: string;
  readonly tier: string | undefined;
};

/** What a request would cost on a model; `null` when its price is not known. */
export function estimateCost(model: Model, question: CostQuestion): CostEstimate {
  const { inputTokens, outputTokens, at, tier } = question;
  const row = priceOf(model, at, inputTokens, tier);
  // A model that sells no cache reads serves none.
  const cacheReadTokens = row?.cacheRead === undefined ? 0 : Math.min(question.cacheReadTokens, inputTokens);
  if (row === undefined) return { inputTokens, cacheReadTokens, outputTokens, costNanoUsd: null };
  const cached = cacheReadTokens * (row.cacheRead ?? 0);
  const cost = (inputTokens - cacheReadTokens) * row.input + cached + outputTokens * row.output;
  return { inputTokens, cacheReadTokens, outputTokens, costNanoUsd: toNanoUsd(cost) };
}

function countCharacters(value: unknown, walk: { characters: number; nodes: number }): void {
  walk.nodes += 1;
  if (walk.nodes > maxNodes) return;
  if (typeof value === "string") {
    walk.characters += value.length + 2;
  } else if (Array.isArray(value)) {
    for (const item of value) countCharacters(item, walk);
  } else if (isRecord(value)) {
    for (const key of Object.keys(value)) {
      walk.characters += key.length + 4;
      countCharacters(value[key], walk);
    }
  } else {
    walk.characters += 5;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
