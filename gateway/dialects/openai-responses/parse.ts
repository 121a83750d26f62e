import {
  type ChatMessage,
  type ChatRequest,
  effortLadder,
  type Reasoning,
  type Sampling,
} from "../../../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import { checkName } from "../../identity.ts";
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
  readString,
} from "../read.ts";
import { itemsWithoutWords, toItems, toMessages } from "./parse-items.ts";
import { parseTextFormat, parseToolChoice, parseTools } from "./parse-tools.ts";

/**
 * A Responses body in our words. What `previous_response_id` or `conversation` stand for is not in it: it is put in
 * front where responses are kept. Throws `invalid_request` naming the field.
 */
export function parseResponse(body: JsonObject): ChatRequest {
  checkState(body);
  const text = optionalObject(body["text"], "text");
  const responseFormat = parseTextFormat(text?.["format"]);
  const toolChoice = parseToolChoice(body["tool_choice"]);
  const parallelToolCalls = optionalBoolean(body["parallel_tool_calls"], "parallel_tool_calls");
  const maxOutputTokens = optionalInteger(body["max_output_tokens"], "max_output_tokens", 1, 10_000_000);
  const reasoning = parseReasoning(body["reasoning"]);
  const endUser = nonEmpty(body, "safety_identifier") ?? nonEmpty(body, "user");
  const metadata = parseMetadata(body["metadata"]);
  const serviceTier = optionalString(body["service_tier"], "service_tier");
  const promptCacheKey = optionalString(body["prompt_cache_key"], "prompt_cache_key");
  optionalObject(body["stream_options"], "stream_options");
  return {
    dialect: "openai-responses",
    raw: body,
    model: parseModel(body["model"]),
    messages: parseMessages(body),
    injections: new Map(),
    tools: parseTools(body["tools"]),
    sampling: parseSampling(body),
    stop: [],
    stream: optionalBoolean(body["stream"], "stream") ?? false,
    includeUsage: true,
    unknownFields: unknownFields(body, text),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    ...(parallelToolCalls === undefined ? {} : { parallelToolCalls }),
    ...(responseFormat === undefined ? {} : { responseFormat }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    ...(reasoning === undefined ? {} : { reasoning }),
    ...(endUser === undefined ? {} : { endUser }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(serviceTier === undefined ? {} : { serviceTier }),
    ...(promptCacheKey === undefined ? {} : { promptCacheKey }),
  };
}

/** `instructions` as the message that leads the conversation; never carried over to the next response. */
export function instructionMessages(body: JsonObject): readonly ChatMessage[] {
  const instructions = optionalString(body["instructions"], "instructions");
  if (instructions === undefined || instructions === "") return [];
  return [{ role: "system", content: [{ type: "text", text: instructions }] }];
}

/** The conversation's id: a string, or an object that holds it. */
export function conversationId(body: JsonObject): string | undefined {
  const value = body["conversation"];
  if (value === undefined || value === null) return undefined;
  const id = isJsonObject(value) ? readString(value["id"], "conversation.id") : readString(value, "conversation");
  if (id.trim() === "") throw invalid("conversation", "is empty.");
  return checkName(id, "conversation");
}

export function previousResponseId(body: JsonObject): string | undefined {
  const id = optionalString(body["previous_response_id"], "previous_response_id");
  if (id === "") throw invalid("previous_response_id", "is empty.");
  return id;
}

/** Whether the client wants an answer's state sent along, so that it can keep the conversation itself. */
export function wantsEncryptedReasoning(body: JsonObject): boolean {
  const { include } = body;
  return Array.isArray(include) && include.includes("reasoning.encrypted_content");
}

/** What {@link parseResponse} reads; everything else is passed on to OpenAI alone and named in a warning elsewhere. */
const coveredFields = new Set([
  "model",
  "input",
  "instructions",
  "previous_response_id",
  "conversation",
  "store",
  "background",
  "stream",
  "stream_options",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "text",
  "reasoning",
  "max_output_tokens",
  "temperature",
  "top_p",
  "top_logprobs",
  "include",
  "metadata",
  "user",
  "safety_identifier",
  "service_tier",
  "prompt_cache_key",
]);

/** Includes that our words cover, or that add nothing where the vendor's own tools are not used. */
const coveredIncludes = new Set<JsonValue>(["reasoning.encrypted_content", "message.output_text.logprobs"]);

function unknownFields(body: JsonObject, text: JsonObject | undefined): readonly string[] {
  const unknown = Object.keys(body).filter((key) => !coveredFields.has(key) && !isAbsent(key, body[key]));
  const verbosity = optionalString(text?.["verbosity"], "text.verbosity");
  if (verbosity !== undefined && verbosity !== "medium") unknown.push("text.verbosity");
  const include = body["include"] ?? [];
  const asked = readArray(include, "include").map((entry, index) => readString(entry, `include[${index}]`));
  if (asked.some((entry) => !coveredIncludes.has(entry))) unknown.push("include");
  return [...unknown, ...itemsWithoutWords(body["input"])];
}

/** A field that says what would happen without it loses nothing when it is not carried. */
function isAbsent(key: string, value: JsonValue | undefined): boolean {
  return value === null || value === undefined || (key === "truncation" && value === "disabled");
}

/** What must be decided before anything else is read: fields that exclude each other, and what is not offered. */
function checkState(body: JsonObject): void {
  optionalBoolean(body["store"], "store");
  if (optionalBoolean(body["background"], "background") === true) {
    throw invalid("background", "is not offered here: leave it out, and stream the answer if it takes long.");
  }
  if (body["prompt"] !== undefined && body["prompt"] !== null) {
    throw invalid(
      "prompt",
      "names a template that is stored with OpenAI: send its text as 'instructions' and 'input'.",
    );
  }
  const conversation = conversationId(body);
  if (previousResponseId(body) !== undefined && conversation !== undefined) {
    throw invalid("previous_response_id", "and 'conversation' cannot be used together: send one of them.");
  }
}

function parseMessages(body: JsonObject): readonly ChatMessage[] {
  const { input } = body;
  const lead = instructionMessages(body);
  if (typeof input === "string") return [...lead, { role: "user", content: [{ type: "text", text: input }] }];
  if (input !== undefined && input !== null && !Array.isArray(input)) {
    throw invalid("input", `must be a string or an array of items, not ${nameOf(input)}.`);
  }
  const items = toItems(input);
  const continues = previousResponseId(body) !== undefined || conversationId(body) !== undefined;
  if (items.length === 0 && !continues)
    throw invalid("input", "is missing or empty: send a string or at least one item.");
  return [...lead, ...toMessages(items.map((item) => ({ item })))];
}

function parseModel(value: JsonValue | undefined): string {
  if (value === undefined || value === null) throw invalid("model", "is missing: name a model, or send 'auto'.");
  const model = readString(value, "model");
  if (model.trim() === "") throw invalid("model", "is empty: name a model, or send 'auto'.");
  return model;
}

function parseReasoning(value: JsonValue | undefined): Reasoning | undefined {
  const reasoning = optionalObject(value, "reasoning");
  if (reasoning === undefined) return undefined;
  const effort = optionalChoice(reasoning["effort"], "reasoning.effort", effortLadder);
  const summaries = ["auto", "concise", "detailed", "none"] as const;
  const summary =
    optionalChoice(reasoning["summary"], "reasoning.summary", summaries) ??
    optionalChoice(reasoning["generate_summary"], "reasoning.generate_summary", summaries);
  return { ...(effort === undefined ? {} : { effort }), ...(summary === undefined ? {} : { summary }) };
}

function parseMetadata(value: JsonValue | undefined): JsonObject | undefined {
  const metadata = optionalObject(value, "metadata");
  for (const [key, entry] of Object.entries(metadata ?? {})) {
    if (typeof entry !== "string")
      throw invalid(`metadata.${key.slice(0, 64)}`, `must be a string, not ${nameOf(entry)}.`);
  }
  return metadata;
}

function parseSampling(body: JsonObject): Sampling {
  const temperature = optionalNumber(body["temperature"], "temperature", 0, 2);
  const topP = optionalNumber(body["top_p"], "top_p", 0, 1);
  const topLogprobs = optionalInteger(body["top_logprobs"], "top_logprobs", 0, 20);
  const { include } = body;
  const logprobs =
    (topLogprobs ?? 0) > 0 || (Array.isArray(include) && include.includes("message.output_text.logprobs"));
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(topLogprobs === undefined || topLogprobs === 0 ? {} : { topLogprobs }),
    ...(logprobs ? { logprobs } : {}),
  };
}

function nonEmpty(body: JsonObject, field: string): string | undefined {
  const text = optionalString(body[field], field);
  return text === "" ? undefined : text;
}
