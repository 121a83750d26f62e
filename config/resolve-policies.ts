import { definedFields } from "./defined-fields.ts";
import type { Model } from "../router/model.ts";
import { modelName } from "../router/model.ts";
import { didYouMean } from "../router/nearest.ts";
import type { Goal, Policy } from "../router/policy.ts";
import { namesModel } from "../router/policy.ts";
import { toNanoUsd } from "../router/price.ts";
import { providerSynonyms } from "./models.ts";
import type { RawConfig, RawGoal, RawPolicy } from "./schema.ts";
import type { Problem } from "./yaml-errors.ts";

/** Policies as the router reads them. Every model they name must be one that exists. */
export function resolvePolicies(raw: RawConfig, models: readonly Model[], problems: Problem[]): readonly Policy[] {
  return Object.entries(raw.policies ?? {}).map(([name, policy]) => {
    checkGoals(policy, ["policies", name], models, problems);
    const { classes, rules, ...standard } = policy;
    const byClass = Object.entries(classes ?? {}).flatMap(([taskClass, goal]) =>
      goal === undefined ? [] : [[taskClass, toGoal(goal)] as const],
    );
    return {
      name,
      default: toGoal(standard),
      classes: Object.fromEntries(byClass),
      rules: (rules ?? []).map(({ when, ...goal }) => ({ when: definedFields(when), goal: toGoal(goal) })),
    };
  });
}

/** Aliases as lists of names. Each must lead to models or to a policy, and never back to itself. */
export function resolveAliases(
  raw: RawConfig,
  models: readonly Model[],
  problems: Problem[],
): Readonly<Record<string, readonly string[]>> {
  const aliases = Object.fromEntries(
    Object.entries(raw.aliases ?? {}).map(([name, target]) => [name, Array.isArray(target) ? target : [target]]),
  );
  const known = knownNames(models, Object.keys(raw.policies ?? {}), Object.keys(aliases));
  for (const [name, targets] of Object.entries(aliases)) {
    const path = ["aliases", name];
    if (isReserved(name)) {
      problems.push({ path, atKey: true, message: `alias "${name}" has a name that means something already` });
    }
    for (const [index, target] of targets.entries()) {
      const at = Array.isArray(raw.aliases?.[name]) ? [...path, index] : path;
      checkTarget(target, at, targets.length, known, problems);
    }
    const cycle = cycleFrom(name, aliases);
    if (cycle !== undefined) {
      problems.push({ path, message: `alias "${name}" leads back to itself: ${cycle.join(" → ")}` });
    }
  }
  return aliases;
}

function checkTarget(
  target: string,
  path: readonly PropertyKey[],
  targets: number,
  known: ReadonlySet<string>,
  problems: Problem[],
): void {
  if (!known.has(withVendor(target))) {
    problems.push({ path, message: `unknown model "${target}"${didYouMean(target, known)}` });
  } else if (targets > 1 && (target === "auto" || target.startsWith("auto:"))) {
    problems.push({ path, message: `"${target}" chooses among all models, so nothing can stand beside it` });
  }
}

function isReserved(name: string): boolean {
  return /^(?:auto|compare|blend|judge)(?::|$)/.test(name);
}

function knownNames(
  models: readonly Model[],
  policies: readonly string[],
  aliases: readonly string[],
): ReadonlySet<string> {
  const named = models.flatMap((model) => [modelName(model), model.id]);
  return new Set(["auto", ...policies.map((policy) => `auto:${policy}`), ...aliases, ...named]);
}

function withVendor(name: string): string {
  const [provider = "", ...rest] = name.split("/");
  const synonym = rest.length > 0 && Object.hasOwn(providerSynonyms, provider) ? providerSynonyms[provider] : undefined;
  return synonym === undefined ? name : [synonym, ...rest].join("/");
}

/** The way from an alias back to itself. An alias that carries the name of a model may stand for that model. */
function cycleFrom(start: string, aliases: Readonly<Record<string, readonly string[]>>): readonly string[] | undefined {
  const seen = new Set<string>();
  const follow = (name: string, path: readonly string[]): readonly string[] | undefined => {
    if (seen.has(name)) return undefined;
    seen.add(name);
    for (const target of Object.hasOwn(aliases, name) ? (aliases[name] ?? []) : []) {
      if (target === name) continue;
      if (target === start) return [...path, target];
      const found = follow(target, [...path, target]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return follow(start, [start]);
}

const nameLists = ["prefer", "allow", "forbid", "fallbacks"] as const;

function checkGoals(
  policy: RawPolicy,
  path: readonly PropertyKey[],
  models: readonly Model[],
  problems: Problem[],
): void {
  checkNames(policy, path, models, problems);
  for (const [taskClass, goal] of Object.entries(policy.classes ?? {})) {
    if (goal !== undefined) checkNames(goal, [...path, "classes", taskClass], models, problems);
  }
  for (const [index, rule] of (policy.rules ?? []).entries())
    checkNames(rule, [...path, "rules", index], models, problems);
}

function checkNames(goal: RawGoal, path: readonly PropertyKey[], models: readonly Model[], problems: Problem[]): void {
  for (const list of nameLists) {
    for (const [index, name] of (goal[list] ?? []).entries()) {
      if (models.some((model) => namesModel(withVendor(name), model))) continue;
      const names = models.flatMap((model) => [model.id, modelName(model)]);
      problems.push({ path: [...path, list, index], message: `unknown model "${name}"${didYouMean(name, names)}` });
    }
  }
  const { weights } = goal;
  if (weights !== undefined && weights.quality + weights.cost + weights.latency === 0) {
    problems.push({ path: [...path, "weights"], message: "weights: at least one must be above 0" });
  }
}

function toGoal(raw: RawGoal): Goal {
  const { maxCostUsd, prefer, allow, forbid, fallbacks, ...rest } = raw;
  return definedFields({
    ...rest,
    maxCostNanoUsd: maxCostUsd === undefined ? undefined : toNanoUsd(maxCostUsd * 1e9),
    prefer: prefer?.map(withVendor),
    allow: allow?.map(withVendor),
    forbid: forbid?.map(withVendor),
    fallbacks: fallbacks?.map(withVendor),
  });
}
