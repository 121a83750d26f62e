import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { answer } from "./brain.ts";
import type { SandboxModel } from "./models.ts";
import { checkChat } from "./openai-chat-rules.ts";
import { toOpenaiErrorBody } from "./openai-error.ts";
import { digest } from "./seal.ts";
import { attachmentTokens, countTokens, splitArguments, splitIntoDeltas } from "./tokens.ts";
import {
  emptyTurn,
  type Answer,
  type Attachment,
  type FormatView,
  type PromptSegment,
  type RequestView,
  type ToolChoiceView,
  type Turn,
} from "./view.ts";
import {
  asNumber,
  asObjects,
  asText,
  asTexts,
  parseArguments,
  serverSentEvents,
  toAttachment,
  toDataFrame,
  type Exchange,
  type Reply,
  type SandboxState,
} from "./wire.ts";

const mostChoices = 8;

/** Chat Completions. */
export function createOpenaiChat(state: SandboxState): (exchange: Exchange, model: SandboxModel) => Reply {
  return ({ body, apiKey }, model) => {
    checkChat(body, model);
    const view = toView(body, model);
    const { refuse, words, ...delivery } = state.failures.take("openai", model.id, view);
    const result = answer(view, { refuse, words });
    const segments = toSegments(body);
    const promptTokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
    const use = state.cache.automatic(`${apiKey}/${model.id}`, segments);
    const choices = Math.min(asNumber(body["n"]) ?? 1, mostChoices);
    const calls = result.toolCalls.map((call, index) => ({
      id: `call_sandbox_${digest(JSON.stringify(body["messages"]), String(index))}`,
      type: "function",
      function: { name: call.name, arguments: JSON.stringify(call.arguments) },
    }));
    const context: Context = {
      head: {
        id: `chatcmpl-sandbox-${state.nextNumber()}-${digest(JSON.stringify(body))}`,
        created: Math.floor(state.now() / 1_000),
        model: asText(body["model"]),
        service_tier: "default",
        system_fingerprint: "fp_sandbox",
      },
      result,
      calls,
      choices,
      usage: toUsage({
        result,
        choices,
        promptTokens,
        cached: Math.min(use.read, promptTokens),
        written: model.reportsCacheWrites ? Math.min(use.write5m, promptTokens - Math.min(use.read, promptTokens)) : 0,
      }),
    };
    if (body["stream"] !== true)
      return {
        kind: "json",
        body: toCompletion(context),
        headers: { "x-request-id": `req_sandbox_${state.nextNumber()}` },
        delivery,
      };
    const options = isJsonObject(body["stream_options"]) ? body["stream_options"] : {};
    return {
      kind: "stream",
      contentType: serverSentEvents,
      frames: toFrames(context, options["include_usage"] === true),
      toErrorFrames: (problem) => [toDataFrame({ error: toOpenaiErrorBody(problem) })],
      delivery,
    };
  };
}

type ChatCall = {
  readonly id: string;
  readonly type: string;
  readonly function: { readonly name: string; readonly arguments: string };
};
type Context = {
  readonly head: JsonObject;
  readonly result: Answer;
  readonly calls: readonly ChatCall[];
  readonly choices: number;
  readonly usage: JsonObject;
};

function toView(body: JsonObject, model: SandboxModel): RequestView {
  const effort = asText(body["reasoning_effort"]);
  const thinking = effort === "" ? (model.thinks === "always" ? "medium" : undefined) : effort;
  const maxTokens = asNumber(body["max_completion_tokens"]) ?? asNumber(body["max_tokens"]);
  return {
    turns: toTurns(asObjects(body["messages"])),
    tools: asObjects(body["tools"]).flatMap((tool) => {
      const { function: inner } = tool;
      if (!isJsonObject(inner)) return [];
      const parameters = isJsonObject(inner["parameters"]) ? inner["parameters"] : { type: "object", properties: {} };
      return [{ name: asText(inner["name"]), description: asText(inner["description"]), parameters }];
    }),
    toolChoice: toToolChoice(body["tool_choice"]),
    parallelToolCalls: body["parallel_tool_calls"] !== false,
    format: toFormat(body["response_format"]),
    stop: asTexts(body["stop"]),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(thinking === undefined ? {} : { thinking }),
  };
}

function toTurns(messages: readonly JsonObject[]): Turn[] {
  const turns: Turn[] = [];
  const names = new Map<string, string>();
  for (const message of messages) {
    const role = asText(message["role"]);
    const parts = asObjects(message["content"]);
    const texts = [...asTexts(message["content"]), ...parts.map((part) => asText(part["text"]))].filter(
      (text) => text !== "",
    );
    if (role === "tool") {
      const id = asText(message["tool_call_id"]);
      const result = { id, text: texts.join("\n"), isError: false, name: names.get(id) };
      const last = turns.at(-1);
      // Results of one turn stand together, as one vendor's protocol has them: the brain answers them all at once.
      if (last?.role === "user" && last.toolResults.length > 0 && last.texts.length === 0) {
        turns[turns.length - 1] = { ...last, toolResults: [...last.toolResults, result] };
      } else turns.push({ ...emptyTurn("user"), toolResults: [result] });
      continue;
    }
    const toolCalls = asObjects(message["tool_calls"]).flatMap((call) => {
      if (!isJsonObject(call["function"])) return [];
      const name = asText(call["function"]["name"]);
      names.set(asText(call["id"]), name);
      return [{ id: asText(call["id"]), name, arguments: parseArguments(asText(call["function"]["arguments"])) }];
    });
    const turnRole = role === "assistant" || role === "user" ? role : "system";
    turns.push({ ...emptyTurn(turnRole), texts, toolCalls, attachments: parts.flatMap(toAttachments) });
  }
  return turns;
}

