import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { answer } from "./brain.ts";
import type { SandboxModel } from "./models.ts";
import { toToolChoice } from "./openai-chat.ts";
import { toOpenaiErrorBody } from "./openai-error.ts";
import { checkItems, checkResponses } from "./openai-responses-rules.ts";
import { toResponseFrames } from "./openai-responses-stream.ts";
import { ResponseStore } from "./response-store.ts";
import { digest, makeSeal } from "./seal.ts";
import { attachmentTokens, countTokens } from "./tokens.ts";
import {
  emptyTurn,
  type Answer,
  type Attachment,
  type FormatView,
  type PromptSegment,
  type RequestView,
  type Turn,
} from "./view.ts";
import {
  Refusal,
  asNumber,
  asObjects,
  asText,
  asTexts,
  parseArguments,
  serverSentEvents,
  toAttachment,
  type Exchange,
  type Reply,
  type SandboxState,
} from "./wire.ts";

/** The Responses endpoint, and the responses it keeps. */
export function createOpenaiResponses(state: SandboxState): {
  readonly create: (exchange: Exchange, model: SandboxModel) => Reply;
  readonly stored: (exchange: Exchange) => Reply;
} {
  const store = new ResponseStore();
  const create = ({ body, apiKey }: Exchange, model: SandboxModel): Reply => {
    checkResponses(body, model);
    const items = [...earlierItems(body, store), ...toItems(body["input"])].map((item) => dereference(item, store));
    checkItems(items, apiKey, (id) => store.findItem(id) !== undefined);
    const view = toView(body, items, model);
    const { refuse, words, ...delivery } = state.failures.take("openai", model.id, view);
    const result = answer(view, { refuse, words });
    const segments = toSegments(body, items);
    const use = state.cache.automatic(`${apiKey}/${model.id}`, segments);
    const inputTokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
    const cached = Math.min(use.read, inputTokens);
    const written = model.reportsCacheWrites ? Math.min(use.write5m, inputTokens - cached) : 0;
    const key = `${state.nextNumber()}_${digest(JSON.stringify(body))}`;
    const output = toOutput({ body, result, key, apiKey, turnKey: digest(JSON.stringify(items)) });
    const response = toResponse({
      body,
      result,
      output,
      id: `resp_sandbox_${key}`,
      createdAt: Math.floor(state.now() / 1_000),
      usage: toUsage(result, inputTokens, cached, written),
    });
    if (body["store"] !== false && delivery.failure === undefined) {
      store.add({ id: asText(response["id"]), response, items: [...items, ...output] });
    }
    if (body["stream"] !== true)
      return { kind: "json", body: response, headers: { "x-request-id": `req_sandbox_${key}` }, delivery };
    return {
      kind: "stream",
      contentType: serverSentEvents,
      frames: toResponseFrames(response),
      toErrorFrames: (problem, sent) => toFailedFrames(response, toOpenaiErrorBody(problem), sent),
      delivery,
    };
  };
  const stored = ({ method, path }: Exchange): Reply => {
    const id = decodeURIComponent(path.slice("/v1/responses/".length));
    const entry = store.get(id);
    if (entry === undefined) throw new Refusal(404, `Response with id '${id}' not found.`, { param: "id" });
    const delivery = state.failures.take("openai", asText(entry.response["model"]), undefined);
    if (method === "GET") return { kind: "json", body: entry.response, delivery };
    if (method !== "DELETE") throw new Refusal(404, `Invalid URL (${method} ${path})`);
    store.delete(id);
    return { kind: "json", body: { id, object: "response", deleted: true }, delivery };
  };
  return { create, stored };
}

function earlierItems(body: JsonObject, store: ResponseStore): readonly JsonObject[] {
  const id = asText(body["previous_response_id"]);
  if (id === "") return [];
  const entry = store.get(id);
  if (entry !== undefined) return entry.items;
  throw new Refusal(400, `Previous response with id '${id}' not found.`, {
    code: "previous_response_not_found",
    param: "previous_response_id",
  });
}

function dereference(item: JsonObject, store: ResponseStore): JsonObject {
  if (item["type"] !== "item_reference") return item;
  const id = asText(item["id"]);
  const found = store.findItem(id);
  if (found === undefined) throw new Refusal(404, `Item with id '${id}' not found.`, { param: "input" });
  return found;
}

function toItems(input: JsonValue | undefined): JsonObject[] {
  return typeof input === "string" ? [{ type: "message", role: "user", content: input }] : asObjects(input);
}

