import { askedEffort } from "../../carry.ts";
import type { ChatRequest, ChatTool, ResponseFormat, ToolChoice } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import type { JsonObject, JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { ProviderCall } from "../../provider.ts";
import { toEndUser, toServiceTier } from "../openai-chat/request.ts";
import type { ToolNames } from "../tool-names.ts";
import type { ResponsesBody } from "./gate.ts";
import { gateResponsesBody } from "./gate.ts";
import { toResponsesInput } from "./input.ts";

/**
 * The Responses body for one call: the client's own with the model, its memory blocks and what the model forbids
 * changed, or a translation of our words, which the vendor does not store.
 */
export function toResponsesBody(call: ProviderCall, names: ToolNames, credential: string): JsonObject {
  const { request, model, warn } = call;
  const body =
    request.dialect === "openai-responses" ? passThrough(call, credential) : translate(call, names, credential);
  body["model"] = model.id;
  gateResponsesBody({ body, model, warn });
  return body;
}

function passThrough({ request, warn }: ProviderCall, credential: string): ResponsesBody {
  const body = withInjections(request);
  const locked = lockedReasoning(request, credential);
  if (locked.size === 0 || !Array.isArray(body["input"])) return body;
  warn("input: reasoning encrypted for another API key is left out");
  body["input"] = body["input"].filter(
    (item: JsonValue) => !isJsonObject(item) || !locked.has(item["encrypted_content"] ?? null),
  );
  return body;
}

/** Encrypted reasoning that is known to belong to another key: the vendor refuses the whole request for it. */
function lockedReasoning({ messages }: ChatRequest, credential: string): ReadonlySet<JsonValue> {
  const locked = new Set<JsonValue>();
  for (const message of messages) {
    for (const part of message.content) {
      if (part.type !== "thinking" || part.state?.protocol !== "openai-responses") continue;
      const { state } = part;
      if (state.credential === undefined || state.credential === credential || !isJsonObject(state.value)) continue;
      const encrypted = state.value["encrypted_content"];
      if (typeof encrypted === "string") locked.add(encrypted);
    }
  }
  return locked;
}

function withInjections(request: ChatRequest): ResponsesBody {
  const body: ResponsesBody = { ...request.raw };
  if (request.injections.size === 0) return body;
  const { input } = body;
  if (typeof input === "string") {
    const [block] = request.injections.values();
    body["input"] = `${block}\n\n${input}`;
    return body;
  }
  const items: JsonValue[] = Array.isArray(input) ? [...input] : [];
  for (const [index, block] of request.injections) {
    const source = request.messages[index]?.source;
    const item = source === undefined ? undefined : items[source];
    if (source === undefined || !isJsonObject(item)) {
      throw new GatewayError("internal", `The memory block of message ${index} has no place in the client's input.`);
    }
    items[source] = { ...item, content: injected(block, item["content"]) };
  }
  body["input"] = items;
  return body;
}

function injected(block: string, content: JsonValue | undefined): JsonValue {
  if (Array.isArray(content)) return [{ type: "input_text", text: block }, ...content];
  return typeof content === "string" ? `${block}\n\n${content}` : block;
}

function translate({ request, model, warn }: ProviderCall, names: ToolNames, credential: string): ResponsesBody {
  const { sampling } = request;
  const { instructions, input } = toResponsesInput(request, { names, credential, warn });
  const thinks = model.capabilities.efforts.length > 0;
  const include = [
    ...(thinks ? ["reasoning.encrypted_content"] : []),
    ...(sampling.logprobs === true ? ["message.output_text.logprobs"] : []),
  ];
  const body: ResponsesBody = {
    model: model.id,
    instructions,
    input,
    tools: request.tools.length === 0 ? undefined : request.tools.map((tool) => toTool(tool, names)),
    tool_choice: request.toolChoice === undefined ? undefined : toToolChoice(request.toolChoice, names),
    parallel_tool_calls: request.parallelToolCalls,
    text: toText(request),
    reasoning: toReasoning(request),
    temperature: sampling.temperature,
    top_p: sampling.topP,
    top_logprobs: sampling.logprobs === true ? sampling.topLogprobs : undefined,
    max_output_tokens: request.maxOutputTokens,
    service_tier: request.serviceTier === undefined ? undefined : toServiceTier(request.serviceTier),
    safety_identifier: request.endUser === undefined ? undefined : toEndUser(request.endUser),
    prompt_cache_key: request.promptCacheKey,
    store: false,
    include: include.length === 0 ? undefined : include,
    stream: request.stream ? true : undefined,
    ...sameVendorFields(request),
  };
  warnOfLosses(request, warn);
  return body;
}

/** Fields that both of the vendor's protocols have, for a client of the other one. */
const sharedFields = [
  "metadata",
  "safety_identifier",
  "user",
  "prompt_cache_retention",
  "prompt_cache_options",
  "moderation",
];

function sameVendorFields({ dialect, raw }: ChatRequest): ResponsesBody {
  const shared: ResponsesBody = {};
  if (dialect !== "openai-chat") return shared;
  for (const field of sharedFields) if (raw[field] !== undefined && raw[field] !== null) shared[field] = raw[field];
  // Only its own user hash is ours to send beside the client's.
  if (shared["user"] !== undefined && shared["safety_identifier"] === undefined)
    shared["safety_identifier"] = undefined;
  return shared;
}

function warnOfLosses({ dialect, sampling, stop, unknownFields }: ChatRequest, warn: ProviderCall["warn"]): void {
  const lost = {
    top_k: sampling.topK !== undefined,
    frequency_penalty: (sampling.frequencyPenalty ?? 0) !== 0,
    presence_penalty: (sampling.presencePenalty ?? 0) !== 0,
    seed: sampling.seed !== undefined,
    logit_bias: Object.keys(sampling.logitBias ?? {}).length > 0,
    n: (sampling.choices ?? 1) > 1,
    stop: stop.length > 0,
  };
  for (const [field, isLost] of Object.entries(lost)) if (isLost) warn(`${field}: not offered by the Responses API`);
  const carried = dialect === "openai-chat" ? [...sharedFields, "verbosity"] : [];
  const unknown = unknownFields.filter((field) => !carried.includes(field));
  if (unknown.length > 0) warn(`${unknown.join(", ")}: not known to this protocol`);
}

function toReasoning(request: ChatRequest): JsonObject | undefined {
  const effort = askedEffort(request);
  const summary = request.reasoning?.summary;
  if (effort === undefined && (summary === undefined || summary === "none")) return undefined;
  return {
    ...(effort === undefined ? undefined : { effort }),
    ...(summary === undefined || summary === "none" ? undefined : { summary }),
  };
}

function toText({ dialect, raw, responseFormat }: ChatRequest): JsonObject | undefined {
  const verbosity = dialect === "openai-chat" ? raw["verbosity"] : undefined;
  const format = responseFormat === undefined ? undefined : toFormat(responseFormat);
  if (format === undefined && typeof verbosity !== "string") return undefined;
  return {
    ...(format === undefined ? undefined : { format }),
    ...(typeof verbosity === "string" ? { verbosity } : undefined),
  };
}

function toFormat(format: ResponseFormat): JsonObject {
  if (format.type === "text") return { type: "text" };
  if (format.type === "json-object") return { type: "json_object" };
  const { name, description, schema, strict } = format;
  return {
    type: "json_schema",
    name,
    ...(description === undefined ? undefined : { description }),
    schema,
    ...(strict === undefined ? undefined : { strict }),
  };
}

function toTool(tool: ChatTool, names: ToolNames): JsonObject {
  if (tool.type === "vendor") {
    if (tool.state.protocol === "openai-responses" && isJsonObject(tool.state.value)) return tool.state.value;
    throw new GatewayError("unsupported", `The tool ${tool.name} belongs to ${tool.state.protocol}.`, {
      param: "tools",
    });
  }
  return {
    type: "function",
    name: names.toVendor(tool.name),
    ...(tool.description === undefined ? undefined : { description: tool.description }),
    parameters: tool.parameters ?? { type: "object", properties: {} },
    // Responses is strict unless told otherwise, and a schema not written for it would be refused.
    strict: tool.strict ?? false,
  };
}

function toToolChoice(choice: ToolChoice, names: ToolNames): JsonValue {
  const named = (name: string): JsonObject => ({ type: "function", name: names.toVendor(name) });
  if (choice.type === "tool") return named(choice.name);
  if (choice.type !== "allowed") return choice.type;
  return { type: "allowed_tools", mode: choice.mode, tools: choice.names.map((name) => named(name)) };
}
