import { cutoffs } from "./ask.ts";
import type { Asked } from "./ask.ts";
import type { Suite } from "./dataset.ts";

export type Row = {
  readonly name: string;
  readonly questions: number;
  /** Per cent, by cutoff. */
  readonly found: readonly number[];
  /** Per cent, by budget. */
  readonly injected: readonly number[];
  /** What the block of each budget cost on average. */
  readonly tokens: readonly number[];
  readonly floor: readonly number[];
};

export type SuiteReport = {
  readonly suite: Suite;
  readonly conversations: readonly Row[];
  readonly groups: readonly Row[];
  /** Of what was tuned on and of what was held out, apart. */
  readonly categories: readonly Row[];
  /** Per cent of prompts about something else that were given memories all the same. */
  readonly unrelatedInjected?: number;
  /** One by one, for `--json`. */
  readonly asked: readonly Asked[];
};

export type Report = {
  readonly node: string;
  readonly store: string;
  readonly embedder: string;
  readonly budgets: readonly number[];
  readonly suites: readonly SuiteReport[];
  readonly prepareMs: Quantiles;
  readonly rememberCpuMs: Quantiles;
  readonly embedderRssMb: number;
  readonly latency?: LatencyReport;
};

export type Quantiles = { readonly mean: number; readonly p50: number; readonly p99: number; readonly count: number };

export type LatencyReport = {
  readonly memoriesOfUser: number;
  readonly memoriesInFile: number;
  readonly fileMb: number;
  /** The user's index is read from the file. */
  readonly firstMs: number;
  readonly prepareMs: Quantiles;
  readonly cpuMs: number;
  readonly rssMb: number;
};

/** The conversations on which the memory was tuned; every other one is held out. */
const tunedOn = new Set(["locomo-26", "locomo-30", "locomo-41", "beam-100k-1", "beam-100k-2", "beam-100k-3"]);

export function toSuiteReport(suite: Suite, asked: readonly Asked[], unrelated: readonly boolean[]): SuiteReport {
  const tuned = asked.filter(({ conversation }) => tunedOn.has(conversation));
  const held = asked.filter(({ conversation }) => !tunedOn.has(conversation));
  return {
    suite,
    asked,
    conversations: rowsBy(asked, ({ conversation }) => conversation),
    groups: [
      ...(tuned.length > 0 ? [toRow("tuned on", tuned)] : []),
      ...(held.length > 0 ? [toRow("held out", held)] : []),
      toRow("all", asked),
    ],
    categories: [
      ...rowsBy(tuned, ({ category }) => `tuned on: ${category}`),
      ...rowsBy(held, ({ category }) => `held out: ${category}`),
    ],
    ...(unrelated.length === 0
      ? {}
      : { unrelatedInjected: (100 * unrelated.filter(Boolean).length) / unrelated.length }),
  };
}

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
  return { mean: mean(values), p50: at(0.5), p99: at(0.99), count: values.length };
}

export function toTable(report: Report): string {
  const lines = [
    `node ${report.node}, store ${report.store}, embedder ${report.embedder}; evidence turns found, per cent (mean over questions)`,
  ];
  const head = [
    "",
    "questions",
    ...cutoffs.map((cutoff) => `R@${cutoff}`),
    ...report.budgets.map((budget) => `in ${budget}`),
    "tokens",
    ...cutoffs.slice(1).map((cutoff) => `floor@${cutoff}`),
  ];
  for (const { suite, conversations, groups, categories, unrelatedInjected } of report.suites) {
    lines.push("", suite);
    lines.push(...aligned([head, ...[...conversations, ...groups, ...categories].map(toCells)]));
    if (unrelatedInjected !== undefined)
      lines.push(`prompts about something else that were given memories: ${unrelatedInjected.toFixed(1)} %`);
  }
  if (report.suites.length > 0) {
    lines.push(
      "",
      `prepare ${times(report.prepareMs)}; remember on the request's path ${times(report.rememberCpuMs)} of CPU per turn and answer; embedder +${report.embedderRssMb.toFixed(0)} MB`,
    );
  }
  const { latency } = report;
  if (latency !== undefined) {
    lines.push(
      `${latency.memoriesOfUser} memories of one user, ${latency.memoriesInFile} in a file of ${latency.fileMb.toFixed(0)} MB: prepare ${times(latency.prepareMs)}, CPU ${latency.cpuMs.toFixed(2)} ms; the first ${latency.firstMs.toFixed(0)} ms; RSS ${latency.rssMb.toFixed(0)} MB`,
    );
  }
  return lines.join("\n");
}

function rowsBy(asked: readonly Asked[], nameOf: (asked: Asked) => string): readonly Row[] {
  return [...Map.groupBy(asked, nameOf)].map(([name, group]) => toRow(name, group));
}

function toRow(name: string, asked: readonly Asked[]): Row {
  return {
    name,
    questions: asked.length,
    found: columns(asked.map(({ found }) => found)).map(percent),
    injected: columns(asked.map(({ injected }) => injected)).map(percent),
    tokens: columns(asked.map(({ tokens }) => tokens)).map(mean),
    floor: columns(asked.map(({ floor }) => floor)).map(percent),
  };
}

function columns(rows: readonly (readonly number[])[]): readonly (readonly number[])[] {
  return (rows[0] ?? []).map((_, index) => rows.map((row) => row[index] ?? 0));
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(values: readonly number[]): number {
  return 100 * mean(values);
}

function toCells(row: Row): readonly string[] {
  return [
    row.name,
    String(row.questions),
    ...[...row.found, ...row.injected].map((value) => value.toFixed(1)),
    (row.tokens.at(-1) ?? 0).toFixed(0),
    ...row.floor.slice(1).map((value) => value.toFixed(1)),
  ];
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  "),
  );
}

function times({ p50, p99 }: Quantiles): string {
  return `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
}
