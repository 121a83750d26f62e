import { effortLadder } from "../../chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";
import type { ProviderCall } from "../../provider.ts";
import type { ToolNames } from "../tool-names.ts";
import { toSampling } from "./sampling.ts";
import { bindsThinking, thinksWithinBudget, toThinkingSettings } from "./thinking.ts";
import { forcesCall, toChoice } from "./tools.ts";
import { continuation } from "./turns.ts";

type Call = Pick<ProviderCall, "request" | "model" | "warn">;
type Body = Record<string, JsonValue | undefined>;

/**
 * The client's own body with only that changed which this model would refuse: the model may be of our choosing, and the
 * client cannot know what it takes. Each change is warned of; a body that the model takes is given back as it is.
 */
export function gateMessagesBody(body: JsonObject, call: Call, names: ToolNames): JsonObject {
  const gated: Body = { ...body };
  gateTokens(gated, call);
  gateThinking(gated, call);
  gateSampling(gated, call);
  gateToolChoice(gated, call, names);
  gatePrefill(gated, call);
  gateMidSystem(gated, call);
  return gated;
}

function gateTokens(body: Body, { model, warn }: Call): void {
  const asked = body["max_tokens"];
  if (typeof asked !== "number" || asked <= model.maxOutputTokens) return;
  warn(`max_tokens: this model writes at most ${model.maxOutputTokens} tokens`);
  body["max_tokens"] = model.maxOutputTokens;
}

function gateThinking(body: Body, call: Call): void {
  const { request, model, warn } = call;
  const { thinking, output_config: config } = body;
  const type = isJsonObject(thinking) ? thinking["type"] : undefined;
  const effort = isJsonObject(config) ? config["effort"] : undefined;
  if (!refusesThinking(call, type, effort)) return;
  const maxTokens = typeof body["max_tokens"] === "number" ? body["max_tokens"] : model.maxOutputTokens;
  const settings = toThinkingSettings(call, {
    maxTokens,
    // Whoever passes the body through sees to thinking in the history.
    replaysThinking: false,
    // Told apart only in a whole translation: with tools in hand, an answer without thinking beats a refusal.
    refusesBudget: request.messages.some(({ content }) => content.some((part) => part.type === "tool-result")),
    forcesCall: model.capabilities.forcedToolChoice && forcesCall(request),
  });
  if (type === "enabled") warn(`thinking.budget_tokens: not taken by this model, its effort guides it instead`);
  delete body["thinking"];
  if (settings.thinking !== undefined) body["thinking"] = settings.thinking;
  const { effort: _effort, ...rest } = isJsonObject(config) ? config : {};
  const written = { ...rest, ...(settings.effort === undefined ? undefined : { effort: settings.effort }) };
  delete body["output_config"];
  if (Object.keys(written).length > 0) body["output_config"] = written;
}

function refusesThinking({ model }: Call, type: JsonValue | undefined, effort: JsonValue | undefined): boolean {
  const { efforts } = model.capabilities;
  if (type === "enabled" && bindsThinking(model.id)) return true;
  if (type === "disabled" && efforts.length > 0 && !efforts.includes("none")) return true;
  if (type === "adaptive" && thinksWithinBudget(model.id)) return true;
  const asked = effortLadder.find((known) => known === effort);
  if (asked === undefined) return false;
  // Opus was the first to take an effort beside its budget.
  if (thinksWithinBudget(model.id) && !model.id.startsWith("claude-opus-4-5")) return true;
  return !efforts.includes(asked);
}

function gateSampling(body: Body, call: Call): void {
  const fields = ["temperature", "top_p", "top_k"].filter((field) => typeof body[field] === "number");
  if (fields.length === 0) return;
  const thinking = isJsonObject(body["thinking"]) ? body["thinking"]["type"] : undefined;
  const taken = toSampling(call, thinking === "enabled" || thinking === "adaptive");
  for (const field of fields) if (taken[field] === undefined) delete body[field];
}

function gateToolChoice(body: Body, call: Call, names: ToolNames): void {
  const { request, model } = call;
  if (model.capabilities.forcedToolChoice || !forcesCall(request)) return;
  const { choice, instruction } = toChoice(request.toolChoice, call, names);
  const serial = request.parallelToolCalls === false ? { disable_parallel_tool_use: true } : undefined;
  body["tool_choice"] = { ...(choice ?? { type: "auto" }), ...serial };
  if (instruction === undefined) return;
  const { system } = body;
  const before: readonly JsonValue[] = Array.isArray(system)
    ? system
    : typeof system === "string" && system !== ""
      ? [{ type: "text", text: system }]
      : [];
  body["system"] = [...before, { type: "text", text: instruction }];
}

function gatePrefill(body: Body, { model, warn }: Call): void {
  const { messages } = body;
  const last: JsonValue | undefined = Array.isArray(messages) ? messages.at(-1) : undefined;
  if (model.capabilities.prefill || !Array.isArray(messages) || !isJsonObject(last)) return;
  // A turn of a built-in tool that paused goes on from where it is: it is no prefill.
  if (last["role"] !== "assistant" || holdsServerTool(last["content"])) return;
  warn("prefill: this model cannot continue an answer");
  body["messages"] = [...messages, { role: "user", content: continuation }];
}

/** As a translation would send it: hoisting it would change what it means. */
function gateMidSystem(body: Body, { model, warn }: Call): void {
  const { messages } = body;
  if (model.capabilities.midSystem || !Array.isArray(messages)) return;
  if (!messages.some(isSystem)) return;
  warn("messages: a system message in the middle is sent as the user's");
  body["messages"] = messages.map((message: JsonValue) =>
    isJsonObject(message) && isSystem(message) ? { role: "user", content: tagged(message["content"]) } : message,
  );
}

function isSystem(message: JsonValue): boolean {
  return isJsonObject(message) && message["role"] === "system";
}

function tagged(content: JsonValue | undefined): JsonValue {
  if (typeof content === "string") return `<system>\n${content}\n</system>`;
  if (!Array.isArray(content)) return content ?? [];
  return [{ type: "text", text: "<system>" }, ...content, { type: "text", text: "</system>" }];
}

function holdsServerTool(content: JsonValue | undefined): boolean {
  if (!Array.isArray(content)) return false;
  return content.some(
    (block: JsonValue) =>
      isJsonObject(block) && (block["type"] === "server_tool_use" || block["type"] === "mcp_tool_use"),
  );
}
