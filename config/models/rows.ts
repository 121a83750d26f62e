import type { PriceRow } from "../../router/model.ts";
import type { TaskClass } from "../../router/router.ts";
import { definedFields } from "../defined-fields.ts";

/** A price as vendors print it: dollars per million tokens. Leave out what is not sold or not known. */
export type ListPrice = {
  readonly in: number;
  readonly cached?: number;
  /** Cache write of the default length (5 minutes). */
  readonly write?: number;
  readonly write1h?: number;
  readonly out: number;
  readonly audio?: number;
  /** ISO dates, UTC: from the first on, until but not including the second. */
  readonly from?: string;
  readonly to?: string;
  /** For prompts of more tokens than this, cached ones included. */
  readonly above?: number;
  readonly tier?: string;
};

/** A printed price as a row of the catalogue, in nano-dollars per token. */
export function usd(price: ListPrice): PriceRow {
  const { cached, write, write1h, audio, from, to, above, tier } = price;
  return definedFields({
    input: nano(price.in),
    output: nano(price.out),
    cacheRead: cached === undefined ? undefined : nano(cached),
    cacheWrite5m: write === undefined ? undefined : nano(write),
    cacheWrite1h: write1h === undefined ? undefined : nano(write1h),
    audioInput: audio === undefined ? undefined : nano(audio),
    from,
    to,
    aboveInputTokens: above,
    serviceTier: tier,
  });
}

/** The rows, and each again as whole-request price of long prompts: input and cache times one factor, output another. */
export function withLongContext(
  rows: readonly PriceRow[],
  above: number,
  factors: { readonly input: number; readonly output: number },
): readonly PriceRow[] {
  return [...rows, ...rows.map((row) => ({ ...scale(row, factors.input, factors.output), aboveInputTokens: above }))];
}

/** The rows, and each again for every service tier, at a factor of the whole price. */
export function withTiers(rows: readonly PriceRow[], tiers: Readonly<Record<string, number>>): readonly PriceRow[] {
  const tiered = Object.entries(tiers).flatMap(([serviceTier, factor]) =>
    rows.map((row) => ({ ...scale(row, factor, factor), serviceTier })),
  );
  return [...rows, ...tiered];
}

/**
 * Quality by task class out of one overall figure. Easy classes lie closer together than hard ones: nearly every
 * model translates well, few plan well. `better` moves single classes. The overall figures are this project's estimates,
 * ordered by family, size, release and list price; no benchmark stands behind a single digit of them. Feedback moves
 * them, and a configuration may replace them.
 */
export function quality(overall: number, better: Partial<Record<TaskClass, number>> = {}): Record<string, number> {
  const figures: Record<string, number> = { default: overall };
  for (const taskClass of easyClasses) figures[taskClass] = round(1 - (1 - overall) * 0.6);
  for (const taskClass of hardClasses) figures[taskClass] = round(1 - (1 - overall) * 1.25);
  for (const [taskClass, change] of Object.entries(better)) {
    figures[taskClass] = round(Math.min(0.99, (figures[taskClass] ?? overall) + change));
  }
  return figures;
}

const easyClasses: readonly TaskClass[] = ["chat", "extraction", "summarization", "translation", "classification"];
const hardClasses: readonly TaskClass[] = ["coding", "reasoning", "math", "agentic"];

/** A dollar per million tokens is a thousand nano-dollars a token; thousandths of one are kept, as costs keep them. */
function nano(usdPerMillion: number): number {
  return Math.round(usdPerMillion * 1_000_000) / 1000;
}

function scale(row: PriceRow, input: number, output: number): PriceRow {
  const { cacheRead, cacheWrite5m, cacheWrite1h, audioInput } = row;
  const scaled = (part: number | undefined): number | undefined => (part === undefined ? undefined : part * input);
  const cache = {
    cacheRead: scaled(cacheRead),
    cacheWrite5m: scaled(cacheWrite5m),
    cacheWrite1h: scaled(cacheWrite1h),
    audioInput: scaled(audioInput),
  };
  return { ...row, ...definedFields(cache), input: row.input * input, output: row.output * output };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
