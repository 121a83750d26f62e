import {
  effortLadder,
  type ChatRequest,
  type ChatTool,
  type ResponseFormat,
  type Sampling,
  type ToolChoice,
} from "../../../router/chat.ts";
import type { JsonObject, JsonValue } from "../../../router/json.ts";
import {
  invalid,
  nameOf,
  optionalBoolean,
  optionalChoice,
  optionalInteger,
  optionalNumber,
  optionalObject,
  optionalString,
  readArray,
  readObject,
  readString,
} from "../read.ts";
import { parseMessages } from "./parse-messages.ts";

/** A Chat Completions body in our words. Throws `invalid_request` naming the field. */
export function parseChatCompletion(body: JsonObject): ChatRequest {
  const stream = optionalBoolean(body["stream"], "stream") ?? false;
  const streamOptions = optionalObject(body["stream_options"], "stream_options");
  const toolChoice = parseToolChoice(body["tool_choice"] ?? legacyChoice(body["function_call"]));
  const parallelToolCalls = optionalBoolean(body["parallel_tool_calls"], "parallel_tool_calls");
  const responseFormat = parseResponseFormat(body["response_format"]);
  const maxOutputTokens =
    optionalInteger(body["max_completion_tokens"], "max_completion_tokens", 1, 10_000_000) ??
    optionalInteger(body["max_tokens"], "max_tokens", 1, 10_000_000);
  const effort = optionalChoice(body["reasoning_effort"], "reasoning_effort", effortLadder);
  const endUser =
    optionalString(body["safety_identifier"], "safety_identifier") ?? optionalString(body["user"], "user");
  const metadata = optionalObject(body["metadata"], "metadata");
  const serviceTier = optionalString(body["service_tier"], "service_tier");
  const promptCacheKey = optionalString(body["prompt_cache_key"], "prompt_cache_key");
  return {
    dialect: "openai-chat",
    raw: body,
    model: parseModel(body["model"]),
    messages: parseMessages(body["messages"]),
    injections: new Map(),
    tools: parseTools(body),
    sampling: parseSampling(body),
    stop: parseStop(body["stop"]),
    stream,
    includeUsage: optionalBoolean(streamOptions?.["include_usage"], "stream_options.include_usage") ?? false,
    unknownFields: Object.keys(body).filter((key) => !coveredFields.has(key) && !isAbsent(key, body[key])),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    ...(parallelToolCalls === undefined ? {} : { parallelToolCalls }),
    ...(responseFormat === undefined ? {} : { responseFormat }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(effort === undefined ? {} : { reasoning: { effort } }),
    ...(endUser === undefined ? {} : { endUser }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(serviceTier === undefined ? {} : { serviceTier }),
    ...(promptCacheKey === undefined ? {} : { promptCacheKey }),
  };
}

/** What {@link parseChatCompletion} reads; everything else is passed on to OpenAI alone and named in a warning elsewhere. */
const coveredFields = new Set([
  "model",
  "messages",
  "stream",
  "stream_options",
  "tools",
  "functions",
  "tool_choice",
  "function_call",
  "parallel_tool_calls",
  "response_format",
  "max_completion_tokens",
  "max_tokens",
  "reasoning_effort",
  "safety_identifier",
  "user",
  "metadata",
  "service_tier",
  "prompt_cache_key",
  "stop",
  "temperature",
  "top_p",
  "top_k",
  "frequency_penalty",
  "presence_penalty",
  "seed",
  "logit_bias",
  "logprobs",
  "top_logprobs",
  "n",
]);

/** A field that says what would happen without it loses nothing when it is not carried. */
function isAbsent(key: string, value: JsonValue | undefined): boolean {
  if (value === null || value === undefined) return true;
  if (key === "modalities") return Array.isArray(value) && value.length === 1 && value[0] === "text";
  return key === "store" && value === false;
}

function parseModel(value: JsonValue | undefined): string {
  if (value === undefined || value === null) throw invalid("model", "is missing: name a model, or send 'auto'.");
  const model = readString(value, "model");
  if (model.trim() === "") throw invalid("model", "is empty: name a model, or send 'auto'.");
  return model;
}

function parseTools(body: JsonObject): readonly ChatTool[] {
  const tools = body["tools"];
  const functions = body["functions"];
  const parsed: ChatTool[] = [];
  if (tools !== undefined && tools !== null) {
    readArray(tools, "tools").forEach((entry, index) =>
      parsed.push(parseTool(readObject(entry, `tools[${index}]`), `tools[${index}]`)),
    );
  }
  if (functions !== undefined && functions !== null) {
    readArray(functions, "functions").forEach((entry, index) => {
      parsed.push(parseFunction(readObject(entry, `functions[${index}]`), `functions[${index}]`));
    });
  }
  const names = new Set<string>();
  for (const [index, tool] of parsed.entries()) {
    if (names.has(tool.name)) throw invalid(`tools[${index}].function.name`, `'${tool.name}' is used by two tools.`);
    names.add(tool.name);
  }
  return parsed;
}

function parseTool(tool: JsonObject, path: string): ChatTool {
  const type = readString(tool["type"], `${path}.type`);
  if (type === "function") return parseFunction(readObject(tool["function"], `${path}.function`), `${path}.function`);
  const custom = optionalObject(tool["custom"], `${path}.custom`);
  const name = optionalString(custom?.["name"], `${path}.custom.name`) ?? type;
  return { type: "vendor", name, state: { protocol: "openai-chat", value: tool } };
}

function parseFunction(declared: JsonObject, path: string): ChatTool {
  const name = readString(declared["name"], `${path}.name`);
  if (name === "") throw invalid(`${path}.name`, "is empty.");
  const description = optionalString(declared["description"], `${path}.description`);
  const parameters = optionalObject(declared["parameters"], `${path}.parameters`);
  const strict = optionalBoolean(declared["strict"], `${path}.strict`);
  return {
    type: "function",
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict }),
  };
}

