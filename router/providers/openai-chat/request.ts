import { createHash } from "node:crypto";
import type { ChatRequest, ChatTool, ResponseFormat, ToolChoice } from "../../chat.ts";
import { askedEffort } from "../../carry.ts";
import { GatewayError } from "../../errors.ts";
import type { JsonObject, JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { ProviderCall } from "../../provider.ts";
import type { ToolNames } from "../tool-names.ts";
import type { ChatBody } from "./gate.ts";
import { gateChatBody } from "./gate.ts";
import type { ChatHost } from "./host.ts";
import { toChatMessages } from "./messages.ts";

/**
 * The Chat Completions body for one call: the client's own with the model, its memory blocks and what the model forbids
 * changed, or a translation of our words.
 */
export function toChatBody(call: ProviderCall, host: ChatHost, names: ToolNames): JsonObject {
  const { request, model, warn } = call;
  const body = request.dialect === "openai-chat" ? passThrough(request, host) : translate(call, host, names);
  body["model"] = model.id;
  if (request.stream && host.streamUsage) {
    const options = isJsonObject(body["stream_options"]) ? body["stream_options"] : {};
    body["stream_options"] = { ...options, include_usage: true };
  } else {
    delete body["stream_options"];
  }
  gateChatBody({ body, model, host, warn });
  return body;
}

/** What the client wrote, field by field and in its order; a vendor's prompt cache sees the same bytes as without us. */
function passThrough(request: ChatRequest, host: ChatHost): ChatBody {
  const body: ChatBody = { ...request.raw };
  if (host.cacheMarks !== "cache_control" && holdsCacheMarks(request)) {
    // Anthropic's markers: a host that does not know them refuses the whole request, and caches by itself.
    for (const field of ["messages", "tools"]) body[field] = withoutCacheMarks(body[field]);
  }
  if (request.injections.size === 0) return body;
  const messages: JsonValue[] = Array.isArray(body["messages"]) ? [...body["messages"]] : [];
  for (const [index, block] of request.injections) {
    const source = request.messages[index]?.source;
    const message = source === undefined ? undefined : messages[source];
    if (source === undefined || !isJsonObject(message)) {
      throw new GatewayError("internal", `The memory block of message ${index} has no place in the client's messages.`);
    }
    messages[source] = { ...message, content: injected(block, message["content"]) };
  }
  body["messages"] = messages;
  return body;
}

function holdsCacheMarks({ messages, raw }: ChatRequest): boolean {
  const marked = messages.some((message) =>
    message.content.some((part) => "cache" in part && part.cache !== undefined),
  );
  return marked || (Array.isArray(raw["tools"]) && raw["tools"].some(isMarked));
}

function isMarked(value: JsonValue): boolean {
  return isJsonObject(value) && value["cache_control"] !== undefined;
}

/** The marks of a list's entries and of the parts in them. */
function withoutCacheMarks(list: JsonValue | undefined): JsonValue | undefined {
  if (!Array.isArray(list)) return list;
  return list.map((entry: JsonValue): JsonValue => {
    if (!isJsonObject(entry)) return entry;
    const { cache_control: _mark, ...rest } = entry;
    return Array.isArray(rest["content"])
      ? { ...rest, content: withoutCacheMarks(rest["content"]) ?? null }
      : isMarked(entry)
        ? rest
        : entry;
  });
}

function injected(block: string, content: JsonValue | undefined): JsonValue {
  if (Array.isArray(content)) return [{ type: "text", text: block }, ...content];
  return typeof content === "string" ? `${block}\n\n${content}` : block;
}

function translate({ request, model, warn }: ProviderCall, host: ChatHost, names: ToolNames): ChatBody {
  const { sampling } = request;
  const body: ChatBody = {
    model: model.id,
    messages: toChatMessages(request, { host, capabilities: model.capabilities, names, warn }),
    tools: request.tools.map((tool) => toTool(tool, names)),
    tool_choice: request.toolChoice === undefined ? undefined : toToolChoice(request.toolChoice, names),
    parallel_tool_calls: request.parallelToolCalls,
    response_format: request.responseFormat === undefined ? undefined : toFormat(request.responseFormat),
    temperature: sampling.temperature,
    top_p: sampling.topP,
    top_k: sampling.topK,
    frequency_penalty: sampling.frequencyPenalty,
    presence_penalty: sampling.presencePenalty,
    seed: sampling.seed,
    logit_bias: sampling.logitBias,
    logprobs: sampling.logprobs,
    top_logprobs: sampling.topLogprobs,
    n: sampling.choices,
    max_tokens: request.maxOutputTokens,
    stop: request.stop.length === 0 ? undefined : request.stop,
    reasoning_effort: askedEffort(request),
    service_tier: request.serviceTier === undefined ? undefined : toServiceTier(request.serviceTier),
    stream: request.stream ? true : undefined,
    ...hints(request, host),
  };
  if (request.unknownFields.length > 0) warn(`${request.unknownFields.join(", ")}: not known to this protocol`);
  return body;
}

/** Advice to the vendor that changes no answer: given where it is understood. */
function hints(request: ChatRequest, host: ChatHost): ChatBody {
  const user = request.endUser === undefined ? undefined : toEndUser(request.endUser);
  return {
    ...(user === undefined || host.endUserField === "none" ? undefined : { [host.endUserField]: user }),
    ...(request.promptCacheKey === undefined || host.refusedFields.includes("prompt_cache_key")
      ? undefined
      : { prompt_cache_key: request.promptCacheKey }),
  };
}

/** Always hashed: an address of a person must not reach a vendor because a client used it as an id. */
export function toEndUser(endUser: string): string {
  return createHash("sha256").update(endUser).digest("hex");
}

/** Anthropic says `standard_only` for what OpenAI calls `default`. */
export function toServiceTier(tier: string): string {
  return tier === "standard_only" || tier === "standard" ? "default" : tier;
}

function toTool(tool: ChatTool, names: ToolNames): JsonObject {
  if (tool.type === "vendor") {
    if (tool.state.protocol === "openai-chat" && isJsonObject(tool.state.value)) return tool.state.value;
    throw new GatewayError("unsupported", `The tool ${tool.name} belongs to ${tool.state.protocol}.`, {
      param: "tools",
    });
  }
  return {
    type: "function",
    function: {
      name: names.toVendor(tool.name),
      ...(tool.description === undefined ? undefined : { description: tool.description }),
      parameters: tool.parameters ?? { type: "object", properties: {} },
      ...(tool.strict === undefined ? undefined : { strict: tool.strict }),
    },
  };
}

function toToolChoice(choice: ToolChoice, names: ToolNames): JsonValue {
  const named = (name: string): JsonObject => ({ type: "function", function: { name: names.toVendor(name) } });
  if (choice.type === "tool") return named(choice.name);
  if (choice.type !== "allowed") return choice.type;
  return {
    type: "allowed_tools",
    allowed_tools: { mode: choice.mode, tools: choice.names.map((name) => named(name)) },
  };
}

function toFormat(format: ResponseFormat): JsonObject | undefined {
  if (format.type === "text") return undefined;
  if (format.type === "json-object") return { type: "json_object" };
  const { name, description, schema, strict } = format;
  return {
    type: "json_schema",
    json_schema: {
      name,
      ...(description === undefined ? undefined : { description }),
      schema,
      ...(strict === undefined ? undefined : { strict }),
    },
  };
}
