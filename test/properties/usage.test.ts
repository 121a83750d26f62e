import { assert, constantFrom, nat, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import { catalogue } from "../../config/models.ts";
import { costOf, priceOf } from "../../router/price.ts";
import { toUsage as fromMessages } from "../../router/providers/anthropic-messages/usage.ts";
import { toUsage as fromGenerate } from "../../router/providers/gemini-generate/usage.ts";
import { toChatUsage } from "../../router/providers/openai-chat/usage.ts";
import { toResponsesUsage } from "../../router/providers/openai-responses/usage.ts";
import { totalInputTokens, type Usage } from "../../router/usage.ts";
import { runs, usage } from "./arbitraries.ts";

/** What went in and came out, as any vendor may count it. */
const counts = record({
  fresh: nat(300_000),
  cached: nat(300_000),
  written5m: nat(50_000),
  written1h: nat(50_000),
  answer: nat(50_000),
  thinking: nat(50_000),
});
type Counts = Readonly<Record<"fresh" | "cached" | "written5m" | "written1h" | "answer" | "thinking", number>>;

/** Each vendor's own way to tell the same: what its numbers include, and what stands beside them. */
const vendors: Readonly<
  Record<string, (told: Counts) => { readonly usage: Usage; readonly writes: "none" | "one" | "two" }>
> = {
  "OpenAI Chat": ({ fresh, cached, written5m, written1h, answer, thinking }) => ({
    writes: "one",
    usage: toChatUsage(
      {
        prompt_tokens: fresh + cached + written5m + written1h,
        completion_tokens: answer + thinking,
        total_tokens: fresh + cached + written5m + written1h + answer + thinking,
        prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written5m + written1h },
        completion_tokens_details: { reasoning_tokens: thinking },
      },
      undefined,
    ),
  }),
  xAI: ({ fresh, cached, answer, thinking }) => ({
    writes: "none",
    usage: toChatUsage(
      {
        prompt_tokens: fresh + cached,
        completion_tokens: answer,
        total_tokens: fresh + cached + answer + thinking,
        prompt_tokens_details: { cached_tokens: cached },
        completion_tokens_details: { reasoning_tokens: thinking },
      },
      undefined,
    ),
  }),
  "OpenAI Responses": ({ fresh, cached, written5m, written1h, answer, thinking }) => ({
    writes: "one",
    usage: toResponsesUsage(
      {
        input_tokens: fresh + cached + written5m + written1h,
        input_tokens_details: { cached_tokens: cached, cache_write_tokens: written5m + written1h },
        output_tokens: answer + thinking,
        output_tokens_details: { reasoning_tokens: thinking },
      },
      undefined,
    ),
  }),
  Anthropic: ({ fresh, cached, written5m, written1h, answer, thinking }) => ({
    writes: "two",
    usage: fromMessages({
      input_tokens: fresh,
      cache_read_input_tokens: cached,
      cache_creation_input_tokens: written5m + written1h,
      cache_creation: { ephemeral_5m_input_tokens: written5m, ephemeral_1h_input_tokens: written1h },
      output_tokens: answer + thinking,
      output_tokens_details: { thinking_tokens: thinking },
    }),
  }),
  Gemini: ({ fresh, cached, answer, thinking }) => ({
    writes: "none",
    usage: fromGenerate({
      promptTokenCount: fresh + cached,
      cachedContentTokenCount: cached,
      candidatesTokenCount: answer,
      thoughtsTokenCount: thinking,
    }),
  }),
};

describe.each(Object.entries(vendors))("usage as %s tells it", (_name, tell) => {
  it("becomes parts that add up to what went in and came out", () => {
    assert(
      property(counts, (told) => {
        const { usage: found, writes } = tell(told);
        const { fresh, cached, written5m, written1h, answer, thinking } = told;
        const written = writes === "none" ? 0 : written5m + written1h;
        expect(found).toMatchObject({
          inputTokens: fresh,
          cacheReadTokens: cached,
          cacheWrite5mTokens: writes === "two" ? written5m : written,
          cacheWrite1hTokens: writes === "two" ? written1h : 0,
          outputTokens: answer + thinking,
          reasoningTokens: thinking,
        });
        expect(totalInputTokens(found)).toBe(fresh + cached + written);
      }),
      { numRuns: runs(100) },
    );
  });
});

const priced = catalogue.filter((model) => model.prices.length > 0);
const at = "2026-11-21T12:00:00Z";

describe("the cost of an answer", () => {
  it("is the sum of its parts at the prices of the row that holds, or unknown, never less", () => {
    assert(
      property(constantFrom(...priced), usage, (model, used) => {
        const row = priceOf(model, at, totalInputTokens(used));
        const { costNanoUsd } = costOf(model, used, at);
        const parts = [
          [used.inputTokens, row?.input],
          [used.cacheReadTokens, row?.cacheRead],
          [used.cacheWrite5mTokens, row?.cacheWrite5m],
          [used.cacheWrite1hTokens, row?.cacheWrite1h],
          [used.outputTokens, row?.output],
        ] as const;
        const unknown = parts.some(([tokens, price]) => tokens > 0 && price === undefined);
        const sum = parts.reduce((total, [tokens, price = 0]) => total + tokens * Math.round(price * 1000), 0);
        expect(costNanoUsd).toBe(unknown ? null : Math.round(sum / 1000));
      }),
      { numRuns: runs(300) },
    );
  });
});
