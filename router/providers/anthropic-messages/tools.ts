import type { ChatRequest, ChatTool, ToolChoice } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import { isJsonObject } from "../../json.ts";
import type { ProviderCall } from "../../provider.ts";
import type { ToolNameRule, ToolNames } from "../tool-names.ts";
import { type Block, cacheControl } from "./block.ts";

export const anthropicToolNames: ToolNameRule = {
  valid: /^[a-zA-Z0-9_-]{1,128}$/,
  unwanted: /[^a-zA-Z0-9_-]/g,
  maxLength: 128,
};

export type ToolSettings = {
  readonly tools: Block[];
  readonly toolChoice?: Block;
  /** Said in words what this model does not take as a parameter. */
  readonly instruction?: string;
};

export function toToolSettings(call: Pick<ProviderCall, "request" | "model" | "warn">, names: ToolNames): ToolSettings {
  const { request } = call;
  const tools = offered(request).map((tool) => toTool(tool, call, names));
  if (tools.length === 0) return { tools };
  const { choice, instruction } = toChoice(request.toolChoice, call, names);
  const single = request.parallelToolCalls === false && choice?.["type"] !== "none";
  // The flag lives inside the choice, so it needs one.
  const toolChoice = single ? { ...(choice ?? { type: "auto" }), disable_parallel_tool_use: true } : choice;
  return {
    tools,
    ...(toolChoice === undefined ? undefined : { toolChoice }),
    ...(instruction === undefined ? undefined : { instruction }),
  };
}

/** Whether the client wants a tool called, come what may. */
export function forcesCall({ tools, toolChoice }: Pick<ChatRequest, "tools" | "toolChoice">): boolean {
  if (toolChoice === undefined || tools.length === 0) return false;
  if (toolChoice.type === "allowed") return toolChoice.mode === "required";
  return toolChoice.type === "required" || toolChoice.type === "tool";
}

function offered(request: ChatRequest): readonly ChatTool[] {
  const { tools, toolChoice } = request;
  if (toolChoice?.type !== "allowed") return tools;
  return tools.filter((tool) => tool.type === "vendor" || toolChoice.names.includes(tool.name));
}

function toTool(tool: ChatTool, { model, warn }: Pick<ProviderCall, "model" | "warn">, names: ToolNames): Block {
  if (tool.type === "vendor") {
    if (tool.state.protocol === "anthropic-messages" && isJsonObject(tool.state.value)) return { ...tool.state.value };
    throw new GatewayError("unsupported", `Anthropic has no tool "${tool.name}" of ${tool.state.protocol}.`, {
      param: "tools",
    });
  }
  const strict = tool.strict === true && model.capabilities.jsonSchema;
  if (tool.strict === true && !strict) warn(`tools "${tool.name}": this model does not enforce strict arguments`);
  return {
    name: names.toVendor(tool.name),
    ...(tool.description === undefined ? undefined : { description: tool.description.toWellFormed() }),
    input_schema: { type: "object", ...(tool.parameters ?? { properties: {} }) },
    ...(strict ? { strict: true } : undefined),
    ...cacheControl(tool.cache),
  };
}

/** The choice as this model takes it, with a warning and words for what it does not take. */
export function toChoice(
  choice: ToolChoice | undefined,
  { model, warn }: Pick<ProviderCall, "model" | "warn">,
  names: ToolNames,
): { readonly choice?: Block; readonly instruction?: string } {
  if (choice === undefined) return {};
  if (choice.type === "none") return { choice: { type: "none" } };
  if (choice.type === "auto" || (choice.type === "allowed" && choice.mode === "auto")) {
    return { choice: { type: "auto" } };
  }
  const name = choice.type === "tool" ? names.toVendor(choice.name) : undefined;
  if (model.capabilities.forcedToolChoice)
    return { choice: name === undefined ? { type: "any" } : { type: "tool", name } };
  warn("tool_choice: this model cannot be forced to call a tool");
  const which = name === undefined ? "one of your tools" : `the tool "${name}"`;
  return { choice: { type: "auto" }, instruction: `Answer by calling ${which}. Do not answer in text.` };
}
