import type { GenerateContentConfig, Part, ThinkingConfig, Tool, ToolConfig } from "@google/genai";
import { FunctionCallingConfigMode, MediaResolution, ServiceTier, ThinkingLevel } from "@google/genai";
import { askedEffort } from "../../carry.ts";
import type { ChatRequest, ChatTool, Effort } from "../../chat.ts";
import { effortLadder } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import { effortOn } from "../../estimate.ts";
import { isJsonObject } from "../../json.ts";
import type { ProviderCall } from "../../provider.ts";
import type { ToolNameRule, ToolNames } from "../tool-names.ts";
import { geminiVersion } from "./version.ts";

type Call = Pick<ProviderCall, "request" | "model" | "warn">;

export const geminiToolNames: ToolNameRule = {
  valid: /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/,
  unwanted: /[^a-zA-Z0-9_.:-]/g,
  maxLength: 128,
};

/** Everything of a request but its contents. `instructions` are said in words what the model takes no parameter for. */
export function toConfig(call: Call, names: ToolNames): { config: GenerateContentConfig; instructions: Part[] } {
  warnOfLosses(call);
  const instructions: Part[] = [];
  const say = (text: string): void => void instructions.push({ text });
  const config: GenerateContentConfig = {
    ...toSampling(call),
    ...toTools(call, names, say),
    ...toFormat(call, say),
    ...toThinking(call),
    ...toMedia(call),
    ...toTier(call),
    ...(call.request.maxOutputTokens === undefined
      ? undefined
      : { maxOutputTokens: Math.min(call.request.maxOutputTokens, call.model.maxOutputTokens) }),
  };
  return { config, instructions };
}

/** What Gemini has no field for. */
function warnOfLosses({ request, warn }: Call): void {
  const { metadata = {}, endUser, promptCacheKey, tools } = request;
  // Anthropic's metadata holds the user's id and nothing else.
  const isLabelled = Object.keys(metadata).some((key) => key !== "user_id");
  if (isLabelled) warn("metadata: not carried to Gemini");
  if (endUser !== undefined) warn("user: not carried to Gemini");
  if (promptCacheKey !== undefined) warn("prompt_cache_key: not carried to Gemini, which caches by itself");
  for (const tool of tools) {
    if (tool.type === "function" && tool.strict === true)
      warn(`tools "${tool.name}": this model does not enforce strict arguments`);
  }
}

/** The vendor's limit. */
const maxStops = 5;

function toSampling(call: Call): GenerateContentConfig {
  const { request, model, warn } = call;
  const { sampling, stop } = request;
  const config: GenerateContentConfig = toRandomness(call);
  if (stop.length > 0 && !model.capabilities.stop) warn("stop: this model takes no stop sequences");
  else if (stop.length > 0) config.stopSequences = stop.slice(0, maxStops);
  if (stop.length > maxStops) warn(`stop: only the first ${maxStops} were sent`);
  if (sampling.seed !== undefined) config.seed = sampling.seed;
  if (sampling.choices !== undefined && sampling.choices > 1) config.candidateCount = sampling.choices;
  if (sampling.logprobs === true) {
    config.responseLogprobs = true;
    if (sampling.topLogprobs !== undefined) config.logprobs = sampling.topLogprobs;
  }
  if (sampling.logitBias !== undefined && Object.keys(sampling.logitBias).length > 0) {
    warn(`logit_bias: not offered by ${model.provider}`);
  }
  return config;
}

const randomness = [
  ["temperature", "temperature", 1],
  ["topP", "top_p", 1],
  ["topK", "top_k", undefined],
  ["frequencyPenalty", "frequency_penalty", 0],
  ["presencePenalty", "presence_penalty", 0],
] as const;

function toRandomness({ request, model, warn }: Call): GenerateContentConfig {
  const { sampling } = model.capabilities;
  const effort = effortOn(model, askedEffort(request), effortLadder);
  const thinks = effort !== undefined && effort !== "none";
  const fixed = sampling === "default-only" || (sampling === "when-not-thinking" && thinks);
  const config: GenerateContentConfig = {};
  for (const [field, name, usual] of randomness) {
    const value = request.sampling[field];
    if (value === undefined) continue;
    if (!fixed) config[field] = value;
    else if (value !== usual) warn(`${name}: this model takes only its default`);
  }
  return config;
}

function toTools(call: Call, names: ToolNames, say: (text: string) => void): GenerateContentConfig {
  const { request, warn } = call;
  const offered = toolsOffered(request);
  if (offered.length === 0) return {};
  const functions = offered.filter((tool) => tool.type === "function");
  const tools: Tool[] = offered.filter((tool) => tool.type === "vendor").map(toVendorTool);
  if (functions.length > 0) {
    tools.unshift({
      functionDeclarations: functions.map((tool) => ({
        name: names.toVendor(tool.name),
        ...(tool.description === undefined ? undefined : { description: tool.description.toWellFormed() }),
        ...(tool.parameters === undefined ? undefined : { parametersJsonSchema: tool.parameters }),
      })),
    });
  }
  if (request.parallelToolCalls === false) warn("parallel_tool_calls: this model may call several tools at once");
  const toolConfig = functions.length === 0 ? undefined : toToolConfig(call, names, say);
  return { tools, ...(toolConfig === undefined ? undefined : { toolConfig }) };
}

function toolsOffered({ tools, toolChoice }: ChatRequest): readonly ChatTool[] {
  if (toolChoice?.type !== "allowed") return tools;
  return tools.filter((tool) => tool.type === "vendor" || toolChoice.names.includes(tool.name));
}

