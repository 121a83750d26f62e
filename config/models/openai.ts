import type { Effort } from "../../router/chat.ts";
import type { Capabilities, Model, PriceRow } from "../../router/model.ts";
import type { ListPrice } from "./rows.ts";
import { quality, usd, withLongContext, withTiers } from "./rows.ts";

// List prices as read on 2026-10-25 to 2026-11-20; speeds are guesses until measured.

const noneToMax: readonly Effort[] = ["none", "low", "medium", "high", "xhigh", "max"];
const lowToMax: readonly Effort[] = ["low", "medium", "high", "xhigh", "max"];
const noneToXhigh: readonly Effort[] = ["none", "low", "medium", "high", "xhigh"];

/** GPT reasoning models: sampling only while not thinking, no stop sequences, no prefill. */
const reasoning: Capabilities = {
  input: ["text", "image", "pdf"],
  tools: true,
  forcedToolChoice: true,
  parallelTools: true,
  jsonSchema: true,
  sampling: "when-not-thinking",
  stop: false,
  efforts: noneToMax,
  defaultEffort: "medium",
  prefill: false,
  toolsWithEffortNeedResponses: false,
  midSystem: true,
  promptCache: "automatic",
};
/** Thinking cannot be switched off. */
const alwaysThinking: Capabilities = { ...reasoning, efforts: lowToMax, sampling: "default-only" };
/** Chat Completions refuses tools together with an effort. */
const gpt56: Capabilities = { ...reasoning, toolsWithEffortNeedResponses: true };
const gpt54: Capabilities = { ...reasoning, efforts: noneToXhigh, defaultEffort: "none" };
const gpt55: Capabilities = { ...reasoning, efforts: noneToXhigh };
const pro: Capabilities = { ...alwaysThinking, efforts: ["medium", "high", "xhigh"] };

/** Over 272K input tokens the whole request is 2x input and cache, 1.5x output; flex is half, fast and priority double. */
function prices(...rows: readonly ListPrice[]): readonly PriceRow[] {
  const list = withLongContext(rows.map(usd), 272_000, { input: 2, output: 1.5 });
  return withTiers(list, { flex: 0.5, fast: 2, priority: 2 });
}

type Row = {
  readonly id: string;
  readonly can: Capabilities;
  readonly prices: readonly PriceRow[];
  readonly quality: Record<string, number>;
  /** Time to first token in ms, then tokens per second. */
  readonly speed: readonly [number, number];
  readonly released?: string;
};

const rows: readonly Row[] = [
  {
    id: "gpt-6-astra",
    released: "2026-09-03",
    can: alwaysThinking,
    quality: quality(0.95, { math: 0.02, reasoning: 0.02 }),
    speed: [4000, 60],
    prices: prices({ in: 10, cached: 1, write: 12.5, out: 50 }),
  },
  {
    id: "gpt-6.1-sol",
    released: "2026-09-29",
    can: alwaysThinking,
    quality: quality(0.915, { math: 0.02 }),
    speed: [2000, 90],
    prices: prices({ in: 2, cached: 0.1, write: 2.5, out: 10 }),
  },
  {
    id: "gpt-6-sol",
    released: "2026-09-22",
    can: reasoning,
    quality: quality(0.905, { math: 0.02 }),
    speed: [1800, 90],
    prices: prices({ in: 2, cached: 0.2, write: 2.5, out: 10 }),
  },
  {
    id: "gpt-6-luna",
    released: "2026-09-22",
    can: reasoning,
    quality: quality(0.79),
    speed: [700, 180],
    prices: prices({ in: 0.1, cached: 0.01, write: 0.125, out: 0.5 }),
  },
  {
    id: "gpt-5.6-sol",
    can: gpt56,
    quality: quality(0.89),
    speed: [2000, 80],
    // The promotion was announced "at least through 2026-11-21"; no price for cache writes was.
    prices: prices(
      { to: "2026-11-22", in: 4, cached: 0.4, out: 20 },
      { from: "2026-11-22", in: 5, cached: 0.5, write: 6.25, out: 30 },
    ),
  },
  {
    id: "gpt-5.6-terra",
    can: gpt56,
    quality: quality(0.84),
    speed: [1300, 110],
    prices: prices({ from: "2026-07-30", in: 2, cached: 0.2, write: 2.5, out: 12 }),
  },
  {
    id: "gpt-5.6-luna",
    can: gpt56,
    quality: quality(0.76),
    speed: [800, 160],
    prices: prices({ from: "2026-07-30", in: 0.2, cached: 0.02, write: 0.25, out: 1.2 }),
  },
  {
    id: "gpt-5.5",
    can: gpt55,
    quality: quality(0.88),
    speed: [2200, 75],
    prices: prices({ in: 5, cached: 0.5, out: 30 }),
  },
  {
    id: "gpt-5.5-pro",
    can: pro,
    quality: quality(0.91, { math: 0.03, reasoning: 0.02 }),
    speed: [15_000, 40],
    prices: prices({ in: 30, out: 180 }),
  },
  {
    id: "gpt-5.4",
    can: gpt54,
    quality: quality(0.84),
    speed: [1500, 80],
    prices: prices({ in: 2.5, cached: 0.25, out: 15 }),
  },
  {
    id: "gpt-5.4-mini",
    can: gpt54,
    quality: quality(0.76),
    speed: [800, 140],
    prices: prices({ in: 0.75, cached: 0.075, out: 4.5 }),
  },
  {
    id: "gpt-5.4-nano",
    can: gpt54,
    quality: quality(0.66),
    speed: [500, 190],
    prices: prices({ in: 0.2, cached: 0.02, out: 1.25 }),
  },
];

export const openaiModels: readonly Model[] = rows.map(toModel);

function toModel({ can, speed, ...row }: Row): Model {
  return {
    ...row,
    provider: "openai",
    protocols: ["openai-chat", "openai-responses"],
    contextTokens: 1_050_000,
    maxInputTokens: 922_000,
    maxOutputTokens: 128_000,
    capabilities: can,
    typicalTtftMs: speed[0],
    typicalTokensPerSecond: speed[1],
  };
}
