import type { Model, NanoUsd } from "./model.ts";
import { modelName } from "./model.ts";
import type { Classification, TaskClass } from "./router.ts";

export const objectives = ["quality", "cheapest", "balanced", "fastest"] as const;
export type Objective = (typeof objectives)[number];

/** How much each matters to the `balanced` objective; only their proportion counts. */
export type Weights = { readonly quality: number; readonly cost: number; readonly latency: number };

/**
 * What to do with a model that cannot carry the request as asked (a forced tool call, several choices, a prefill):
 * `avoid` takes it only when no other model is left, `refuse` never, `allow` pays no attention. Warnings are given anyway.
 */
export const lossRules = ["avoid", "refuse", "allow"] as const;
export type LossRule = (typeof lossRules)[number];

/**
 * What a policy wants for one kind of request. Models are named by `provider/id`, bare id, or a pattern ending in `*`.
 */
export type Goal = {
  readonly objective?: Objective;
  readonly weights?: Weights;
  /** 0 to 1, for the request's task class. */
  readonly minQuality?: number;
  /** Per request, as estimated; a model whose price is unknown does not pass. */
  readonly maxCostNanoUsd?: NanoUsd;
  readonly maxLatencyMs?: number;
  /** A model that is not known to run in one of these regions does not pass. */
  readonly regions?: readonly string[];
  /** Tried first, in this order, whatever the objective says of them. */
  readonly prefer?: readonly string[];
  /** When present, no other model passes. */
  readonly allow?: readonly string[];
  /** Adds to what is forbidden already: a rule cannot permit what the policy forbids. */
  readonly forbid?: readonly string[];
  /** Tried last, in this order, even below the quality floor or above the latency limit. */
  readonly fallbacks?: readonly string[];
  readonly losses?: LossRule;
};

/** All that is stated must hold. */
export type RuleCondition = {
  readonly classes?: readonly TaskClass[];
  readonly difficulty?: "easy" | "medium" | "hard";
  readonly inputTokensAbove?: number;
  readonly inputTokensBelow?: number;
  readonly images?: boolean;
  readonly files?: boolean;
  readonly audio?: boolean;
  readonly tools?: boolean;
  readonly schema?: boolean;
  /** The classifier was less sure than this. */
  readonly confidenceBelow?: number;
};

export type Rule = { readonly when: RuleCondition; readonly goal: Goal };

/** Later parts win, field by field: the default goal, the class's own, then every rule that holds, in order. */
export type Policy = {
  readonly name: string;
  readonly default: Goal;
  readonly classes: Readonly<Partial<Record<TaskClass, Goal>>>;
  readonly rules: readonly Rule[];
};

/** What rules can see of a request. */
export type PolicyView = {
  readonly classification: Classification;
  readonly inputTokens: number;
  readonly hasImages: boolean;
  readonly hasFiles: boolean;
  readonly hasAudio: boolean;
  readonly hasTools: boolean;
  readonly hasSchema: boolean;
};

const defaultWeights: Weights = { quality: 0.6, cost: 0.3, latency: 0.1 };

/** A goal with every open question answered. */
export type CompleteGoal = Goal & {
  readonly objective: Objective;
  readonly weights: Weights;
  readonly losses: LossRule;
};

/** Which of the policy's rules hold, as bits by position (at most {@link maxRules}). */
export function rulesThatHold(policy: Policy, view: PolicyView): number {
  let mask = 0;
  for (const [index, rule] of policy.rules.entries()) {
    if (index < maxRules && holds(rule.when, view)) mask |= 1 << index;
  }
  return mask;
}

/** A bit each in a number JavaScript keeps as a small integer. */
export const maxRules = 30;

/** The goal for a task class under the rules of `mask`. Pure: the same three always give the same goal. */
export function goalOf(policy: Policy, taskClass: TaskClass, mask: number): CompleteGoal {
  let goal = over(policy.default, policy.classes[taskClass] ?? {});
  for (const [index, rule] of policy.rules.entries()) {
    if (index < maxRules && (mask & (1 << index)) !== 0) goal = over(goal, rule.goal);
  }
  return {
    ...goal,
    objective: goal.objective ?? "balanced",
    weights: goal.weights ?? defaultWeights,
    losses: goal.losses ?? "avoid",
  };
}

/** Does `pattern` (an id, `provider/id`, or either with a trailing `*`) name this model? */
export function namesModel(pattern: string, model: Pick<Model, "id" | "provider">): boolean {
  const name = modelName(model);
  if (!pattern.endsWith("*")) return pattern === name || pattern === model.id;
  const beginning = pattern.slice(0, -1);
  return name.startsWith(beginning) || model.id.startsWith(beginning);
}

function over(goal: Goal, next: Goal): Goal {
  const merged = { ...goal, ...next };
  const forbid = [...(goal.forbid ?? []), ...(next.forbid ?? [])];
  return forbid.length === 0 ? merged : { ...merged, forbid };
}

function holds(when: RuleCondition, view: PolicyView): boolean {
  const { classification } = view;
  return (
    (when.classes === undefined || when.classes.includes(classification.taskClass)) &&
    (when.difficulty === undefined || when.difficulty === classification.difficulty) &&
    (when.inputTokensAbove === undefined || view.inputTokens > when.inputTokensAbove) &&
    (when.inputTokensBelow === undefined || view.inputTokens < when.inputTokensBelow) &&
    (when.images === undefined || when.images === view.hasImages) &&
    (when.files === undefined || when.files === view.hasFiles) &&
    (when.audio === undefined || when.audio === view.hasAudio) &&
    (when.tools === undefined || when.tools === view.hasTools) &&
    (when.schema === undefined || when.schema === view.hasSchema) &&
    (when.confidenceBelow === undefined || classification.confidence < when.confidenceBelow)
  );
}