function toVendorTool(tool: Extract<ChatTool, { type: "vendor" }>): Tool {
  if (tool.state.protocol === "gemini-generate" && isJsonObject(tool.state.value)) return { ...tool.state.value };
  throw new GatewayError("unsupported", `Gemini has no tool "${tool.name}" of ${tool.state.protocol}.`, {
    param: "tools",
  });
}

function toToolConfig(
  { request, model, warn }: Call,
  names: ToolNames,
  say: (text: string) => void,
): ToolConfig | undefined {
  const choice = request.toolChoice;
  if (choice === undefined) return undefined;
  if (choice.type === "none") return { functionCallingConfig: { mode: FunctionCallingConfigMode.NONE } };
  if (choice.type === "auto" || (choice.type === "allowed" && choice.mode === "auto")) {
    return { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } };
  }
  const wanted = choice.type === "tool" ? [choice.name] : choice.type === "allowed" ? choice.names : [];
  const allowed = wanted.map((name) => names.toVendor(name));
  if (!model.capabilities.forcedToolChoice) {
    warn("tool_choice: this model cannot be forced to call a tool");
    say(`Answer by calling ${allowed.length === 0 ? "a function" : allowed.join(" or ")}. Do not answer in text.`);
    return { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } };
  }
  return {
    functionCallingConfig: {
      mode: FunctionCallingConfigMode.ANY,
      ...(allowed.length === 0 ? undefined : { allowedFunctionNames: allowed }),
    },
  };
}

function toFormat({ request, model, warn }: Call, say: (text: string) => void): GenerateContentConfig {
  const format = request.responseFormat;
  if (format === undefined || format.type === "text") return {};
  // Before Gemini 3, functions and JSON mode together were refused.
  const jsonMode = geminiVersion(model.id) >= 3 || !request.tools.some((tool) => tool.type === "function");
  const withSchema = format.type === "json-schema";
  if (jsonMode && (!withSchema || model.capabilities.jsonSchema)) {
    return {
      responseMimeType: "application/json",
      ...(withSchema ? { responseJsonSchema: format.schema } : undefined),
    };
  }
  const why = jsonMode ? "answers to no JSON schema" : "takes no JSON mode beside tools";
  warn(`response_format: this model ${why}, it was given in words`);
  const schema = withSchema ? ` that fits this JSON Schema:\n${JSON.stringify(format.schema)}` : "";
  say(`Unless you call a function, answer with one JSON value and nothing else${schema}`);
  return jsonMode ? { responseMimeType: "application/json" } : {};
}

const levels: Readonly<Record<Exclude<Effort, "none">, ThinkingLevel>> = {
  minimal: ThinkingLevel.MINIMAL,
  low: ThinkingLevel.LOW,
  medium: ThinkingLevel.MEDIUM,
  high: ThinkingLevel.HIGH,
  xhigh: ThinkingLevel.HIGH,
  max: ThinkingLevel.HIGH,
};

/** Gemini 2.5 thinks within a budget of tokens. */
const budgets: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 512,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 24_576,
  max: 24_576,
};

function toThinking({ request, model, warn }: Call): GenerateContentConfig {
  const { summary, budgetTokens } = request.reasoning ?? {};
  const asked = askedEffort(request);
  const effort = asked === undefined ? undefined : effortOn(model, asked, effortLadder);
  if (effort !== asked && !(effort === undefined && asked === "none")) {
    const instead = effort === undefined ? "this model does not think" : `this model's nearest is "${effort}"`;
    warn(`reasoning_effort: "${asked}" is not offered, ${instead}`);
  }
  if (model.capabilities.efforts.length === 0) return {};
  const thinking: ThinkingConfig = {};
  if (summary !== undefined) thinking.includeThoughts = summary !== "none";
  if (effort !== undefined) {
    if (geminiVersion(model.id) < 3)
      thinking.thinkingBudget = effort === asked ? (budgetTokens ?? budgets[effort]) : budgets[effort];
    else if (effort === "none") thinking.thinkingBudget = 0;
    else thinking.thinkingLevel = levels[effort];
  }
  return Object.keys(thinking).length === 0 ? {} : { thinkingConfig: thinking };
}

const details = ["low", "medium", "high"] as const;
const resolutions = {
  low: MediaResolution.MEDIA_RESOLUTION_LOW,
  medium: MediaResolution.MEDIA_RESOLUTION_MEDIUM,
  high: MediaResolution.MEDIA_RESOLUTION_HIGH,
} as const;

/** One resolution for the request: the finest that one of its images asks for. */
function toMedia({ request }: Call): GenerateContentConfig {
  let finest: (typeof details)[number] | undefined;
  for (const message of request.messages) {
    if (message.role !== "user") continue;
    for (const part of message.content) {
      const detail = part.type === "image" ? details.find((known) => known === part.detail) : undefined;
      if (detail !== undefined && details.indexOf(detail) > (finest === undefined ? -1 : details.indexOf(finest))) {
        finest = detail;
      }
    }
  }
  return finest === undefined ? {} : { mediaResolution: resolutions[finest] };
}

function toTier({ request, warn }: Call): GenerateContentConfig {
  switch (request.serviceTier) {
    case undefined:
    case "auto":
      return {};
    case "default":
    case "standard":
    case "standard_only":
      return { serviceTier: ServiceTier.STANDARD };
    case "flex":
      return { serviceTier: ServiceTier.FLEX };
    case "priority":
      return { serviceTier: ServiceTier.PRIORITY };
    default:
      warn(`service_tier: "${request.serviceTier}" is not offered by Gemini`);
      return {};
  }
}