function toAttachments(part: JsonObject): Attachment[] {
  const { image_url: image, input_audio: audio, file } = part;
  if (isJsonObject(image)) return [toAttachment("image", asText(image["url"]))];
  if (isJsonObject(audio))
    return [toAttachment("audio", `data:audio/${asText(audio["format"])};base64,${asText(audio["data"])}`)];
  if (isJsonObject(file)) return [toAttachment("file", asText(file["file_data"]) || asText(file["file_id"]))];
  return [];
}

export function toToolChoice(choice: JsonValue | undefined): ToolChoiceView {
  if (choice === "none") return { type: "none" };
  if (choice === "required") return { type: "required" };
  if (!isJsonObject(choice)) return { type: "auto" };
  const inner = isJsonObject(choice["function"]) ? choice["function"] : choice;
  if (choice["type"] === "function") return { type: "required", names: [asText(inner["name"])] };
  const allowed = isJsonObject(choice["allowed_tools"]) ? choice["allowed_tools"] : choice;
  if (choice["type"] === "allowed_tools" && allowed["mode"] === "required") {
    const names = asObjects(allowed["tools"]).map((tool) =>
      asText(isJsonObject(tool["function"]) ? tool["function"]["name"] : tool["name"]),
    );
    return { type: "required", names };
  }
  return { type: "auto" };
}

function toFormat(format: JsonValue | undefined): FormatView {
  if (!isJsonObject(format)) return { type: "text" };
  if (format["type"] === "json_object") return { type: "json-object" };
  const wanted = format["json_schema"];
  if (format["type"] !== "json_schema" || !isJsonObject(wanted)) return { type: "text" };
  return { type: "schema", schema: isJsonObject(wanted["schema"]) ? wanted["schema"] : {} };
}

/** What is counted and cached: the tools first, then each message. */
function toSegments(body: JsonObject): PromptSegment[] {
  const tools = asObjects(body["tools"]).map((tool) => JSON.stringify(tool));
  const segments = tools.map((text) => ({ text, tokens: countTokens(text) }));
  for (const message of asObjects(body["messages"])) {
    const parts = asObjects(message["content"]);
    const media = parts.filter((part) => part["type"] !== "text" && part["type"] !== "refusal");
    const texts = [...asTexts(message["content"]), ...parts.map((part) => asText(part["text"]))];
    const calls = message["tool_calls"] === undefined ? "" : JSON.stringify(message["tool_calls"]);
    const said = `${asText(message["role"])}\n${texts.join("\n")}${calls}`;
    // Media goes into the key by its digest: a different picture is a different prefix, at a fixed price.
    const text = media.length === 0 ? said : `${said}\n${digest(JSON.stringify(media))}`;
    segments.push({ text, tokens: countTokens(said) + media.length * attachmentTokens });
  }
  return segments;
}

function toUsage(counts: {
  readonly result: Answer;
  readonly choices: number;
  readonly promptTokens: number;
  readonly cached: number;
  readonly written: number;
}): JsonObject {
  const reasoning = counts.result.thinkingTokens * counts.choices;
  const completion = counts.result.outputTokens * counts.choices + reasoning;
  return {
    prompt_tokens: counts.promptTokens,
    completion_tokens: completion,
    total_tokens: counts.promptTokens + completion,
    prompt_tokens_details: { cached_tokens: counts.cached, audio_tokens: 0, cache_write_tokens: counts.written },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

const finishReasons = {
  stop: "stop",
  "stop-sequence": "stop",
  length: "length",
  "tool-calls": "tool_calls",
  refusal: "stop",
} as const;

function toCompletion({ head, result, calls, choices, usage }: Context): JsonObject {
  const isRefusal = result.finish === "refusal";
  const message = {
    role: "assistant",
    content: isRefusal || calls.length > 0 ? null : result.text,
    refusal: isRefusal ? result.text : null,
    annotations: [],
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  const { id, created, model, ...rest } = head;
  const list = Array.from({ length: choices }, (_, index) => ({
    index,
    message,
    logprobs: null,
    finish_reason: finishReasons[result.finish],
  }));
  return { id, object: "chat.completion", created, model, choices: list, usage, ...rest };
}

function toFrames({ head, result, calls, choices, usage }: Context, includeUsage: boolean): string[] {
  const frames: string[] = [];
  const push = (list: readonly JsonValue[], extra: JsonObject): void => {
    const { id, created, model, ...rest } = head;
    const padding = digest(String(frames.length)).slice(0, 1 + (frames.length % 12));
    frames.push(
      toDataFrame({
        id,
        object: "chat.completion.chunk",
        created,
        model,
        ...rest,
        choices: list,
        ...extra,
        obfuscation: padding,
      }),
    );
  };
  const extra = includeUsage ? { usage: null } : {};
  for (let index = 0; index < choices; index += 1) {
    const send = (delta: JsonObject, finish: string | null = null): void => {
      push([{ index, delta, logprobs: null, finish_reason: finish }], extra);
    };
    send({ role: "assistant", content: calls.length > 0 ? null : "", refusal: null });
    const field = result.finish === "refusal" ? "refusal" : "content";
    for (const delta of calls.length > 0 ? [] : splitIntoDeltas(result.text)) send({ [field]: delta });
    calls.forEach((call, position) => {
      send({ tool_calls: [{ index: position, ...call, function: { name: call.function.name, arguments: "" } }] });
      for (const piece of splitArguments(call.function.arguments))
        send({ tool_calls: [{ index: position, function: { arguments: piece } }] });
    });
    send({}, finishReasons[result.finish]);
  }
  if (includeUsage) push([], { usage });
  frames.push("data: [DONE]\n\n");
  return frames;
}
