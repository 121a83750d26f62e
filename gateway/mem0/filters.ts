import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { invalid, readArray, readObject } from "../dialects/read.ts";

/** What mem0 lets a filter look at: identifiers, times and the user's own metadata, under one roof. */
export type Filterable = Readonly<Record<string, unknown>>;

export type Mem0Filter = {
  readonly accepts: (memory: Filterable) => boolean;
  /** What stands there as plain equality, and so holds for every memory that is accepted. */
  readonly equal: JsonObject;
};

const maxDepth = 6;
const maxConditions = 60;

/** mem0's filters: equality, `eq ne gt gte lt lte in nin contains icontains`, `*`, and AND, OR and NOT of them. */
export function parseMem0Filter(filters: JsonObject | undefined): Mem0Filter {
  if (filters === undefined) return { accepts: () => true, equal: {} };
  const budget = { left: maxConditions };
  return { accepts: parseAll(filters, "filters", maxDepth, budget), equal: equalitiesOf(filters, maxDepth) };
}

type Accepts = (memory: Filterable) => boolean;

function parseAll(filters: JsonObject, path: string, depth: number, budget: { left: number }): Accepts {
  if (depth === 0) throw invalid(path, "is nested too deeply.");
  const conditions = Object.entries(filters).map(([key, value]): Accepts => {
    budget.left -= 1;
    if (budget.left < 0) throw invalid(path, `has more than ${maxConditions} conditions.`);
    const at = `${path}.${key.slice(0, 60)}`;
    if (key === "AND" || key === "OR" || key === "NOT") {
      const parts = readArray(Array.isArray(value) ? value : [value ?? null], at).map((entry, index) =>
        parseAll(readObject(entry, `${at}[${index}]`), `${at}[${index}]`, depth - 1, budget),
      );
      if (key === "AND") return (memory) => parts.every((accepts) => accepts(memory));
      if (key === "OR") return (memory) => parts.some((accepts) => accepts(memory));
      return (memory) => !parts.some((accepts) => accepts(memory));
    }
    const holds = parseCondition(value, at);
    return (memory) => holds(Object.hasOwn(memory, key) ? memory[key] : undefined);
  });
  return (memory) => conditions.every((accepts) => accepts(memory));
}

function parseCondition(value: JsonValue | undefined, path: string): (found: unknown) => boolean {
  if (value === "*") return (found) => found !== undefined && found !== null;
  if (!isJsonObject(value)) return (found) => isSame(found, value);
  const tests = Object.entries(value).map(([operator, wanted]) => parseOperator(operator, wanted, path));
  return (found) => tests.every((holds) => holds(found));
}

function parseOperator(operator: string, wanted: JsonValue | undefined, path: string): (found: unknown) => boolean {
  switch (operator) {
    case "eq":
      return (found) => isSame(found, wanted);
    case "ne":
      return (found) => !isSame(found, wanted);
    case "gt":
      return (found) => compare(found, wanted) > 0;
    case "gte":
      return (found) => compare(found, wanted) >= 0;
    case "lt":
      return (found) => compare(found, wanted) < 0;
    case "lte":
      return (found) => compare(found, wanted) <= 0;
    case "in": {
      const list = readArray(wanted, `${path}.in`);
      return (found) => list.some((entry) => isSame(found, entry));
    }
    case "nin": {
      const list = readArray(wanted, `${path}.nin`);
      return (found) => !list.some((entry) => isSame(found, entry));
    }
    case "contains":
      return (found) => textOf(found).includes(textOf(wanted));
    case "icontains":
      return (found) => textOf(found).toLowerCase().includes(textOf(wanted).toLowerCase());
    default:
      throw invalid(
        `${path}.${operator.slice(0, 40)}`,
        "is not an operator: use eq, ne, gt, gte, lt, lte, in, nin, contains or icontains.",
      );
  }
}

function isSame(found: unknown, wanted: JsonValue | undefined): boolean {
  if (Array.isArray(found)) return found.some((entry) => isSame(entry, wanted));
  return found === wanted || ((wanted === null || wanted === undefined) && (found === undefined || found === null));
}

/** NaN, which no comparison accepts, for what has no order. */
function compare(found: unknown, wanted: JsonValue | undefined): number {
  if (typeof found === "number" && typeof wanted === "number") return found - wanted;
  if (typeof found !== "string" || typeof wanted !== "string") return Number.NaN;
  return found < wanted ? -1 : Number(found > wanted);
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join("\n");
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function equalitiesOf(filters: JsonObject, depth: number): JsonObject {
  if (depth === 0) return {};
  const found: Record<string, JsonValue | undefined> = {};
  for (const [key, value] of Object.entries(filters)) {
    if (key === "AND" && Array.isArray(value)) {
      for (const entry of value as readonly JsonValue[])
        if (isJsonObject(entry)) Object.assign(found, equalitiesOf(entry, depth - 1));
    } else if (typeof value === "string" && value !== "*") found[key] = value;
    else if (isJsonObject(value) && typeof value["eq"] === "string") found[key] = value["eq"];
  }
  return found;
}
