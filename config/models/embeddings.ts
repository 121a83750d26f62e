import type { PriceRow } from "../../router/model.ts";
import { usd } from "./rows.ts";

/** A model that turns text into vectors. Priced like the others, so that one function counts every cost. */
export type EmbeddingModel = {
  readonly id: string;
  readonly provider: string;
  readonly maxInputTokens: number;
  /** Length of its vectors unless fewer are asked for. */
  readonly dimensions: number;
  readonly prices: readonly PriceRow[];
};

const row = (
  provider: string,
  id: string,
  maxInputTokens: number,
  dimensions: number,
  price: number,
): EmbeddingModel => ({
  id,
  provider,
  maxInputTokens,
  dimensions,
  prices: [usd({ in: price, out: 0 })],
});

/** Anthropic sells none. Gemini's prices are those of text; pictures and sound cost more and are not sent. */
export const embeddingModels: readonly EmbeddingModel[] = [
  row("openai", "text-embedding-3-small", 8191, 1536, 0.02),
  row("openai", "text-embedding-3-large", 8191, 3072, 0.13),
  row("openai", "text-embedding-ada-002", 8192, 1536, 0.1),
  row("google", "gemini-embedding-001", 2048, 3072, 0.15),
  row("google", "gemini-embedding-2", 8192, 3072, 0.2),
];
