import { readFileSync, readdirSync } from "node:fs";
import { z } from "zod";

import type { FeatureInput } from "./features.ts";
import { difficulties, wordClasses } from "./model.ts";

export type Example = FeatureInput & {
  /** Index into `wordClasses`. */
  readonly label: number;
  /** Index into `difficulties`. */
  readonly difficulty: number;
  /** Written one by one, not made from a template. */
  readonly handWritten: boolean;
};

/**
 * One line of `training/*.jsonl`. A text may hold `{{slot}}` (a random line of `training/slots.json`) and `{{this|that}}`; then it is a template and is
 * expanded `times` times.
 */
const lineSchema = z.strictObject({
  class: z.enum(wordClasses),
  difficulty: z.enum(difficulties),
  text: z.string().min(1),
  times: z.number().int().positive().max(200).optional(),
  /** The request asked for JSON of a schema, or for one of a few values; else drawn by chance. */
  schema: z.enum(["object", "enum"]).optional(),
});

type Line = z.infer<typeof lineSchema>;

const slotsSchema = z.record(z.string(), z.array(z.string()).min(1));

const trainingUrl = new URL("./training/", import.meta.url);
const defaultTimes = 10;
const repeats = 3;
const maxSlotDepth = 8;

/** Every example, in a fixed order: the same `random` gives the same examples. */
export function loadExamples(random: () => number): Example[] {
  const slots = slotsSchema.parse(JSON.parse(readFileSync(new URL("slots.json", trainingUrl), "utf8")));
  const files = readdirSync(trainingUrl).filter((name) => name.endsWith(".jsonl"));
  return files.toSorted().flatMap((name) => {
    const lines = readFileSync(new URL(name, trainingUrl), "utf8").split("\n");
    return lines.flatMap((line, index) => (line === "" ? [] : examplesOf(line, `${name}:${index + 1}`, slots, random)));
  });
}

function examplesOf(line: string, where: string, slots: Slots, random: () => number): Example[] {
  const parsed = lineSchema.safeParse(JSON.parse(line));
  if (!parsed.success) throw new Error(`${where}: ${z.prettifyError(parsed.error)}`);
  const { text, times } = parsed.data;
  const label = wordClasses.indexOf(parsed.data.class);
  const difficulty = difficulties.indexOf(parsed.data.difficulty);
  const handWritten = !text.includes("{{");
  return Array.from({ length: handWritten ? 1 : (times ?? defaultTimes) * repeats }, () => {
    const expanded = expand(text, where, slots, random);
    const wording = handWritten ? expanded : vary(expanded, random);
    return { text: wording, label, difficulty, handWritten, ...schemaFor(parsed.data, random) };
  });
}

type Slots = z.infer<typeof slotsSchema>;

/** Innermost first, so that a choice may hold slots: `{{in {{tech}}|at home}}`. */
function expand(text: string, where: string, slots: Slots, random: () => number): string {
  let expanded = text;
  for (let depth = 0; expanded.includes("{{"); depth += 1) {
    if (depth >= maxSlotDepth) throw new Error(`${where}: unbalanced or too deeply nested slots`);
    expanded = expanded.replaceAll(/\{\{(?!\{)((?:(?!\{\{|\}\}).)+)\}\}/gs, (_, name: string) => {
      const choices = name.includes("|") ? name.split("|") : slots[name];
      if (choices === undefined) throw new Error(`${where}: no slot named ${name}`);
      return choices[Math.floor(random() * choices.length)] ?? "";
    });
  }
  return expanded;
}

/** The same request as other people type it: question last, no final stop, two letters swapped. */
function vary(text: string, random: () => number): string {
  let varied = text;
  const blank = varied.indexOf("\n\n");
  if (blank > 0 && blank < 200 && random() < 0.2) varied = `${varied.slice(blank + 2)}\n\n${varied.slice(0, blank)}`;
  if (random() < 0.3) varied = varied.replace(/[.?!:]$/, "");
  if (random() < 0.15) varied = swapLetters(varied, random);
  return varied;
}

function swapLetters(text: string, random: () => number): string {
  const at = 1 + Math.floor(random() * Math.min(60, Math.max(1, text.length - 3)));
  const pair = text.slice(at, at + 2);
  if (!/^\p{Ll}\p{Ll}$/u.test(pair)) return text;
  return text.slice(0, at) + (pair[1] ?? "") + (pair[0] ?? "") + text.slice(at + 2);
}

/** Structured output is asked for mostly where something is to be extracted or classified. */
function schemaFor(line: Line, random: () => number): { readonly hasSchema: boolean; readonly schemaIsEnum: boolean } {
  if (line.schema !== undefined) return { hasSchema: true, schemaIsEnum: line.schema === "enum" };
  const structured = line.class === "extraction" || line.class === "classification";
  const hasSchema = random() < (structured ? 0.25 : 0.02);
  return { hasSchema, schemaIsEnum: hasSchema && random() < (line.class === "classification" ? 0.7 : 0.03) };
}
