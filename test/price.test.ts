import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { catalogue } from "../config/models.ts";
import { embeddingModels } from "../config/models/embeddings.ts";
import type { Model } from "../router/model.ts";
import { modelName } from "../router/model.ts";
import { costOf, priceOf } from "../router/price.ts";
import type { Usage } from "../router/usage.ts";
import { noUsage, totalInputTokens } from "../router/usage.ts";

const now = "2026-11-21T12:00:00Z";

function model(name: string): Model {
  const found = catalogue.find((candidate) => modelName(candidate) === name);
  if (found === undefined) throw new Error(`${name} is not in the catalogue`);
  return found;
}

function cost(name: string, usage: Partial<Usage>, at = now) {
  return costOf(model(name), { ...noUsage, ...usage }, at);
}

describe("what an answer costs", () => {
  it("is plain input and output at list price", () => {
    expect(cost("openai/gpt-6-sol", { inputTokens: 1_000, outputTokens: 100 }).costNanoUsd).toBe(2_000_000 + 1_000_000);
  });

  it("takes cache reads and both lengths of cache writes at their own prices", () => {
    const usage = { cacheReadTokens: 1_000, cacheWrite5mTokens: 1_000, cacheWrite1hTokens: 1_000 };
    expect(cost("anthropic/claude-opus-5-5", usage).costNanoUsd).toBe(200_000 + 5_000_000 + 8_000_000);
  });

  it("does not count thinking on top of the output it is a part of", () => {
    const usage = { outputTokens: 1_000, reasoningTokens: 900 };
    expect(cost("openai/gpt-6-sol", usage).costNanoUsd).toBe(10_000_000);
  });

  it("prices audio as a part of the input, where the model has a price for it", () => {
    const usage = { inputTokens: 1_000, audioInputTokens: 400 };
    expect(cost("google/gemini-3.1-flash-lite", usage).costNanoUsd).toBe(600 * 250 + 400 * 500);
  });

  it.each([
    ["openai/gpt-6-sol", 272_000, 2_000, 272_001, 4_000],
    ["anthropic/claude-haiku-5-5", 100_000, 100, 100_001, 500],
    ["google/gemini-3.1-pro-preview", 200_000, 2_000, 200_001, 4_000],
  ])("charges the whole prompt of %s at the long price above its threshold", (name, below, price, above, longPrice) => {
    expect(cost(name, { inputTokens: below }).costNanoUsd).toBe(below * price);
    expect(cost(name, { inputTokens: above }).costNanoUsd).toBe(above * longPrice);
  });

  it("counts cached tokens towards the threshold, and the output pays the long price too", () => {
    const usage = { inputTokens: 1, cacheReadTokens: 100_000, outputTokens: 1_000 };
    expect(cost("anthropic/claude-haiku-5-5", usage).costNanoUsd).toBe(500 + 100_000 * 50 + 1_000 * 2_500);
  });

  it("ends a promotion on its last day", () => {
    const usage = { inputTokens: 1_000_000 };
    expect(cost("google/gemini-3.8-flash", usage, "2026-12-31T23:59:59.999Z").costNanoUsd).toBe(750_000_000);
    expect(cost("google/gemini-3.8-flash", usage, "2027-01-01T00:00:00.000Z").costNanoUsd).toBe(1_500_000_000);
  });

  it("takes the price that held when the request was made", () => {
    const usage = { cacheReadTokens: 1_000 };
    expect(cost("anthropic/claude-sonnet-5-5", usage, "2026-10-06T12:00:00Z").costNanoUsd).toBe(200_000);
    expect(cost("anthropic/claude-sonnet-5-5", usage, "2026-10-07T00:00:00Z").costNanoUsd).toBe(100_000);
  });

  it("follows the service tier that the vendor says it charged for", () => {
    const usage = { inputTokens: 1_000 };
    expect(cost("openai/gpt-6-sol", { ...usage, serviceTier: "flex" }).costNanoUsd).toBe(1_000_000);
    expect(cost("openai/gpt-6-sol", { ...usage, serviceTier: "priority" }).costNanoUsd).toBe(4_000_000);
    expect(cost("openai/gpt-6-sol", { ...usage, serviceTier: "default" }).costNanoUsd).toBe(2_000_000);
  });

  it("keeps half nano-dollars of half-price tiers until the sum is rounded", () => {
    const usage = { cacheReadTokens: 3, serviceTier: "flex" };
    // 3 × 37.5 = 112.5
    expect(cost("google/gemini-3.8-flash", usage).costNanoUsd).toBe(113);
  });

  it("says when the tokens were counted here", () => {
    expect(cost("openai/gpt-6-sol", { estimated: true }).warnings).toEqual([expect.stringContaining("usage:")]);
  });

  it("adds up: the cost of an answer is the sum of the cost of its parts", () => {
    const tokens = fc.nat({ max: 20_000 });
    const parts = fc.record({
      inputTokens: tokens,
      cacheReadTokens: tokens,
      cacheWrite5mTokens: tokens,
      cacheWrite1hTokens: tokens,
      outputTokens: fc.nat({ max: 1_000_000 }),
    });
    const complete = catalogue.filter(({ prices }) => prices.some(({ cacheWrite1h }) => cacheWrite1h !== undefined));
    fc.assert(
      fc.property(fc.constantFrom(...complete), parts, (priced, usage) => {
        const row = priceOf(priced, now, totalInputTokens({ ...noUsage, ...usage }));
        const expected =
          BigInt(usage.inputTokens) * BigInt(row?.input ?? -1) +
          BigInt(usage.cacheReadTokens) * BigInt(row?.cacheRead ?? -1) +
          BigInt(usage.cacheWrite5mTokens) * BigInt(row?.cacheWrite5m ?? -1) +
          BigInt(usage.cacheWrite1hTokens) * BigInt(row?.cacheWrite1h ?? -1) +
          BigInt(usage.outputTokens) * BigInt(row?.output ?? -1);
        expect(BigInt(costOf(priced, { ...noUsage, ...usage }, now).costNanoUsd ?? -1)).toBe(expected);
      }),
    );
  });

  it("never falls when more is used", () => {
    const usage = fc.record({ inputTokens: fc.nat({ max: 400_000 }), outputTokens: fc.nat({ max: 100_000 }) });
    const priced = catalogue.filter(({ prices }) => prices.length > 0);
    fc.assert(
      fc.property(fc.constantFrom(...priced), usage, fc.nat({ max: 300_000 }), (one, used, more) => {
        const less = costOf(one, { ...noUsage, ...used }, now).costNanoUsd ?? Number.NaN;
        const later = { ...noUsage, ...used, inputTokens: used.inputTokens + more };
        expect(costOf(one, later, now).costNanoUsd).toBeGreaterThanOrEqual(less);
      }),
    );
  });
});

