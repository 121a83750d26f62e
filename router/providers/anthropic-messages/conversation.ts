import type { AssistantPart, ChatMessage, TextPart, ThinkingPart, ToolResultPart, UserPart } from "../../chat.ts";
import { isJsonObject } from "../../json.ts";
import type { ProviderCall } from "../../provider.ts";
import { parseToolArguments } from "../tool-arguments.ts";
import type { ToolNames } from "../tool-names.ts";
import { type Block, cacheControl, toMediaBlock, toTextBlock } from "./block.ts";
import { createToolIds } from "./tool-ids.ts";
import { repairTurns, type Turn } from "./turns.ts";

export type Conversation = { readonly system: Block[]; readonly turns: Turn[] };

type Context = {
  readonly call: Pick<ProviderCall, "request" | "model" | "warn">;
  readonly names: ToolNames;
  readonly ids: ReturnType<typeof createToolIds>;
};

/**
 * Our messages as Anthropic's `system` and `messages`: leading instructions hoisted, roles alternating, every tool call
 * answered in the next turn, the first turn the user's.
 */
export function toConversation(call: Context["call"], names: ToolNames): Conversation {
  const context: Context = { call, names, ids: createToolIds() };
  const { messages } = call.request;
  const system: Block[] = [];
  const turns: Turn[] = [];
  for (const [index, message] of messages.entries()) {
    const path = `messages[${message.source ?? index}]`;
    if (message.role !== "tool" && message.name !== undefined) call.warn(`${path}.name: not carried to Anthropic`);
    switch (message.role) {
      case "system":
      case "developer": {
        if (turns.length === 0) system.push(...textBlocks(message.content));
        else if (takesSystem(call, turns, messages[index + 1])) {
          turns.push({ role: "system", blocks: textBlocks(message.content) });
        } else append(turns, "user", taggedBlocks(message.content));
        break;
      }
      case "user":
      case "tool":
        append(turns, "user", userBlocks(message.content, path, call.request.injections.get(index), context));
        break;
      case "assistant":
        append(turns, "assistant", assistantBlocks(message.content, path, context));
        break;
    }
  }
  repairTurns(turns, call);
  return { system, turns };
}

function append(turns: Turn[], role: "user" | "assistant", blocks: Block[]): void {
  // An answer of nothing says nothing; a user's turn has its place even so.
  if (blocks.length === 0 && (role === "assistant" || turns.at(-1)?.role === "user")) return;
  const last = turns.at(-1);
  if (last?.role === role) last.blocks.push(...blocks);
  else turns.push({ role, blocks });
}

/** Only after a user turn and before the assistant's does Anthropic take a system message of its own. */
function takesSystem(call: Context["call"], turns: readonly Turn[], next: ChatMessage | undefined): boolean {
  const between = turns.at(-1)?.role === "user" && (next === undefined || next.role === "assistant");
  return call.model.capabilities.midSystem && between;
}

/** Hoisting an instruction from the middle would change what it means, and throw away the cached prefix. */
function taggedBlocks(parts: readonly TextPart[]): Block[] {
  return textBlocks(
    parts.map((part) => ({ ...part, text: part.text === "" ? "" : `<system>\n${part.text}\n</system>` })),
  );
}

function userBlocks(
  parts: readonly UserPart[],
  path: string,
  injection: string | undefined,
  context: Context,
): Block[] {
  const results: Block[] = [];
  const rest: Block[] = injection === undefined ? [] : [{ type: "text", text: injection.toWellFormed() }];
  for (const [index, part] of parts.entries()) {
    const param = `${path}.content[${index}]`;
    switch (part.type) {
      case "text":
        rest.push(...some(toTextBlock(part)));
        break;
      case "image":
      case "file":
      case "audio":
        rest.push(toMediaBlock(part, { param, warn: context.call.warn }));
        break;
      case "tool-result":
        results.push(toResultBlock(part, param, context));
        break;
      case "vendor":
        rest.push(...vendorBlocks(part, param, context));
        break;
    }
  }
  return [...results, ...rest];
}

function toResultBlock(part: ToolResultPart, param: string, { ids, call }: Context): Block {
  const content = part.content.flatMap((item) =>
    item.type === "text"
      ? some(toTextBlock({ type: "text", text: item.text }))
      : [toMediaBlock(item, { param, warn: call.warn })],
  );
  return {
    type: "tool_result",
    tool_use_id: ids.result(part.toolCallId),
    ...(content.length === 0 ? undefined : { content }),
    ...(part.isError === true ? { is_error: true } : undefined),
    ...cacheControl(part.cache ?? part.content.findLast((item) => item.cache !== undefined)?.cache),
  };
}

function assistantBlocks(parts: readonly AssistantPart[], path: string, context: Context): Block[] {
  const blocks: Block[] = [];
  for (const [index, part] of parts.entries()) {
    const param = `${path}.content[${index}]`;
    switch (part.type) {
      case "text":
      case "refusal":
        blocks.push(...some(toTextBlock({ ...part, type: "text" })));
        break;
      case "thinking":
        blocks.push(...some(toThinkingBlock(part)));
        break;
      case "tool-call":
        blocks.push({
          ...(part.state?.protocol === "anthropic-messages" && isJsonObject(part.state.value)
            ? part.state.value
            : undefined),
          type: "tool_use",
          id: context.ids.call(part.id),
          name: context.names.toVendor(part.name),
          input: parseToolArguments(part.arguments, param),
          ...cacheControl(part.cache),
        });
        break;
      case "vendor":
        blocks.push(...vendorBlocks(part, param, context));
        break;
    }
  }
  return thinkingFirst(blocks);
}

/**
 * The block as Anthropic made it, or nothing: another vendor's thinking cannot be verified, and without its signature
 * neither can Anthropic's own.
 */
function toThinkingBlock(part: ThinkingPart): Block | undefined {
  if (part.state?.protocol !== "anthropic-messages") return undefined;
  const { value } = part.state;
  if (typeof value === "string") return { type: "thinking", thinking: part.text, signature: value };
  return isJsonObject(value) && isThinking(value) ? value : undefined;
}

/**
 * A dialect that keeps thinking apart from the words may have put it behind them; Anthropic wants it to open the turn.
 * A turn that opens with thinking is in Anthropic's own order and stays as it is.
 */
function thinkingFirst(blocks: Block[]): Block[] {
  if (blocks[0] === undefined || isThinking(blocks[0]) || !blocks.some(isThinking)) return blocks;
  return [...blocks.filter(isThinking), ...blocks.filter((block) => !isThinking(block))];
}

export function isThinking(block: Block): boolean {
  return block["type"] === "thinking" || block["type"] === "redacted_thinking";
}

function vendorBlocks(part: Extract<UserPart, { type: "vendor" }>, param: string, { call }: Context): Block[] {
  if (part.state.protocol === "anthropic-messages" && isJsonObject(part.state.value)) return [part.state.value];
  call.warn(`${param}: a block of ${part.state.protocol} was left out`);
  return [];
}

function textBlocks(parts: readonly TextPart[]): Block[] {
  return parts.flatMap((part) => some(toTextBlock(part)));
}

function some(block: Block | undefined): Block[] {
  return block === undefined ? [] : [block];
}
