import { askedEffort } from "../../carry.ts";
import { type Effort, effortLadder } from "../../chat.ts";
import { effortOn } from "../../estimate.ts";
import type { Model } from "../../model.ts";
import type { ProviderCall } from "../../provider.ts";
import type { Block } from "./block.ts";

export type ThinkingSettings = {
  /** The request's `thinking`. */
  readonly thinking?: Block;
  /** The request's `output_config.effort`. */
  readonly effort?: string;
};

export type ThinkingSurroundings = {
  readonly maxTokens: number;
  /** The history holds thinking blocks of Anthropic's. */
  readonly replaysThinking: boolean;
  /** The last answer called tools without thinking first, or is to be continued: a budget would be refused. */
  readonly refusesBudget: boolean;
  /** A tool call is forced, which the vendor takes only without thinking. */
  readonly forcesCall: boolean;
};

/** Lets the vendor leave out thinking whose transcript has changed since, instead of refusing the request. */
export const bindingControlsBeta = "thinking-binding-controls-2026-08-01";

/** Claude 4.5 and older think within a budget; newer ones refuse it and choose for themselves, guided by an effort. */
export function toThinkingSettings(
  call: Pick<ProviderCall, "request" | "model" | "warn">,
  surroundings: ThinkingSurroundings,
): ThinkingSettings {
  const settings = withoutThinking(
    thinksWithinBudget(call.model.id) ? toBudget(call, surroundings) : toAdaptive(call, askedEffort(call.request)),
    surroundings.forcesCall,
    call.warn,
  );
  if (!surroundings.replaysThinking || !bindsThinking(call.model.id)) return settings;
  if (settings.thinking?.["type"] === "disabled") return settings;
  // These models think adaptively anyway, so naming it changes nothing else.
  return { ...settings, thinking: { type: "adaptive", ...settings.thinking, ...dropUnboundBlocks } };
}

/** Of the two, the forced call is the promise a client's code relies on. */
function withoutThinking(
  settings: ThinkingSettings,
  forcesCall: boolean,
  warn: ProviderCall["warn"],
): ThinkingSettings {
  if (!forcesCall || settings.thinking === undefined || settings.thinking["type"] === "disabled") return settings;
  warn("reasoning_effort: left out, Anthropic does not think before a forced tool call");
  return settings.effort === undefined ? {} : { effort: settings.effort };
}

export const dropUnboundBlocks: Block = { block_binding: { prefix_mismatch_behavior: "drop_block" } };

/** Since Fable and Mythos 5.1 and the 5.5 models, thinking blocks are bound to the transcript before them. */
export function bindsThinking(modelId: string): boolean {
  const version = claudeVersion(modelId);
  const since = /fable|mythos/.test(modelId) ? 5.1 : 5.5;
  return version !== undefined && version >= since;
}

/** Claude 4.5 and older. */
export function thinksWithinBudget(modelId: string): boolean {
  const version = claudeVersion(modelId);
  return version !== undefined && version < 4.6;
}

/** `claude-opus-4-8` is 4.8, `claude-3-7-sonnet-20250219` is 3.7, `claude-sonnet-5` is 5. */
function claudeVersion(modelId: string): number | undefined {
  const found = /(?<![\d-])-(\d{1,2})(?:-(\d{1,2}))?(?!\d)/.exec(modelId);
  return found === null ? undefined : Number(`${found[1]}.${found[2] ?? 0}`);
}

/** The vendor's least. */
const minBudget = 1024;
const budgets: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: minBudget,
  low: 2048,
  medium: 5000,
  high: 10_000,
  xhigh: 20_000,
  max: 32_000,
};

function toBudget(
  { request, model, warn }: Pick<ProviderCall, "request" | "model" | "warn">,
  { maxTokens, refusesBudget }: ThinkingSurroundings,
): ThinkingSettings {
  const asked = askedEffort(request);
  const effort = asked === undefined ? undefined : usedEffort(asked, model, warn);
  if (effort === undefined || effort === "none") return {};
  // It must be less than the whole, and leave room for an answer.
  const room = Math.floor(maxTokens / 2);
  if (room < minBudget || refusesBudget) {
    warn(
      refusesBudget
        ? "reasoning_effort: left out, this model cannot begin to think in the middle of a turn"
        : `reasoning_effort: left out, max_tokens ${maxTokens} leaves no room to think`,
    );
    return {};
  }
  const budget = Math.min(Math.max(request.reasoning?.budgetTokens ?? budgets[effort], minBudget), room);
  return { thinking: { type: "enabled", budget_tokens: budget, ...display(request.reasoning?.summary) } };
}

function toAdaptive(
  { request, model, warn }: Pick<ProviderCall, "request" | "model" | "warn">,
  asked: Effort | undefined,
): ThinkingSettings {
  const shown = display(request.reasoning?.summary);
  if (asked === undefined) {
    return shown === undefined || model.capabilities.efforts.length === 0
      ? {}
      : { thinking: { type: "adaptive", ...shown } };
  }
  const effort = usedEffort(asked, model, warn);
  if (effort === undefined) return {};
  if (effort === "none") return { thinking: { type: "disabled" } };
  return { thinking: { type: "adaptive", ...shown }, effort };
}

function usedEffort(asked: Effort, model: Model, warn: ProviderCall["warn"]): Effort | undefined {
  const effort = effortOn(model, asked, effortLadder);
  if (effort !== asked && !(effort === undefined && asked === "none")) {
    const instead = effort === undefined ? "this model does not think" : `this model's nearest is "${effort}"`;
    warn(`reasoning_effort: "${asked}" is not offered, ${instead}`);
  }
  return effort;
}

function display(summary: "auto" | "concise" | "detailed" | "none" | undefined): Block | undefined {
  if (summary === undefined) return undefined;
  return { display: summary === "none" ? "omitted" : "summarized" };
}
