import { createHash } from "node:crypto";
import type { AssistantPart, ChatMessage, ChatRequest, ToolResultPart, UserPart, VendorState } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import { documentText, openAiFileId, toDataUrl } from "../openai-chat/parts.ts";
import { requirePublicUrl } from "../public-url.ts";
import { withoutHarnessLines } from "../harness-lines.ts";
import type { ToolNames } from "../tool-names.ts";

export type InputContext = {
  readonly names: ToolNames;
  /** Who our key belongs to: encrypted reasoning of another key is refused by the vendor. */
  readonly credential: string;
  readonly warn: (warning: string) => void;
};

type Draft = {
  readonly context: InputContext;
  readonly instructions: string[];
  readonly items: JsonObject[];
  readonly unanswered: Set<string>;
  /** System messages that stood between a call and its result. */
  held: JsonObject[];
};

/** Our messages as `instructions` and `input`. Throws `GatewayError` (`unsupported`) for parts Responses cannot hold. */
export function toResponsesInput(
  request: ChatRequest,
  context: InputContext,
): { readonly instructions: string | undefined; readonly input: JsonObject[] } {
  const draft: Draft = { context, instructions: [], items: [], unanswered: new Set(), held: [] };
  for (const [index, message] of request.messages.entries()) {
    const path = `messages[${message.source ?? index}]`;
    switch (message.role) {
      case "system":
      case "developer":
        addSystem(draft, message);
        break;
      case "user":
        addUser(draft, message.content, request.injections.get(index), path);
        break;
      case "assistant":
        closeCalls(draft);
        for (const part of message.content) addAssistantPart(draft, part);
        break;
      case "tool":
        for (const part of message.content) addResult(draft, part, path);
        break;
    }
  }
  closeCalls(draft);
  return {
    instructions: draft.instructions.length === 0 ? undefined : draft.instructions.join("\n\n"),
    input: draft.items,
  };
}

const maxCallIdLength = 64;

/** The same short id for a call and its result, whoever made it. */
function toCallId(id: string): string {
  if (id.length > 0 && id.length <= maxCallIdLength) return id;
  return `call_${createHash("sha256").update(id).digest("hex").slice(0, 24)}`;
}

function addSystem(draft: Draft, message: Extract<ChatMessage, { role: "system" | "developer" }>): void {
  const texts = message.content.map((part) => withoutHarnessLines(part.text)).filter((text) => text !== "");
  if (texts.length === 0) return;
  const content = texts.join("\n\n");
  if (draft.items.length === 0) draft.instructions.push(content);
  else (draft.unanswered.size > 0 ? draft.held : draft.items).push({ type: "message", role: message.role, content });
}

function addUser(draft: Draft, content: readonly UserPart[], block: string | undefined, path: string): void {
  const parts: Exclude<UserPart, ToolResultPart>[] = [];
  for (const part of content) {
    if (part.type === "tool-result") addResult(draft, part, path);
    else parts.push(part);
  }
  if (parts.length === 0 && block === undefined) return;
  closeCalls(draft);
  const [only] = parts;
  if (parts.length === 1 && only?.type === "text") {
    const text = block === undefined ? only.text : `${block}\n\n${only.text}`;
    draft.items.push({ type: "message", role: "user", content: text });
    return;
  }
  const written: JsonObject[] = block === undefined ? [] : [{ type: "input_text", text: block }];
  for (const [index, part] of parts.entries()) {
    const inputPart = toInputPart(part, `${path}.content[${index}]`, draft.context.warn);
    if (inputPart !== undefined) written.push(inputPart);
  }
  if (written.length > 0) draft.items.push({ type: "message", role: "user", content: written });
}

