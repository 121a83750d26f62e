import { GatewayError } from "./errors.ts";
import type { Model } from "./model.ts";
import { didYouMean } from "./nearest.ts";
import type { CompleteGoal, Policy, PolicyView } from "./policy.ts";
import { goalOf, namesModel, rulesThatHold } from "./policy.ts";
import type { TaskClass } from "./router.ts";

/** A goal worked out over the catalogue: what it says of each model is looked up, not searched for. */
export type CompiledGoal = {
  readonly policy: Policy;
  readonly goal: CompleteGoal;
  /** Why the policy does not let this model answer. A model asked for by name is only stopped by `forbid`. */
  refusal(model: Model, named: boolean): string | undefined;
  /** Place in `prefer` from 0, or `Infinity`. */
  preferRank(model: Model): number;
  /** Place in `fallbacks` from 0, or -1: a model that is not one comes before all that are. */
  fallbackRank(model: Model): number;
};

export type Goals = {
  /** `undefined` means the default policy. Throws `invalid_request` for a policy that does not exist. */
  find(policy: string | undefined, view: PolicyView): CompiledGoal;
};

/** Goals are compiled when first needed and kept: there are few classes, and few combinations of rules happen. */
export function createGoals(policies: readonly Policy[], defaultPolicy: string, models: readonly Model[]): Goals {
  const byName = new Map(policies.map((policy) => [policy.name, { policy, goals: new Map<string, CompiledGoal>() }]));
  return {
    find(name, view) {
      const found = byName.get(name ?? defaultPolicy);
      if (found === undefined) {
        const hint = didYouMean(name ?? defaultPolicy, byName.keys());
        throw new GatewayError("invalid_request", `policy "${name ?? defaultPolicy}" does not exist${hint}`);
      }
      const { policy, goals } = found;
      const { taskClass } = view.classification;
      const mask = policy.rules.length === 0 ? 0 : rulesThatHold(policy, view);
      const key = `${taskClass}:${mask}`;
      let compiled = goals.get(key);
      if (compiled === undefined) {
        if (goals.size >= maxCompiledGoals) goals.clear();
        compiled = compileGoal(policy, taskClass, mask, models);
        goals.set(key, compiled);
      }
      return compiled;
    },
  };
}

/** Many overlapping rules could make thousands of combinations; past this many, start over. */
const maxCompiledGoals = 256;

function compileGoal(policy: Policy, taskClass: TaskClass, mask: number, models: readonly Model[]): CompiledGoal {
  const goal = goalOf(policy, taskClass, mask);
  const refusals = new Map(models.map((model) => [model, refusalOf(goal, model)]));
  const preferRanks = new Map(models.map((model) => [model, rankIn(goal.prefer, model)]));
  const fallbackRanks = new Map(models.map((model) => [model, rankIn(goal.fallbacks, model)]));
  return {
    policy,
    goal,
    refusal: (model, named) => (named ? forbidden(goal, model) : refusals.get(model)),
    preferRank: (model) => preferRanks.get(model) ?? Infinity,
    fallbackRank: (model) => {
      const rank = fallbackRanks.get(model) ?? Infinity;
      return rank === Infinity ? -1 : rank;
    },
  };
}

function refusalOf(goal: CompleteGoal, model: Model): string | undefined {
  const { allow, regions } = goal;
  const isNamed = (pattern: string): boolean => namesModel(pattern, model);
  if (allow !== undefined && !allow.some(isNamed) && goal.fallbacks?.some(isNamed) !== true) {
    return "policy: not among the allowed models";
  }
  if (regions !== undefined && model.regions?.some((region) => regions.includes(region)) !== true) {
    return `policy: not known to run in ${regions.join(" or ")}`;
  }
  return forbidden(goal, model);
}

function forbidden(goal: CompleteGoal, model: Model): string | undefined {
  const pattern = goal.forbid?.find((candidate) => namesModel(candidate, model));
  return pattern === undefined ? undefined : `policy: forbidden by "${pattern}"`;
}

function rankIn(patterns: readonly string[] | undefined, model: Model): number {
  const index = patterns?.findIndex((pattern) => namesModel(pattern, model)) ?? -1;
  return index === -1 ? Infinity : index;
}
