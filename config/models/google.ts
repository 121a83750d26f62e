import type { Capabilities, Model, PriceRow } from "../../router/model.ts";
import { quality, usd, withTiers } from "./rows.ts";

// List prices as read on 2026-10-25 to 2026-11-20; speeds are guesses until measured. Cache storage ($0.50 per million
// tokens and hour) is billed for explicit caches only, which the gateway does not make.

/** Gemini 3.x: hears audio, takes sampling parameters, thinks by default. */
const gemini: Capabilities = {
  input: ["text", "image", "pdf", "audio"],
  tools: true,
  forcedToolChoice: true,
  parallelTools: true,
  jsonSchema: true,
  sampling: "full",
  stop: true,
  efforts: ["minimal", "low", "medium", "high"],
  defaultEffort: "medium",
  prefill: false,
  toolsWithEffortNeedResponses: false,
  midSystem: false,
  promptCache: "automatic",
};
const lowToHigh: Capabilities = { ...gemini, efforts: ["low", "medium", "high"] };
const lite: Capabilities = { ...gemini, defaultEffort: "minimal" };
const budgeted: Capabilities = { ...gemini, efforts: ["none", "low", "medium", "high"] };

/** Introductory price through 2026-12-31, then double. */
const introPrices = [
  usd({ to: "2027-01-01", in: 0.75, cached: 0.075, out: 3.75 }),
  usd({ from: "2027-01-01", in: 1.5, cached: 0.15, out: 7.5 }),
];

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
    id: "gemini-3.8-flash",
    released: "2026-09-02",
    can: lowToHigh,
    quality: quality(0.87, { vision: 0.03, long_context: 0.03, translation: 0.02 }),
    speed: [900, 180],
    prices: withTiers(introPrices, { flex: 0.5 }),
  },
  {
    id: "gemini-3.7-flash",
    can: gemini,
    quality: quality(0.85, { vision: 0.03, long_context: 0.03 }),
    speed: [900, 175],
    prices: withTiers(introPrices, { flex: 0.5, priority: 1.8 }),
  },
  {
    id: "gemini-3.6-flash",
    can: gemini,
    quality: quality(0.83, { vision: 0.03, long_context: 0.03 }),
    speed: [900, 175],
    prices: withTiers(introPrices, { flex: 0.5, priority: 1.8 }),
  },
  {
    id: "gemini-3.5-flash",
    can: gemini,
    quality: quality(0.81, { vision: 0.03, long_context: 0.03 }),
    speed: [900, 170],
    prices: withTiers([usd({ in: 1.5, cached: 0.15, out: 9 })], { flex: 0.5 }),
  },
  {
    id: "gemini-3.5-flash-lite",
    can: lite,
    quality: quality(0.72, { vision: 0.03 }),
    speed: [500, 240],
    prices: withTiers([usd({ in: 0.3, cached: 0.03, out: 2.5 })], { flex: 0.5 }),
  },
  {
    id: "gemini-3.1-flash-lite",
    can: lite,
    quality: quality(0.68, { vision: 0.03 }),
    speed: [500, 240],
    prices: withTiers([usd({ in: 0.25, cached: 0.025, audio: 0.5, out: 1.5 })], { flex: 0.5 }),
  },
  {
    id: "gemini-3.1-pro-preview",
    can: { ...lowToHigh, defaultEffort: "high" },
    quality: quality(0.87, { vision: 0.03, long_context: 0.03, math: 0.02 }),
    speed: [3500, 100],
    prices: withTiers([usd({ in: 2, cached: 0.2, out: 12 }), usd({ above: 200_000, in: 4, cached: 0.4, out: 18 })], {
      flex: 0.5,
    }),
  },
  {
    id: "gemini-2.5-pro",
    can: lowToHigh,
    quality: quality(0.78, { long_context: 0.03 }),
    speed: [3500, 100],
    prices: withTiers([usd({ in: 1.25, cached: 0.125, out: 10 }), usd({ above: 200_000, in: 2.5, out: 15 })], {
      flex: 0.5,
    }),
  },
  {
    id: "gemini-2.5-flash",
    can: budgeted,
    quality: quality(0.68, { long_context: 0.03 }),
    speed: [600, 200],
    prices: withTiers([usd({ in: 0.3, out: 2.5 })], { flex: 0.5 }),
  },
];

export const googleModels: readonly Model[] = rows.map(toModel);

function toModel({ can, speed, ...row }: Row): Model {
  return {
    ...row,
    provider: "google",
    protocols: ["gemini-generate"],
    contextTokens: 1_048_576,
    maxOutputTokens: 65_536,
    capabilities: can,
    typicalTtftMs: speed[0],
    typicalTokensPerSecond: speed[1],
  };
}