function toView(body: JsonObject, items: readonly JsonObject[], model: SandboxModel): RequestView {
  const instructions = asText(body["instructions"]);
  const system = instructions === "" ? [] : [{ ...emptyTurn("system"), texts: [instructions] }];
  const reasoning = isJsonObject(body["reasoning"]) ? body["reasoning"] : {};
  const effort = asText(reasoning["effort"]) || (model.thinks === "always" ? "medium" : "");
  const maxTokens = asNumber(body["max_output_tokens"]);
  return {
    turns: [...system, ...toTurns(items)],
    tools: asObjects(body["tools"]).flatMap((tool) => {
      if (tool["type"] !== "function") return [];
      const parameters = isJsonObject(tool["parameters"]) ? tool["parameters"] : { type: "object", properties: {} };
      return [{ name: asText(tool["name"]), description: asText(tool["description"]), parameters }];
    }),
    toolChoice: toToolChoice(body["tool_choice"]),
    parallelToolCalls: body["parallel_tool_calls"] !== false,
    format: toFormat(isJsonObject(body["text"]) ? body["text"]["format"] : undefined),
    stop: [],
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(effort === "" ? {} : { thinking: effort }),
  };
}

function toTurns(items: readonly JsonObject[]): Turn[] {
  const turns: Turn[] = [];
  const names = new Map<string, string>();
  for (const item of items) {
    const id = asText(item["call_id"]);
    const last = turns.at(-1);
    if (item["type"] === "function_call") {
      names.set(id, asText(item["name"]));
      const call = { id, name: asText(item["name"]), arguments: parseArguments(asText(item["arguments"])) };
      if (last?.role === "assistant") turns[turns.length - 1] = { ...last, toolCalls: [...last.toolCalls, call] };
      else turns.push({ ...emptyTurn("assistant"), toolCalls: [call] });
    } else if (item["type"] === "function_call_output") {
      const text = [...asTexts(item["output"]), ...asObjects(item["output"]).map((part) => asText(part["text"]))].join(
        "\n",
      );
      const result = { id, text, isError: false, name: names.get(id) };
      if (last?.role === "user" && last.toolResults.length > 0 && last.texts.length === 0) {
        turns[turns.length - 1] = { ...last, toolResults: [...last.toolResults, result] };
      } else turns.push({ ...emptyTurn("user"), toolResults: [result] });
    } else if (item["role"] !== undefined) {
      const role = item["role"] === "assistant" || item["role"] === "user" ? item["role"] : "system";
      const parts = asObjects(item["content"]);
      const texts = [...asTexts(item["content"]), ...parts.map((part) => asText(part["text"]))].filter(
        (text) => text !== "",
      );
      turns.push({ ...emptyTurn(role), texts, attachments: parts.flatMap(toAttachments) });
    }
  }
  return turns;
}

function toAttachments(part: JsonObject): Attachment[] {
  if (part["type"] === "input_image")
    return [toAttachment("image", asText(part["image_url"]) || asText(part["file_id"]))];
  if (part["type"] === "input_file")
    return [toAttachment("file", asText(part["file_data"]) || asText(part["file_url"]) || asText(part["file_id"]))];
  return [];
}

function toFormat(format: JsonValue | undefined): FormatView {
  if (!isJsonObject(format)) return { type: "text" };
  if (format["type"] === "json_object") return { type: "json-object" };
  if (format["type"] !== "json_schema") return { type: "text" };
  return { type: "schema", schema: isJsonObject(format["schema"]) ? format["schema"] : {} };
}

function toSegments(body: JsonObject, items: readonly JsonObject[]): PromptSegment[] {
  const instructions = asText(body["instructions"]);
  const texts = [
    ...asObjects(body["tools"]).map((tool) => JSON.stringify(tool)),
    ...(instructions === "" ? [] : [instructions]),
  ];
  const segments = texts.map((text) => ({ text, tokens: countTokens(text) }));
  for (const item of items) {
    const media = asObjects(item["content"]).filter(
      (part) => part["type"] === "input_image" || part["type"] === "input_file",
    );
    // Only what the model reads is counted: the id of an item is not.
    const said = [item["role"], item["name"], item["arguments"], item["output"], readableContent(item)]
      .map((value) => (typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value)))
      .join("\n")
      .trim();
    const text = media.length === 0 ? said : `${said}\n${digest(JSON.stringify(media))}`;
    segments.push({ text, tokens: countTokens(said) + media.length * attachmentTokens });
  }
  return segments;
}

function readableContent(item: JsonObject): string {
  return [...asTexts(item["content"]), ...asObjects(item["content"]).map((part) => asText(part["text"]))].join("\n");
}

function toUsage(result: Answer, inputTokens: number, cached: number, written: number): JsonObject {
  const outputTokens = result.outputTokens + result.thinkingTokens;
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: result.thinkingTokens },
    total_tokens: inputTokens + outputTokens,
  };
}