function toInputPart(
  part: Exclude<UserPart, ToolResultPart>,
  path: string,
  warn: InputContext["warn"],
): JsonObject | undefined {
  switch (part.type) {
    case "text":
      return part.text === "" ? undefined : { type: "input_text", text: part.text };
    case "image": {
      const detail = part.detail ?? "auto";
      const fileId = openAiFileId(part.source);
      if (fileId !== undefined) return { type: "input_image", file_id: fileId, detail };
      if (part.source.kind === "base64") return { type: "input_image", image_url: toDataUrl(part.source), detail };
      if (part.source.kind === "file-id") throw unsupported(path, "the image was uploaded elsewhere");
      return { type: "input_image", image_url: requirePublicUrl(part.source.url, path), detail };
    }
    case "file": {
      const words = documentText(part);
      if (words !== undefined) return { type: "input_text", text: words };
      const fileId = openAiFileId(part.source);
      if (fileId !== undefined) return { type: "input_file", file_id: fileId };
      if (part.source.kind === "file-id") throw unsupported(path, "the file was uploaded elsewhere");
      if (part.source.kind === "url") return { type: "input_file", file_url: requirePublicUrl(part.source.url, path) };
      return { type: "input_file", filename: part.name ?? "document.pdf", file_data: toDataUrl(part.source) };
    }
    case "audio":
      throw unsupported(path, "Responses takes no audio");
    case "vendor":
      warn(`${path}: a ${part.state.protocol} block is left out`);
      return undefined;
  }
}

function addAssistantPart(draft: Draft, part: AssistantPart): void {
  const { names, warn } = draft.context;
  switch (part.type) {
    case "text":
    case "refusal":
      if (part.text !== "") draft.items.push({ type: "message", role: "assistant", content: part.text });
      break;
    case "thinking":
      addVendorItem(draft, part.state);
      break;
    case "tool-call": {
      const callId = toCallId(part.id);
      draft.unanswered.add(callId);
      const written = part.arguments === "" ? "{}" : part.arguments;
      draft.items.push({
        type: "function_call",
        call_id: callId,
        name: names.toVendor(part.name),
        arguments: written,
      });
      break;
    }
    case "vendor":
      if (part.state.protocol !== "openai-responses") warn(`messages: a ${part.state.protocol} block is left out`);
      addVendorItem(draft, part.state);
      break;
  }
}

/** An item of this very protocol goes back byte for byte, if our key can open it. */
function addVendorItem(draft: Draft, state: VendorState | undefined): void {
  if (state?.protocol !== "openai-responses" || !isJsonObject(state.value)) return;
  // An annotation belongs to its text and is no item of its own.
  if (state.value["type"] === annotationType) return;
  if (state.credential !== undefined && state.credential !== draft.context.credential) {
    draft.context.warn("messages: reasoning encrypted for another API key is left out");
    return;
  }
  draft.items.push(state.value);
}

/** Our name for an annotation carried as vendor state. */
export const annotationType = "output_text.annotation";

function addResult(draft: Draft, part: ToolResultPart, path: string): void {
  const callId = toCallId(part.toolCallId);
  if (!draft.unanswered.delete(callId)) {
    draft.context.warn(`${path}: the result of a tool call that is not in the conversation is left out`);
    return;
  }
  draft.items.push({ type: "function_call_output", call_id: callId, output: outputOf(draft, part, path) });
}

function outputOf(draft: Draft, part: ToolResultPart, path: string): string | JsonObject[] {
  const texts = part.content.filter((inner) => inner.type === "text").map((inner) => inner.text);
  if (texts.length < part.content.length) {
    const written = part.content.map((inner) => toInputPart(inner, path, draft.context.warn));
    return written.filter((inner) => inner !== undefined);
  }
  const text = texts.join("\n");
  // The protocol has no field for a failed call, and the model must not take the text for a result.
  return part.isError === true && !/^\W*error/i.test(text) ? `Error: ${text}` : text;
}

function closeCalls(draft: Draft): void {
  for (const callId of draft.unanswered) {
    draft.context.warn("messages: a tool call without a result is answered with `No result provided`");
    draft.items.push({ type: "function_call_output", call_id: callId, output: "No result provided" });
  }
  draft.unanswered.clear();
  draft.items.push(...draft.held);
  draft.held = [];
}

function unsupported(path: string, why: string): GatewayError {
  return new GatewayError("unsupported", `${path}: ${why}.`, { param: path });
}
