import { hash } from "node:crypto";
import type { Turn } from "../../memory/memory.ts";
import type { AssistantPart, ChatMessage, ChatRequest, UserPart } from "../../router/chat.ts";

/**
 * The client's conversation as memory sees it. A turn's key is a hash of what the client itself sent, so the same turn
 * has the same key in every later request, in any dialect and any process.
 */
export function toTurns(request: ChatRequest): readonly Turn[] {
  return request.messages.map(toTurn);
}

function toTurn(message: ChatMessage, index: number): Turn {
  const text = textOf(message);
  const role = message.role === "developer" ? "system" : message.role;
  let key: string | undefined;
  return {
    role,
    text,
    carriesToolResults: role === "user" && message.content.some((part) => part.type === "tool-result"),
    // Hashed when asked for: a long conversation with memory off needs none of it.
    get key() {
      return (key ??= turnKey(role, text, attachments(message.content)));
    },
    index,
    ...(message.role === "user" && message.name !== undefined ? { speaker: message.name } : {}),
  };
}

/** The key the answer will have when the client sends it back as an assistant turn. */
export function answerKey(text: string, toolCalls: readonly { readonly id: string; readonly name: string }[]): string {
  return turnKey("assistant", text, toolCalls.map((call) => `call:${call.id}:${call.name}`).join("\n"));
}

/** The last turn when the user speaks in it; tool results are the model's own loop. */
export function lastUserTurn(turns: readonly Turn[]): Turn | undefined {
  const last = turns.at(-1);
  return last?.role === "user" && !last.carriesToolResults ? last : undefined;
}

function turnKey(role: string, text: string, attached: string): string {
  return hash("sha256", `${role}\n${text}\n${attached}`, "base64url").slice(0, 27);
}

/** A model's text blocks are one text, as its stream's deltas are; a user's parts stand on lines of their own. */
function textOf(message: ChatMessage): string {
  const between = message.role === "assistant" ? "" : "\n";
  let text = "";
  for (const part of message.content) {
    if (part.type === "text") text = text === "" ? part.text : `${text}${between}${part.text}`;
    else if (part.type === "tool-result") {
      for (const inner of part.content)
        if (inner.type === "text") text = text === "" ? inner.text : `${text}\n${inner.text}`;
    }
  }
  return text;
}

/** What tells two turns apart beside their words: pictures, files, calls. Thinking is left out: clients drop it. */
function attachments(parts: readonly (UserPart | AssistantPart)[]): string {
  let attached = "";
  for (const part of parts) {
    if (part.type === "image" || part.type === "file" || part.type === "audio") {
      const { source } = part;
      const held =
        source.kind === "base64"
          ? hash("sha256", source.data, "base64url")
          : source.kind === "url"
            ? source.url
            : source.id;
      attached += `${part.type}:${held}\n`;
    } else if (part.type === "tool-call") attached += `${attached === "" ? "" : "\n"}call:${part.id}:${part.name}`;
    else if (part.type === "tool-result") attached += `result:${part.toolCallId}\n`;
  }
  return attached;
}