function legacyChoice(value: JsonValue | undefined): JsonValue | undefined {
  if (value === undefined || value === null || typeof value === "string") return value;
  return { type: "function", function: value };
}

function parseToolChoice(value: JsonValue | undefined): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") {
    return { type: optionalChoice(value, "tool_choice", ["auto", "none", "required"]) ?? "auto" };
  }
  const choice = readObject(value, "tool_choice");
  const type = readString(choice["type"], "tool_choice.type");
  switch (type) {
    case "function":
    case "custom": {
      const named = readObject(choice[type], `tool_choice.${type}`);
      return { type: "tool", name: readString(named["name"], `tool_choice.${type}.name`) };
    }
    case "allowed_tools": {
      const allowed = readObject(choice["allowed_tools"], "tool_choice.allowed_tools");
      const mode = optionalChoice(allowed["mode"], "tool_choice.allowed_tools.mode", ["auto", "required"]) ?? "auto";
      const names = readArray(allowed["tools"], "tool_choice.allowed_tools.tools").map((entry, index) => {
        const path = `tool_choice.allowed_tools.tools[${index}]`;
        const tool = readObject(entry, path);
        const kind = tool["type"] === "custom" ? "custom" : "function";
        return readString(readObject(tool[kind], `${path}.${kind}`)["name"], `${path}.${kind}.name`);
      });
      return { type: "allowed", mode, names };
    }
    default:
      throw invalid("tool_choice.type", `must be function, custom or allowed_tools, not '${type.slice(0, 40)}'.`);
  }
}

function parseResponseFormat(value: JsonValue | undefined): ResponseFormat | undefined {
  const format = optionalObject(value, "response_format");
  if (format === undefined) return undefined;
  const type = readString(format["type"], "response_format.type");
  switch (type) {
    case "text":
      return { type: "text" };
    case "json_object":
      return { type: "json-object" };
    case "json_schema": {
      const path = "response_format.json_schema";
      const declared = readObject(format["json_schema"], path);
      const description = optionalString(declared["description"], `${path}.description`);
      const strict = optionalBoolean(declared["strict"], `${path}.strict`);
      return {
        type: "json-schema",
        name: readString(declared["name"], `${path}.name`),
        schema: optionalObject(declared["schema"], `${path}.schema`) ?? { type: "object" },
        ...(description === undefined ? {} : { description }),
        ...(strict === undefined ? {} : { strict }),
      };
    }
    default:
      throw invalid("response_format.type", `must be text, json_object or json_schema, not '${type.slice(0, 40)}'.`);
  }
}

function parseStop(value: JsonValue | undefined): readonly string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) throw invalid("stop", `must be a string or an array of strings, not ${nameOf(value)}.`);
  if (value.length > 16) throw invalid("stop", `has ${value.length} entries; at most 16 are taken.`);
  return value.map((entry: JsonValue, index) => readString(entry, `stop[${index}]`));
}

function parseSampling(body: JsonObject): Sampling {
  const bias = optionalObject(body["logit_bias"], "logit_bias");
  const logitBias =
    bias === undefined
      ? undefined
      : Object.fromEntries(
          Object.entries(bias).map(([token, value]) => [
            token,
            optionalNumber(value, `logit_bias.${token}`, -100, 100) ?? 0,
          ]),
        );
  const found = {
    temperature: optionalNumber(body["temperature"], "temperature", 0, 2),
    topP: optionalNumber(body["top_p"], "top_p", 0, 1),
    topK: optionalInteger(body["top_k"], "top_k", 0, 1_000_000),
    frequencyPenalty: optionalNumber(body["frequency_penalty"], "frequency_penalty", -2, 2),
    presencePenalty: optionalNumber(body["presence_penalty"], "presence_penalty", -2, 2),
    seed: optionalInteger(body["seed"], "seed", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    logitBias,
    logprobs: optionalBoolean(body["logprobs"], "logprobs"),
    topLogprobs: optionalInteger(body["top_logprobs"], "top_logprobs", 0, 20),
    choices: optionalInteger(body["n"], "n", 1, 128),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}