function toOutput(made: {
  readonly body: JsonObject;
  readonly result: Answer;
  readonly key: string;
  readonly apiKey: string;
  readonly turnKey: string;
}): JsonObject[] {
  const { body, result, key } = made;
  const output: JsonObject[] = [];
  if (result.thinking !== "") {
    const wanted = isJsonObject(body["reasoning"]) ? body["reasoning"]["summary"] : undefined;
    const summary = typeof wanted === "string" ? [{ type: "summary_text", text: result.thinking }] : [];
    const sealed = asTexts(body["include"]).includes("reasoning.encrypted_content");
    const encrypted = sealed
      ? {
          encrypted_content: makeSeal({
            kind: "reasoning",
            key: digest(made.apiKey),
            thinking: digest(result.thinking),
          }),
        }
      : {};
    output.push({ id: `rs_sandbox_${key}`, type: "reasoning", ...encrypted, summary });
  }
  result.toolCalls.forEach((call, index) => {
    output.push({
      id: `fc_sandbox_${key}_${index}`,
      type: "function_call",
      status: "completed",
      arguments: JSON.stringify(call.arguments),
      call_id: `call_sandbox_${digest(made.turnKey, String(index))}`,
      name: call.name,
    });
  });
  if (result.toolCalls.length > 0 || result.text === "") return output;
  const part =
    result.finish === "refusal"
      ? { type: "refusal", refusal: result.text }
      : { type: "output_text", annotations: [], logprobs: [], text: result.text };
  const status = result.finish === "length" ? "incomplete" : "completed";
  output.push({ id: `msg_sandbox_${key}`, type: "message", status, content: [part], role: "assistant" });
  return output;
}

function toResponse(made: {
  readonly body: JsonObject;
  readonly result: Answer;
  readonly output: readonly JsonObject[];
  readonly id: string;
  readonly createdAt: number;
  readonly usage: JsonObject;
}): JsonObject {
  const { body, result } = made;
  const reasoning = isJsonObject(body["reasoning"]) ? body["reasoning"] : {};
  const text = isJsonObject(body["text"]) ? body["text"] : {};
  const isCut = result.finish === "length";
  return {
    id: made.id,
    object: "response",
    created_at: made.createdAt,
    status: isCut ? "incomplete" : "completed",
    background: false,
    error: null,
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    instructions: body["instructions"] ?? null,
    max_output_tokens: body["max_output_tokens"] ?? null,
    max_tool_calls: body["max_tool_calls"] ?? null,
    model: asText(body["model"]),
    output: made.output,
    parallel_tool_calls: body["parallel_tool_calls"] ?? true,
    previous_response_id: body["previous_response_id"] ?? null,
    prompt_cache_key: body["prompt_cache_key"] ?? null,
    prompt_cache_retention: body["prompt_cache_retention"] ?? null,
    reasoning: { effort: reasoning["effort"] ?? null, summary: reasoning["summary"] ?? null },
    safety_identifier: body["safety_identifier"] ?? null,
    service_tier: "default",
    store: body["store"] ?? true,
    temperature: body["temperature"] ?? 1,
    text: { format: text["format"] ?? { type: "text" }, verbosity: text["verbosity"] ?? "medium" },
    tool_choice: body["tool_choice"] ?? "auto",
    tools: asObjects(body["tools"]).map(withToolDefaults),
    top_logprobs: body["top_logprobs"] ?? 0,
    top_p: body["top_p"] ?? 1,
    truncation: body["truncation"] ?? "disabled",
    usage: made.usage,
    ...(typeof body["user"] === "string" ? { user: body["user"] } : {}),
    metadata: body["metadata"] ?? {},
  };
}

/** The error event carries its fields twice: nested as the endpoint sends them, and flat as its schema says. */
function toFailedFrames(response: JsonObject, error: ReturnType<typeof toOpenaiErrorBody>, sent: number): string[] {
  const code =
    error.code === "rate_limit_exceeded" || error.code === "insufficient_quota" ? error.code : "server_error";
  const failed = { ...response, status: "failed", output: [], usage: null, error: { code, message: error.message } };
  const events: JsonObject[] = [
    { type: "error", sequence_number: sent, code: error.code, message: error.message, param: error.param, error },
    { type: "response.failed", sequence_number: sent + 1, response: failed },
  ];
  return events.map((event) => `event: ${asText(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`);
}

function withToolDefaults(tool: JsonObject): JsonObject {
  return tool["type"] === "function" ? { description: null, parameters: null, strict: true, ...tool } : tool;
}
