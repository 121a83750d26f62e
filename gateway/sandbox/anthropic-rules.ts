import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { isThinking, toBlocks, toMessages, toSegments, type Message } from "./anthropic-blocks.ts";
import { checkToolUse } from "./anthropic-tool-rules.ts";
import type { SandboxModel } from "./models.ts";
import { Refusal, asNumber, asObjects, asText } from "./wire.ts";

const knownFields = new Set(
  `max_tokens messages model cache_control container diagnostics inference_geo metadata output_config service_tier speed
  stop_sequences stream system temperature thinking tool_choice tools top_k top_p user_profile_id workspace_id
  context_management mcp_servers betas`.split(/\s+/u),
);
const mostMarks = 4;

/** Refuses what the Messages API would refuse, with its words. Counting tokens needs no `max_tokens`. */
export function checkMessages(body: JsonObject, model: SandboxModel, purpose: "create" | "count"): void {
  const unknown = Object.keys(body).find((name) => !knownFields.has(name));
  if (unknown !== undefined) throw new Refusal(400, `${unknown}: Extra inputs are not permitted`);
  if (purpose === "create") checkMaxTokens(body, model);
  // JSON.stringify escapes only lone surrogates: the real parser stops at them.
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f][\da-f]{2}/iu.test(JSON.stringify(body))) {
    throw new Refusal(400, "The request body is not valid JSON: no low surrogate in string: line 1 column 1 (char 0)");
  }
  checkSampling(body, model);
  checkThinking(body, model);
  checkOutput(body, model);
  checkMarks(body);
  checkConversation(body, model);
  checkToolUse(body, model);
}

function checkMaxTokens(body: JsonObject, model: SandboxModel): void {
  const value = body["max_tokens"];
  if (value === undefined) throw new Refusal(400, "max_tokens: Field required");
  const number = asNumber(value);
  if (number === undefined || !Number.isInteger(number))
    throw new Refusal(400, "max_tokens: Input should be a valid integer");
  if (number < 1) throw new Refusal(400, "max_tokens: must be greater than or equal to 1");
  if (number > model.maxOutputTokens) {
    throw new Refusal(
      400,
      `max_tokens: ${number} > ${model.maxOutputTokens}, which is the maximum allowed number of output tokens for ${model.id}`,
    );
  }
}

function checkSampling(body: JsonObject, model: SandboxModel): void {
  const temperature = asNumber(body["temperature"]);
  if (temperature !== undefined && (temperature < 0 || temperature > 1))
    throw new Refusal(400, "temperature: range: 0..1");
  const isSet = (name: string): boolean =>
    body[name] !== undefined && body[name] !== null && (name === "top_k" || body[name] !== 1);
  if (model.sampling === "refused") {
    const refused = ["temperature", "top_p", "top_k"].find(isSet);
    if (refused !== undefined) throw new Refusal(400, `\`${refused}\` is deprecated for this model.`);
  }
  if (body["temperature"] !== undefined && body["top_p"] !== undefined && model.sampling === "free") {
    throw new Refusal(400, "`temperature` and `top_p` cannot both be specified for this model. Please use only one.");
  }
  asStops(body).forEach((stop, index) => {
    if (stop.trim() === "")
      throw new Refusal(400, `stop_sequences.${index}: each stop sequence must contain non-whitespace`);
  });
}

function asStops(body: JsonObject): string[] {
  return Array.isArray(body["stop_sequences"]) ? body["stop_sequences"].map((stop) => asText(stop)) : [];
}

