import { createHash } from "node:crypto";
import type { AssistantPart, ChatMessage, ChatRequest, ToolResultPart, UserPart } from "../../chat.ts";
import type { Capabilities } from "../../model.ts";
import type { JsonObject } from "../../json.ts";
import { withoutHarnessLines } from "../harness-lines.ts";
import type { ToolNames } from "../tool-names.ts";
import type { ChatHost } from "./host.ts";
import { toChatPart } from "./parts.ts";

export type MessageContext = {
  readonly host: ChatHost;
  readonly capabilities: Capabilities;
  readonly names: ToolNames;
  readonly warn: (warning: string) => void;
};

type Draft = {
  readonly context: MessageContext;
  readonly messages: JsonObject[];
  /** Calls of the last assistant turn that have no result yet. */
  readonly unanswered: Set<string>;
  /** Images of tool results: a tool message holds only text, so they follow all the results. */
  images: JsonObject[];
  /** System messages that stood between a call and its result, where no message may stand. */
  held: JsonObject[];
};

/** Our messages as Chat Completions has them, memory blocks included. Throws `GatewayError` (`unsupported`) for parts it cannot hold. */
export function toChatMessages(request: ChatRequest, context: MessageContext): JsonObject[] {
  const draft: Draft = { context, messages: [], unanswered: new Set(), images: [], held: [] };
  for (const [index, message] of request.messages.entries()) {
    const path = `messages[${message.source ?? index}]`;
    switch (message.role) {
      case "system":
      case "developer":
        addSystem(draft, message);
        break;
      case "user":
        addUser(draft, message, request.injections.get(index), path);
        break;
      case "assistant":
        addAssistant(draft, message);
        break;
      case "tool":
        for (const part of message.content) addResult(draft, part, path);
        break;
    }
  }
  closeCalls(draft);
  return draft.messages;
}

/** The id a host accepts for a call, the same one for its result, whoever made it. */
export function toChatCallId(id: string, kind: ChatHost["toolCallIds"]): string {
  const valid = kind === "openai" ? id.length > 0 && id.length <= 40 : /^[a-zA-Z0-9]{9}$/.test(id);
  if (valid) return id;
  const hash = createHash("sha256").update(id).digest("hex");
  return kind === "openai" ? `call_${hash.slice(0, 24)}` : hash.slice(0, 9);
}

type Role<R extends ChatMessage["role"]> = Extract<ChatMessage, { role: R }>;

function addSystem(draft: Draft, message: Role<"system" | "developer">): void {
  const { host, capabilities, warn } = draft.context;
  const texts = message.content.map((part) => withoutHarnessLines(part.text)).filter((text) => text !== "");
  if (texts.length === 0) return;
  const content = texts.join("\n\n");
  const leading = draft.messages.every((earlier) => earlier["role"] === "system" || earlier["role"] === "developer");
  let written: JsonObject;
  if (leading || capabilities.midSystem) {
    const role = message.role === "developer" && host.developerRole ? "developer" : "system";
    written = { role, content, ...nameOf(draft, message.name) };
  } else {
    warn("messages: a system message in the middle is sent as the user's");
    written = { role: "user", content: `<system>\n${content}\n</system>` };
  }
  (draft.unanswered.size > 0 ? draft.held : draft.messages).push(written);
}

function addUser(draft: Draft, message: Role<"user">, block: string | undefined, path: string): void {
  const parts: Exclude<UserPart, ToolResultPart>[] = [];
  for (const part of message.content) {
    if (part.type === "tool-result") addResult(draft, part, path);
    else parts.push(part);
  }
  if (parts.length === 0 && block === undefined) return;
  closeCalls(draft);
  const content = userContent(draft, parts, block, path);
  if (content.length > 0) draft.messages.push({ role: "user", content, ...nameOf(draft, message.name) });
}

