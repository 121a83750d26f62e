import type { Effort } from "../../router/chat.ts";
import type { Capabilities, Model, PriceRow } from "../../router/model.ts";
import { quality, usd } from "./rows.ts";

// List prices as read on 2026-10-25 to 2026-11-20; speeds are guesses until measured.

const lowToMax: readonly Effort[] = ["low", "medium", "high", "xhigh", "max"];
const noneToMax: readonly Effort[] = ["none", "low", "medium", "high", "xhigh", "max"];
const noneToHigh: readonly Effort[] = ["none", "low", "medium", "high"];

/** Claude 4.7 up to 5: thinks when asked to, no sampling parameters, no prefill. */
const claude: Capabilities = {
  input: ["text", "image", "pdf"],
  tools: true,
  forcedToolChoice: true,
  parallelTools: true,
  jsonSchema: true,
  sampling: "default-only",
  stop: true,
  efforts: noneToMax,
  defaultEffort: "none",
  prefill: false,
  toolsWithEffortNeedResponses: false,
  midSystem: true,
  promptCache: "markers",
};
const thinksByDefault: Capabilities = { ...claude, defaultEffort: "medium" };
/** Thinking cannot be switched off. */
const fable5: Capabilities = { ...claude, efforts: lowToMax, defaultEffort: "high" };
/** Fable and Mythos from 5.1 on also refuse to be forced to a tool. */
const fable51: Capabilities = { ...fable5, forcedToolChoice: false };
const opus55: Capabilities = { ...fable51, defaultEffort: "medium" };
const sonnet55: Capabilities = { ...thinksByDefault, forcedToolChoice: false };
const claude47: Capabilities = { ...claude, midSystem: false };
const claude46: Capabilities = { ...claude47, sampling: "when-not-thinking" };
const claude45: Capabilities = { ...claude46, efforts: noneToHigh, prefill: true };

type Row = {
  readonly id: string;
  readonly can: Capabilities;
  readonly prices: readonly PriceRow[];
  readonly quality: Record<string, number>;
  /** Time to first token in ms, then tokens per second. */
  readonly speed: readonly [number, number];
  readonly released?: string;
  readonly contextTokens?: number;
  readonly maxOutputTokens?: number;
};

const fablePrice = usd({ in: 10, cached: 0.25, write: 12.5, write1h: 20, out: 50 });
const opusLegacyPrice = usd({ in: 5, cached: 0.5, write: 6.25, write1h: 10, out: 25 });
const small = { contextTokens: 200_000, maxOutputTokens: 64_000 };

const rows: readonly Row[] = [
  {
    id: "claude-fable-5-1",
    can: fable51,
    quality: quality(0.955, { agentic: 0.01, creative: 0.01 }),
    speed: [3500, 55],
    prices: [fablePrice],
  },
  {
    id: "claude-mythos-5-1",
    can: fable51,
    quality: quality(0.955, { agentic: 0.01, creative: 0.01 }),
    speed: [3500, 55],
    prices: [fablePrice],
  },
  // Announced, its price row not found: the cost of an answer is unknown, never 0.
  { id: "claude-fable-5-2", can: fable51, quality: quality(0.955), speed: [3500, 55], prices: [] },
  {
    id: "claude-fable-5",
    can: fable5,
    quality: quality(0.945),
    speed: [3500, 55],
    prices: [usd({ in: 10, cached: 1, write: 12.5, write1h: 20, out: 50 })],
  },
  {
    id: "claude-opus-5-5",
    released: "2026-09-22",
    can: opus55,
    quality: quality(0.935, { coding: 0.02, agentic: 0.02, creative: 0.01 }),
    speed: [2200, 65],
    // Fast mode is priced for plain input and output only.
    prices: [usd({ in: 4, cached: 0.2, write: 5, write1h: 8, out: 20 }), usd({ tier: "fast", in: 8, out: 40 })],
  },
  {
    id: "claude-opus-5",
    can: thinksByDefault,
    quality: quality(0.91, { coding: 0.02 }),
    speed: [2200, 60],
    prices: [opusLegacyPrice],
  },
  {
    id: "claude-opus-4-8",
    can: claude47,
    quality: quality(0.89),
    speed: [2200, 60],
    prices: [opusLegacyPrice],
  },
  {
    id: "claude-opus-4-7",
    can: claude47,
    quality: quality(0.88),
    speed: [2200, 60],
    prices: [opusLegacyPrice],
  },
  {
    id: "claude-opus-4-6",
    can: claude46,
    quality: quality(0.87),
    speed: [2200, 60],
    prices: [opusLegacyPrice],
  },
  {
    id: "claude-opus-4-5",
    can: claude45,
    quality: quality(0.85),
    speed: [2200, 60],
    prices: [opusLegacyPrice],
    ...small,
  },
  {
    id: "claude-sonnet-5-5",
    can: sonnet55,
    quality: quality(0.9, { coding: 0.02, agentic: 0.01, creative: 0.01 }),
    speed: [1400, 85],
    prices: [
      usd({ to: "2026-10-07", in: 2, cached: 0.2, write: 2.5, write1h: 4, out: 10 }),
      usd({ from: "2026-10-07", in: 2, cached: 0.1, write: 2.5, write1h: 4, out: 10 }),
    ],
  },
  {
    id: "claude-sonnet-5",
    can: thinksByDefault,
    quality: quality(0.87, { coding: 0.02 }),
    speed: [1400, 80],
    // A snapshot of August scheduled 3 / 15 from 2026-09-01; the vendor's later pages still list 2 / 10.
    prices: [usd({ in: 2, cached: 0.2, write: 2.5, write1h: 4, out: 10 })],
  },
  {
    id: "claude-sonnet-4-6",
    can: claude46,
    quality: quality(0.84),
    speed: [1500, 75],
    prices: [usd({ in: 3, cached: 0.3, write: 3.75, write1h: 6, out: 15 })],
  },
  {
    id: "claude-haiku-5-5",
    released: "2026-10-07",
    can: claude,
    quality: quality(0.81),
    speed: [600, 170],
    // The tier counts the whole prompt, cached tokens included, and holds for the output too.
    prices: [
      usd({ in: 0.1, cached: 0.01, write: 0.125, write1h: 0.2, out: 0.5 }),
      usd({ above: 100_000, in: 0.5, cached: 0.05, write: 0.625, write1h: 1, out: 2.5 }),
    ],
  },
  {
    id: "claude-haiku-4-5",
    can: claude45,
    quality: quality(0.74),
    speed: [700, 140],
    prices: [usd({ in: 1, cached: 0.1, write: 1.25, write1h: 2, out: 5 })],
    ...small,
  },
];

export const anthropicModels: readonly Model[] = rows.map(toModel);

function toModel({ can, speed, ...row }: Row): Model {
  return {
    contextTokens: 1_000_000,
    maxOutputTokens: 128_000,
    ...row,
    provider: "anthropic",
    protocols: ["anthropic-messages"],
    capabilities: can,
    typicalTtftMs: speed[0],
    typicalTokensPerSecond: speed[1],
  };
}