function checkThinking(body: JsonObject, model: SandboxModel): void {
  const thinking = body["thinking"];
  if (!isJsonObject(thinking)) return;
  const type = asText(thinking["type"]);
  if (type === "disabled" && model.thinks === "always")
    throw new Refusal(400, '"thinking.type.disabled" is not supported for this model.');
  if (type !== "enabled") return;
  if (!model.takesThinkingBudget) {
    throw new Refusal(
      400,
      '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
    );
  }
  const budget = asNumber(thinking["budget_tokens"]);
  if (budget === undefined) throw new Refusal(400, "thinking.enabled.budget_tokens: Field required");
  if (budget < 1_024)
    throw new Refusal(400, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
  if (budget >= (asNumber(body["max_tokens"]) ?? Infinity))
    throw new Refusal(400, "`max_tokens` must be greater than `thinking.budget_tokens`.");
  if (body["temperature"] !== undefined && body["temperature"] !== 1)
    throw new Refusal(400, "`temperature` may only be set to 1 when thinking is enabled.");
  const choice = body["tool_choice"];
  if (isJsonObject(choice) && ["any", "tool"].includes(asText(choice["type"]))) {
    throw new Refusal(400, "Thinking may not be enabled when tool_choice forces tool use.");
  }
}

function checkOutput(body: JsonObject, model: SandboxModel): void {
  const output = body["output_config"];
  if (!isJsonObject(output)) return;
  const effort = asText(output["effort"]);
  if (effort !== "" && model.efforts.length === 0)
    throw new Refusal(400, "This model does not support the effort parameter.");
  if (effort !== "" && !model.efforts.includes(effort)) {
    throw new Refusal(
      400,
      `output_config.effort: Input should be ${model.efforts.map((name) => `'${name}'`).join(", ")}`,
    );
  }
  const format = output["format"];
  if (isJsonObject(format)) checkSchema(format["schema"], 0);
}

const ranges = ["minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"];
const sizes: Readonly<Record<string, readonly string[]>> = {
  number: ranges,
  integer: ranges,
  string: ["minLength", "maxLength"],
  array: ["maxItems", "uniqueItems"],
};

/** Structured output takes closed objects only, and no sizes or ranges. */
function checkSchema(schema: JsonValue | undefined, depth: number): void {
  if (!isJsonObject(schema) || depth > 20) return;
  const type = asText(schema["type"]);
  if (type === "object" && schema["additionalProperties"] !== false)
    refuseSchema("For 'object' type, 'additionalProperties' must be explicitly set to false");
  const found = (sizes[type] ?? []).filter((name) => name in schema);
  if (found.length > 0) refuseSchema(`For '${type}' type, properties ${found.join(", ")} are not supported`);
  if (type === "array" && Number(schema["minItems"] ?? 0) > 1)
    refuseSchema("For 'array' type, 'minItems' values other than 0 or 1 are not supported");
  const maps = [schema["properties"], schema["$defs"], schema["definitions"]]
    .filter(isJsonObject)
    .flatMap((map) => Object.values(map));
  const lists = [schema["anyOf"], schema["allOf"]].flatMap((list) => (Array.isArray(list) ? list : []));
  for (const inner of [...maps, ...lists, schema["items"]]) checkSchema(inner, depth + 1);
}

function refuseSchema(what: string): never {
  throw new Refusal(400, `output_config.format.schema: ${what}`);
}

function checkMarks(body: JsonObject): void {
  const marks = toSegments(body).flatMap((segment) => (segment.mark === undefined ? [] : [segment.mark]));
  if (marks.length > mostMarks)
    throw new Refusal(
      400,
      `A maximum of ${mostMarks} blocks with cache_control may be provided. Found ${marks.length}.`,
    );
  if (marks.slice(marks.indexOf("5m") + 1).includes("1h") && marks.includes("5m")) {
    throw new Refusal(
      400,
      "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    );
  }
}

function checkConversation(body: JsonObject, model: SandboxModel): void {
  if (!Array.isArray(body["messages"])) throw new Refusal(400, "messages: Field required");
  const messages = toMessages(body);
  if (messages.length === 0) throw new Refusal(400, "messages: at least one message is required");
  if (messages[0]?.role === "assistant") throw new Refusal(400, 'messages: first message must use the "user" role');
  messages.forEach((message, index) => checkMessage(message, index, model, index === messages.length - 1));
  toBlocks(body["system"]).forEach((block, index) => {
    if (asText(block["text"]) === "" && typeof body["system"] !== "string")
      throw new Refusal(400, `system.${index}: text content blocks must be non-empty`);
  });
  const last = messages.at(-1);
  if (last?.role !== "assistant") return;
  if (!model.takesPrefill) {
    throw new Refusal(
      400,
      "This model does not support assistant message prefill. The conversation must end with a user message.",
    );
  }
  if (/\s$/u.test(asText(last.blocks.at(-1)?.["text"])))
    throw new Refusal(400, "messages: final assistant content cannot end with trailing whitespace");
}

function checkMessage(message: Message, index: number, model: SandboxModel, isLast: boolean): void {
  if (message.role === "system" && !model.takesMidSystem) {
    throw new Refusal(
      400,
      'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
    );
  }
  if (!["user", "assistant", "system"].includes(message.role)) {
    throw new Refusal(400, `messages.${index}.role: Input should be 'user' or 'assistant'`);
  }
  if (message.blocks.length === 0 && !(isLast && message.role === "assistant")) {
    throw new Refusal(
      400,
      `messages.${index}: all messages must have non-empty content except for the optional final assistant message`,
    );
  }
  message.blocks.forEach((block) => {
    if (block["type"] !== "text") return;
    const text = asText(block["text"]);
    if (text === "") throw new Refusal(400, "messages: text content blocks must be non-empty");
    if (text.trim() === "") throw new Refusal(400, "messages: text content blocks must contain non-whitespace text");
  });
  if (message.role === "assistant" && message.blocks.length > 0 && isThinking(message.blocks.at(-1) ?? {})) {
    throw new Refusal(400, `messages.${index}: The final block in an assistant message cannot be \`thinking\`.`);
  }
  if (message.role === "user" && asObjects(message.blocks).some(isThinking)) {
    throw new Refusal(400, `messages.${index}: \`thinking\` blocks may only be in \`assistant\` messages`);
  }
}
