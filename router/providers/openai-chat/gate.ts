import type { Effort } from "../../chat.ts";
import { effortLadder } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import type { JsonObject, JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import { effortOn } from "../../estimate.ts";
import type { Model } from "../../model.ts";
import type { ChatHost } from "./host.ts";
import { toChatCallId } from "./messages.ts";

/** A Chat Completions body of ours, still being written. */
export type ChatBody = Record<string, JsonValue | undefined>;

type Gate = {
  readonly body: ChatBody;
  readonly model: Model;
  readonly host: ChatHost;
  readonly warn: (warning: string) => void;
};

/**
 * Brings a body, the client's own or one we translated, to what this model on this host accepts: fields are renamed, lowered to the nearest
 * allowed value or left out, each loss with a warning. Throws `GatewayError` (`unsupported`) where nothing is left to carry.
 */
export function gateChatBody(gate: Gate): void {
  gateTokens(gate);
  const effort = gateEffort(gate);
  gateSampling(gate, effort);
  gateStops(gate);
  gateTools(gate);
  gateFormat(gate);
  const { body, host, warn } = gate;
  for (const field of host.refusedFields) {
    if (body[field] !== undefined && !isIdle(field, body[field])) warn(`${field}: not offered by this host`);
    delete body[field];
  }
  if (!host.developerRole || host.refusedMessageFields.length > 0 || host.toolCallIds !== "openai") gateMessages(gate);
}

function gateTokens({ body, model, host, warn }: Gate): void {
  const asked = body["max_completion_tokens"] ?? body["max_tokens"];
  if (typeof asked !== "number") return;
  const thinks = model.capabilities.efforts.length > 0;
  const field =
    host.maxTokensField === "by-model" ? (thinks ? "max_completion_tokens" : undefined) : host.maxTokensField;
  const kept = field ?? (body["max_completion_tokens"] === undefined ? "max_tokens" : "max_completion_tokens");
  delete body["max_completion_tokens"];
  delete body["max_tokens"];
  if (asked > model.maxOutputTokens) warn(`max_tokens: lowered to this model's ${model.maxOutputTokens}`);
  body[kept] = Math.min(asked, model.maxOutputTokens);
}

/** The effort in force, as far as it is known. */
function gateEffort(gate: Gate): Effort | undefined {
  const { body, model, warn } = gate;
  const { efforts, defaultEffort } = model.capabilities;
  const asked = effortLadder.find((effort) => effort === body["reasoning_effort"]);
  if (asked === undefined) return defaultEffort ?? (efforts.length === 0 ? "none" : undefined);
  const effort = effortOn(model, asked, effortLadder);
  delete body["reasoning_effort"];
  if (effort === undefined) {
    if (asked !== "none") warn("reasoning_effort: this model does not think");
    return "none";
  }
  if (effort !== asked) warn(`reasoning_effort: "${asked}" is not offered, "${effort}" is used`);
  writeEffort(gate, effort);
  return effort;
}

function writeEffort({ body, host, warn }: Gate, effort: Effort): void {
  switch (host.effort) {
    case "reasoning_effort":
      body["reasoning_effort"] = effort;
      break;
    case "reasoning":
      body["reasoning"] ??= effort === "none" ? { enabled: false } : { effort };
      break;
    case "thinking-type":
      body["thinking"] ??= { type: effort === "none" ? "disabled" : "enabled" };
      break;
    case "none":
      warn("reasoning_effort: not offered by this host");
      break;
  }
}

/** What a thinking model refuses, with the value that every vendor uses anyway and that clients send out of habit. */
const samplingDefaults: Readonly<Record<string, JsonValue>> = {
  temperature: 1,
  top_p: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  logprobs: false,
  top_logprobs: 0,
  logit_bias: {},
};
const maxTemperature = 2;

function gateSampling({ body, model, host, warn }: Gate, effort: Effort | undefined): void {
  const { sampling } = model.capabilities;
  const fixed = sampling === "default-only" || (sampling === "when-not-thinking" && effort !== "none");
  if (fixed) {
    for (const [field, usual] of Object.entries(samplingDefaults)) {
      const value = body[field];
      if (value === undefined || value === null || value === usual) continue;
      if (!isIdle(field, value)) warn(`${field}: this model takes only its default`);
      delete body[field];
    }
  }
  const temperature = body["temperature"];
  if (typeof temperature === "number" && temperature > maxTemperature) {
    warn(`temperature: lowered to ${maxTemperature}`);
    body["temperature"] = maxTemperature;
  }
  if (body["top_k"] !== undefined && (fixed || !host.topK)) {
    warn("top_k: not offered here");
    delete body["top_k"];
  }
  if (host.seedField !== "seed" && body["seed"] !== undefined) {
    body[host.seedField] = body["seed"];
    delete body["seed"];
  }
}

function gateStops({ body, model, host, warn }: Gate): void {
  const { stop } = body;
  if (stop === undefined || stop === null) return;
  if (!model.capabilities.stop) {
    if (!isIdle("stop", stop)) warn("stop: this model takes no stop sequences");
    delete body["stop"];
  } else if (Array.isArray(stop) && stop.length > host.maxStops) {
    warn(`stop: only the first ${host.maxStops} are used`);
    body["stop"] = stop.slice(0, host.maxStops);
  }
}

function gateTools(gate: Gate): void {
  const { body, model, warn } = gate;
  const { tools } = body;
  if (!Array.isArray(tools) || tools.length === 0) {
    // Vendors refuse words about tools where there are none.
    if (body["functions"] === undefined)
      for (const field of ["tools", "tool_choice", "parallel_tool_calls"]) delete body[field];
    return;
  }
  if (!model.capabilities.tools)
    throw new GatewayError("unsupported", `${model.id} calls no tools.`, { param: "tools" });
  if (body["parallel_tool_calls"] !== undefined && !model.capabilities.parallelTools) {
    // One call at a time is all this model does.
    if (body["parallel_tool_calls"] === true) warn("parallel_tool_calls: this model calls one tool at a time");
    delete body["parallel_tool_calls"];
  }
  gateToolChoice(gate, tools);
}

function gateToolChoice({ body, model, host, warn }: Gate, tools: readonly JsonValue[]): void {
  const choice = body["tool_choice"];
  if (isJsonObject(choice) && choice["type"] === "allowed_tools" && !host.allowedTools) {
    const allowed = isJsonObject(choice["allowed_tools"]) ? choice["allowed_tools"] : {};
    const names = Array.isArray(allowed["tools"]) ? allowed["tools"].map((tool) => functionName(tool)) : [];
    // The order stays: what was cached before the first tool that goes can still be read.
    body["tools"] = tools.filter((tool) => names.includes(functionName(tool)));
    body["tool_choice"] = allowed["mode"] ?? "auto";
  }
  const forced = isJsonObject(body["tool_choice"])
    ? body["tool_choice"]["type"] !== "allowed_tools"
    : body["tool_choice"] === "required";
  if (forced && !model.capabilities.forcedToolChoice) {
    warn("tool_choice: this model cannot be forced to call a tool");
    body["tool_choice"] = "auto";
  } else if (body["tool_choice"] === "required") {
    body["tool_choice"] = host.forcedWord;
  }
}

function gateFormat({ body, model }: Gate): void {
  const format = body["response_format"];
  if (!isJsonObject(format) || format["type"] !== "json_schema" || model.capabilities.jsonSchema) return;
  throw new GatewayError("unsupported", `${model.id} answers to no JSON schema.`, { param: "response_format" });
}

function gateMessages({ body, host }: Gate): void {
  const { messages } = body;
  if (!Array.isArray(messages)) return;
  body["messages"] = messages.map((message: JsonValue) => gatedMessage(message, host));
}

function gatedMessage(message: JsonValue, host: ChatHost): JsonValue {
  if (!isJsonObject(message)) return message;
  const developer = message["role"] === "developer" && !host.developerRole;
  const refused = host.refusedMessageFields.filter((field) => message[field] !== undefined);
  const ids = withCallIds(message, host);
  if (!developer && refused.length === 0 && ids === undefined) return message;
  const gated: ChatBody = { ...message, ...ids, ...(developer ? { role: "system" } : undefined) };
  for (const field of refused) delete gated[field];
  return gated;
}

/** Calls that another host numbered, in a conversation that goes on here. `undefined` where nothing changes. */
function withCallIds(message: JsonObject, { toolCallIds }: ChatHost): JsonObject | undefined {
  if (toolCallIds === "openai") return undefined;
  const { tool_calls: calls, tool_call_id: answered } = message;
  if (typeof answered === "string") return { tool_call_id: toChatCallId(answered, toolCallIds) };
  if (!Array.isArray(calls)) return undefined;
  return { tool_calls: calls.map((call: JsonValue) => withCallId(call, toolCallIds)) };
}

function withCallId(call: JsonValue, kind: ChatHost["toolCallIds"]): JsonValue {
  if (!isJsonObject(call) || typeof call["id"] !== "string") return call;
  return { ...call, id: toChatCallId(call["id"], kind) };
}

function functionName(tool: JsonValue): JsonValue | undefined {
  return isJsonObject(tool) && isJsonObject(tool["function"]) ? tool["function"]["name"] : undefined;
}

/** A value that asks for nothing: leaving it out loses nothing. */
function isIdle(field: string, value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === samplingDefaults[field] || value === "") return true;
  if (field === "n") return value === 1;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" ? Object.keys(value).length === 0 : value === false;
}