function userContent(
  draft: Draft,
  parts: readonly Exclude<UserPart, ToolResultPart>[],
  block: string | undefined,
  path: string,
): string | JsonObject[] {
  const [only] = parts;
  const marked = draft.context.host.cacheMarks !== "none" && draft.context.capabilities.promptCache === "markers";
  if (parts.length === 1 && only?.type === "text" && !(marked && only.cache !== undefined)) {
    return block === undefined ? only.text : `${block}\n\n${only.text}`;
  }
  const content: JsonObject[] = block === undefined ? [] : [{ type: "text", text: block }];
  for (const [index, part] of parts.entries()) {
    const written = toChatPart(part, { ...draft.context, marked, path: `${path}.content[${index}]` });
    if (written !== undefined) content.push(written);
  }
  return content;
}

function addAssistant(draft: Draft, message: Role<"assistant">): void {
  closeCalls(draft);
  const { host, names, warn } = draft.context;
  const texts: string[] = [];
  const refusals: string[] = [];
  const thinking: string[] = [];
  const calls: ToolCall[] = [];
  for (const part of message.content) addAssistantPart(part, { texts, refusals, thinking, calls, host, names, warn });
  const content = texts.join("");
  // An aborted turn that left nothing behind, or only thinking: the vendor refuses an empty message.
  if (content === "" && refusals.length === 0 && calls.length === 0) return;
  for (const call of calls) draft.unanswered.add(call.id);
  draft.messages.push({
    role: "assistant",
    content: content === "" ? null : content,
    ...(refusals.length === 0 ? undefined : { refusal: refusals.join("") }),
    ...(host.replayThinking === "none" || thinking.length === 0
      ? undefined
      : { [host.replayThinking]: thinking.join("\n\n") }),
    ...(calls.length === 0 ? undefined : { tool_calls: calls }),
    ...nameOf(draft, message.name),
  });
}

type ToolCall = { readonly id: string; readonly type: "function"; readonly function: JsonObject };
type AssistantDraft = Pick<MessageContext, "host" | "names" | "warn"> & {
  readonly texts: string[];
  readonly refusals: string[];
  readonly thinking: string[];
  readonly calls: ToolCall[];
};

function addAssistantPart(part: AssistantPart, into: AssistantDraft): void {
  switch (part.type) {
    case "text":
      into.texts.push(part.text);
      break;
    case "refusal":
      into.refusals.push(part.text);
      break;
    case "thinking":
      if (part.text !== "") into.thinking.push(part.text);
      break;
    case "tool-call":
      into.calls.push({
        id: toChatCallId(part.id, into.host.toolCallIds),
        type: "function",
        function: { name: into.names.toVendor(part.name), arguments: part.arguments === "" ? "{}" : part.arguments },
      });
      break;
    case "vendor":
      into.warn(`messages: a ${part.state.protocol} block in the history is left out`);
      break;
  }
}

function addResult(draft: Draft, part: ToolResultPart, path: string): void {
  const { host, warn } = draft.context;
  const id = toChatCallId(part.toolCallId, host.toolCallIds);
  if (!draft.unanswered.delete(id)) {
    warn(`${path}: the result of a tool call that is not in the conversation is left out`);
    return;
  }
  const texts: string[] = [];
  for (const inner of part.content) {
    if (inner.type === "text") {
      texts.push(inner.text);
      continue;
    }
    const written = toChatPart(inner, { ...draft.context, marked: false, path });
    if (written !== undefined) draft.images.push(written);
  }
  const text = texts.join("\n");
  // The protocol has no field for a failed call, and the model must not take the text for a result.
  const content = part.isError === true && !/^\W*error/i.test(text) ? `Error: ${text}` : text;
  draft.messages.push({ role: "tool", tool_call_id: id, content });
}

/** Before any other message: every call needs a result, then come the results' images and what had to wait. */
function closeCalls(draft: Draft): void {
  for (const id of draft.unanswered) {
    draft.context.warn("messages: a tool call without a result is answered with `No result provided`");
    draft.messages.push({ role: "tool", tool_call_id: id, content: "No result provided" });
  }
  draft.unanswered.clear();
  if (draft.images.length > 0) {
    draft.messages.push({
      role: "user",
      content: [{ type: "text", text: "From the tool results above:" }, ...draft.images],
    });
    draft.images = [];
  }
  draft.messages.push(...draft.held);
  draft.held = [];
}

function nameOf(draft: Draft, name: string | undefined): { name: string } | undefined {
  return name === undefined || draft.context.host.refusedMessageFields.includes("name") ? undefined : { name };
}