describe("an unknown price", () => {
  it.each([
    ["a model without a price row", "anthropic/claude-fable-5-2", { inputTokens: 10 }],
    ["a kind of token the model has no price for", "openai/gpt-5.5-pro", { cacheReadTokens: 10 }],
    ["audio on a model with no audio price", "google/gemini-3.8-flash", { inputTokens: 10, audioInputTokens: 5 }],
    ["spoken output", "openai/gpt-6-sol", { outputTokens: 10, audioOutputTokens: 5 }],
    ["a service tier without rows", "anthropic/claude-sonnet-5-5", { inputTokens: 10, serviceTier: "priority" }],
  ])("is null with a warning, never 0: %s", (_why, name, usage) => {
    const { costNanoUsd, warnings } = cost(name, usage);
    expect(costNanoUsd).toBeNull();
    expect(warnings).toEqual([expect.stringContaining(name)]);
  });

  it("does not make the cost unknown while nothing of that kind is used", () => {
    expect(cost("openai/gpt-5.5-pro", { inputTokens: 10 }).costNanoUsd).toBe(300_000);
  });

  it("is what a model has outside the dates of its rows", () => {
    expect(priceOf(model("openai/gpt-5.6-luna"), "2026-07-29T23:00:00Z", 10)).toBeUndefined();
  });
});

describe("the catalogue", () => {
  it("names every model once", () => {
    const names = [...catalogue.map(modelName), ...embeddingModels.map(modelName)];
    expect(new Set(names).size).toBe(names.length);
  });

  it("never charges more for a token out of the cache than for a fresh one", () => {
    for (const { prices } of catalogue) {
      for (const row of prices) expect(row.cacheRead ?? 0).toBeLessThan(row.input);
    }
  });

  it("has at every moment at most one price for a model, a prompt and a tier", () => {
    for (const { prices } of catalogue) {
      const rows = prices.map(({ serviceTier, aboveInputTokens, from, to }) => ({
        kind: `${serviceTier} ${aboveInputTokens}`,
        from: from ?? "0000",
        to: to ?? "9999",
      }));
      for (const [index, row] of rows.entries()) {
        for (const other of rows.slice(index + 1)) {
          const overlap = row.kind === other.kind && row.from < other.to && other.from < row.to;
          expect(overlap).toBe(false);
        }
      }
    }
  });

  it("prices embeddings like everything else", () => {
    const small = embeddingModels.find(({ id }) => id === "text-embedding-3-small");
    expect(small && costOf(small, { ...noUsage, inputTokens: 1_000 }, now).costNanoUsd).toBe(20_000);
  });
});
