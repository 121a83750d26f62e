import type { IncomingHttpHeaders } from "node:http";
import {
  type ChatRequest,
  type ChatTool,
  type Effort,
  effortLadder,
  type Reasoning,
  type ResponseFormat,
  type ToolChoice,
} from "../../../router/chat.ts";
import type { JsonObject, JsonValue } from "../../../router/json.ts";
import {
  invalid,
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
import { headerText } from "../../identity.ts";
import { cacheMark, parseMessages, parseSystem } from "./parse-messages.ts";

/** An Anthropic Messages body in our words. Throws `invalid_request` naming the field. */
export function parseMessagesRequest(body: JsonObject, headers: IncomingHttpHeaders): ChatRequest {
  const maxOutputTokens = optionalInteger(body["max_tokens"], "max_tokens", 1, 10_000_000);
  if (maxOutputTokens === undefined) throw invalid("max_tokens", "is missing: Anthropic's Messages API requires it.");
  return { ...parsePrompt(body, headers), maxOutputTokens };
}

/** The same without `max_tokens`, which `count_tokens` does not take. */
export function parsePrompt(body: JsonObject, headers: IncomingHttpHeaders): ChatRequest {
  const stream = optionalBoolean(body["stream"], "stream") ?? false;
  const outputConfig = optionalObject(body["output_config"], "output_config");
  const reasoning = parseReasoning(body, outputConfig);
  const toolChoice = parseToolChoice(body["tool_choice"]);
  const serial = optionalBoolean(
    optionalObject(body["tool_choice"], "tool_choice")?.["disable_parallel_tool_use"],
    "tool_choice.disable_parallel_tool_use",
  );
  const responseFormat = parseFormat(outputConfig?.["format"] ?? body["output_format"]);
  const metadata = optionalObject(body["metadata"], "metadata");
  const endUser = optionalString(metadata?.["user_id"], "metadata.user_id");
  const serviceTier = optionalString(body["service_tier"], "service_tier");
  const topP = optionalNumber(body["top_p"], "top_p", 0, 1);
  const topK = optionalInteger(body["top_k"], "top_k", 0, 1_000_000);
  const temperature = optionalNumber(body["temperature"], "temperature", 0, 1);
  return {
    dialect: "anthropic-messages",
    dialectHeaders: vendorHeaders(headers),
    raw: body,
    model: parseModel(body["model"]),
    messages: [...parseSystem(body["system"]), ...parseMessages(body["messages"])],
    injections: new Map(),
    tools: parseTools(body["tools"]),
    sampling: {
      ...(temperature === undefined ? {} : { temperature }),
      ...(topP === undefined ? {} : { topP }),
      ...(topK === undefined ? {} : { topK }),
    },
    stop: parseStop(body["stop_sequences"]),
    stream,
    includeUsage: true,
    unknownFields: Object.keys(body).filter((key) => !coveredFields.has(key) && body[key] !== null),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    ...(serial === undefined ? {} : { parallelToolCalls: !serial }),
    ...(responseFormat === undefined ? {} : { responseFormat }),
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(endUser === undefined ? {} : { endUser }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(serviceTier === undefined ? {} : { serviceTier }),
  };
}

function parseModel(value: JsonValue | undefined): string {
  const model = readString(value, "model");
  if (model.trim() === "") throw invalid("model", "is empty: name a model, or send 'auto'.");
  return model;
}

function vendorHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of ["anthropic-version", "anthropic-beta"]) {
    const value = headerText(headers, name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

const coveredFields = new Set([
  "model",
  "messages",
  "system",
  "max_tokens",
  "stream",
  "tools",
  "tool_choice",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "thinking",
  "output_config",
  "output_format",
  "metadata",
  "service_tier",
]);

function parseTools(value: JsonValue | undefined): readonly ChatTool[] {
  if (value === undefined || value === null) return [];
  return readArray(value, "tools").map((entry, index) =>
    parseTool(readObject(entry, `tools[${index}]`), `tools[${index}]`),
  );
}

function parseTool(tool: JsonObject, path: string): ChatTool {
  const type = optionalString(tool["type"], `${path}.type`) ?? "custom";
  const name = optionalString(tool["name"], `${path}.name`) ?? type;
  if (type !== "custom") return { type: "vendor", name, state: { protocol: "anthropic-messages", value: tool } };
  if (name === "") throw invalid(`${path}.name`, "is empty.");
  const description = optionalString(tool["description"], `${path}.description`);
  const strict = optionalBoolean(tool["strict"], `${path}.strict`);
  return {
    type: "function",
    name: readString(tool["name"], `${path}.name`),
    parameters: readObject(tool["input_schema"], `${path}.input_schema`),
    ...(description === undefined ? {} : { description }),
    ...(strict === undefined ? {} : { strict }),
    ...cacheMark(tool),
  };
}

function parseToolChoice(value: JsonValue | undefined): ToolChoice | undefined {
  const choice = optionalObject(value, "tool_choice");
  if (choice === undefined) return undefined;
  const type = readString(choice["type"], "tool_choice.type");
  switch (type) {
    case "auto":
    case "none":
      return { type };
    case "any":
      return { type: "required" };
    case "tool":
      return { type: "tool", name: readString(choice["name"], "tool_choice.name") };
    default:
      throw invalid("tool_choice.type", `must be auto, any, tool or none, not '${type.slice(0, 40)}'.`);
  }
}

function parseFormat(value: JsonValue | undefined): ResponseFormat | undefined {
  const format = optionalObject(value, "output_config.format");
  if (format === undefined) return undefined;
  optionalChoice(format["type"], "output_config.format.type", ["json_schema"]);
  const name = optionalString(format["name"], "output_config.format.name") ?? "answer";
  return {
    type: "json-schema",
    name,
    schema: readObject(format["schema"], "output_config.format.schema"),
    strict: true,
  };
}

function parseReasoning(body: JsonObject, outputConfig: JsonObject | undefined): Reasoning | undefined {
  const thinking = optionalObject(body["thinking"], "thinking");
  const effort: Effort | undefined = optionalChoice(outputConfig?.["effort"], "output_config.effort", effortLadder);
  const type = optionalChoice(thinking?.["type"], "thinking.type", ["enabled", "disabled", "adaptive"]);
  const budgetTokens = optionalInteger(thinking?.["budget_tokens"], "thinking.budget_tokens", 1, 10_000_000);
  const display = optionalString(thinking?.["display"], "thinking.display");
  if (type === "disabled") return { effort: "none" };
  if (type === undefined && effort === undefined) return undefined;
  const shown = display === "omitted" ? "none" : type === undefined ? undefined : "auto";
  return {
    ...(effort === undefined ? {} : { effort }),
    ...(budgetTokens === undefined ? {} : { budgetTokens }),
    ...(shown === undefined ? {} : { summary: shown }),
  };
}

function parseStop(value: JsonValue | undefined): readonly string[] {
  if (value === undefined || value === null) return [];
  return readArray(value, "stop_sequences").map((entry, index) => readString(entry, `stop_sequences[${index}]`));
}
