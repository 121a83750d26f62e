import type { ParsedNode } from "yaml";
import { LineCounter, isMap, isNode, isScalar, isSeq, parseDocument } from "yaml";
import { z } from "zod";
import { didYouMean } from "../router/nearest.ts";

/** One thing wrong with the configuration, and where: `path` leads to it from the file's top. */
export type Problem = {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The problem is the key at the path's end, not its value. */
  readonly atKey?: boolean;
};

/** Everything wrong with a configuration at once, one line each, as `file:line:column: what, and what to write`. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly LocatedProblem[];

  constructor(problems: readonly LocatedProblem[]) {
    super(problems.map(lineOf).join("\n"));
    this.problems = problems;
  }
}

export type LocatedProblem = {
  /** A path, or `environment`, which has no lines. */
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
};

export type YamlSource = {
  readonly value: unknown;
  /** Throws a {@link ConfigError} that names the place of every problem, in the order of the file. */
  fail(problems: readonly Problem[]): never;
};

/** A few kilobytes of aliases can stand for gigabytes of nodes. */
const maxAliases = 100;

/** Reads YAML and remembers where everything stands. Throws {@link ConfigError} for text that is not YAML. */
export function readYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const located = (offset: number, message: string): LocatedProblem => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col), message };
  };
  if (document.errors.length > 0) {
    throw new ConfigError(document.errors.map((error) => located(error.pos[0], error.message)));
  }
  return {
    value: document.toJS({ maxAliasCount: maxAliases }) as unknown,
    fail(problems) {
      const all = problems.map(({ path, message, atKey }) => {
        return located(offsetOf(document.contents, path, atKey === true), message);
      });
      throw new ConfigError(all.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)));
    },
  };
}

/** What zod found, in words for who wrote the file. `schema` supplies the words that would have been right. */
export function problemsOf(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): readonly Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(schema, issue));
}

function problemsOfIssue(schema: z.ZodType, issue: z.core.$ZodIssue): readonly Problem[] {
  const { path } = issue;
  const place = path.length === 0 ? "" : ` in ${pathText(path)}`;
  switch (issue.code) {
    case "unrecognized_keys": {
      const valid = keysAt(schema, path);
      return issue.keys.map((key) => ({
        path: [...path, key],
        atKey: true,
        message: `unknown field "${key}"${place}${didYouMean(key, valid) || knownWords(valid)}`,
      }));
    }
    case "invalid_key":
      return [{ path, atKey: true, message: `unknown name ${pathText(path)}` }];
    case "invalid_value": {
      const written = typeof issue.input === "string" ? issue.input : undefined;
      const valid = issue.values.map(String);
      const hint = written === undefined ? knownWords(valid) : didYouMean(written, valid) || knownWords(valid);
      return [{ path, message: `${shown(issue.input)} is not valid for ${pathText(path)}${hint}` }];
    }
    case "invalid_type": {
      if (issue.input === undefined) return [{ path, message: `${pathText(path)} is missing (${issue.expected})` }];
      return [{ path, message: `${pathText(path)} must be ${article(issue.expected)}, not ${shown(issue.input)}` }];
    }
    case "invalid_union": {
      const expected = issue.errors.flatMap((errors) => errors.map((error) => error.message));
      return [{ path, message: `${pathText(path)}: ${[...new Set(expected)].join(", or ")}` }];
    }
    case "too_big":
    case "too_small":
    case "invalid_format":
    case "not_multiple_of":
    case "invalid_element":
    case "custom":
      return [{ path, message: `${pathText(path)}: ${issue.message}` }];
  }
}

function lineOf({ file, line, column, message }: LocatedProblem): string {
  return line === undefined ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`;
}

/** `policies.balanced.rules[0].when` */
function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const step of path) text += typeof step === "number" ? `[${step}]` : `${text === "" ? "" : "."}${String(step)}`;
  return text;
}

function knownWords(words: readonly string[]): string {
  return words.length === 0 ? "" : `; one of ${words.join(", ")}`;
}

function article(type: string): string {
  return /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`;
}

/** Only kinds of values that cannot hold a secret are shown whole. */
function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value !== "string") return "nothing";
  return value.length > 40 ? `a text of ${value.length} characters` : `"${value}"`;
}

/** The field names that the schema has at a path. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let current = unwrap(schema);
  for (const step of path) {
    if (current instanceof z.ZodObject) current = unwrap(fieldOf(current, String(step)));
    else if (current instanceof z.ZodRecord) current = unwrap(current.valueType);
    else if (current instanceof z.ZodArray) current = unwrap(current.element);
    else return [];
  }
  if (current instanceof z.ZodObject) return Object.keys(current.shape);
  if (current instanceof z.ZodRecord && current.keyType instanceof z.ZodEnum)
    return current.keyType.options.map(String);
  return [];
}

function fieldOf(schema: z.ZodObject, name: string): z.core.$ZodType | undefined {
  return schema.shape[name];
}

function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let current = schema;
  while (current instanceof z.ZodOptional) current = current.unwrap();
  return current;
}

/** Where a path stands in the text; where it leads nowhere (a missing field), the nearest thing above it. */
function offsetOf(root: ParsedNode | null, path: readonly PropertyKey[], atKey: boolean): number {
  let node: unknown = root;
  let offset = startOf(root) ?? 0;
  for (const [index, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) return offset;
      const isEnd = index === path.length - 1;
      const target: unknown = (isEnd && atKey) || pair.value === null ? pair.key : pair.value;
      offset = startOf(target) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
