import { isJsonObject, type JsonObject } from "../../router/json.ts";
import { isThinking, prefixDigest, type Message } from "./anthropic-blocks.ts";
import type { SandboxModel } from "./models.ts";
import { digest, makeSeal, openSeal } from "./seal.ts";
import { Refusal, asText } from "./wire.ts";

const bindingBeta = "thinking-binding-controls-2026-08-01";

/** The signature of a new thinking block: over what the client sees of it, the model, and the transcript so far. */
export function signThinking(options: {
  readonly body: JsonObject;
  readonly messages: readonly Message[];
  readonly model: SandboxModel;
  readonly shown: string;
}): string {
  const prefix = prefixDigest(options.body, options.messages, options.messages.length);
  return makeSeal({ kind: "thinking", model: options.model.id, thinking: digest(options.shown), prefix });
}

/**
 * Checks every thinking block that came back, with Anthropic's words where it was altered. Returns the messages as the
 * model reads them: with `drop_block`, those without the blocks that stand behind a changed transcript.
 */
export function verifyThinking(
  body: JsonObject,
  messages: readonly Message[],
  model: SandboxModel,
  betas: string,
): readonly Message[] {
  const drops = wantsDrop(body, betas);
  const latest = messages.findLastIndex((message) => message.role === "assistant");
  return messages.map((message, index) => {
    if (message.role !== "assistant") return message;
    const blocks = message.blocks.filter((block, position) => {
      if (!isThinking(block)) return true;
      const fault = faultOf({ block, body, messages, index, model, isLatest: index === latest });
      if (fault === undefined) return true;
      if (drops && fault.isDroppable) return false;
      throw new Refusal(400, `messages.${index}.content.${position}: ${fault.message}`);
    });
    return { ...message, blocks };
  });
}

function wantsDrop(body: JsonObject, betas: string): boolean {
  const thinking = body["thinking"];
  const binding = isJsonObject(thinking) ? thinking["block_binding"] : undefined;
  if (!isJsonObject(thinking) || binding === undefined || binding === null) return false;
  if (!betas.includes(bindingBeta))
    throw new Refusal(400, `thinking.${asText(thinking["type"])}.block_binding: Extra inputs are not permitted`);
  return isJsonObject(binding) && binding["prefix_mismatch_behavior"] === "drop_block";
}

function faultOf(place: {
  readonly block: JsonObject;
  readonly body: JsonObject;
  readonly messages: readonly Message[];
  readonly index: number;
  readonly model: SandboxModel;
  readonly isLatest: boolean;
}): { readonly message: string; readonly isDroppable: boolean } | undefined {
  const { block, model } = place;
  const field = block["type"] === "thinking" ? "signature" : "data";
  const invalid = `Invalid \`${field}\` in \`${asText(block["type"])}\` block`;
  const seal = openSeal(asText(block[field]));
  if (seal?.["kind"] !== "thinking") return { message: invalid, isDroppable: false };
  if (block["type"] === "thinking" && seal["thinking"] !== digest(asText(block["thinking"]))) {
    const altered =
      "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were in the original response.";
    return { message: place.isLatest ? altered : invalid, isDroppable: false };
  }
  if (!model.bindsThinking) return undefined;
  if (seal["model"] !== model.id)
    return { message: `${invalid}. The block is bound to a different model.`, isDroppable: true };
  if (seal["prefix"] === prefixDigest(place.body, place.messages, place.index)) return undefined;
  return { message: `${invalid}. The block is bound to a different conversation.`, isDroppable: true };
}

/** How hard the request makes the model think; undefined when it does not. */
export function effortOf(body: JsonObject, model: SandboxModel): string | undefined {
  const thinking = isJsonObject(body["thinking"]) ? body["thinking"] : {};
  const isOn = ["enabled", "adaptive", "between_tools"].includes(asText(thinking["type"])) || model.thinks === "always";
  if (!isOn || model.thinks === "never") return undefined;
  const wanted = isJsonObject(body["output_config"]) ? asText(body["output_config"]["effort"]) : "";
  if (wanted !== "") return wanted;
  const budget = Number(thinking["budget_tokens"] ?? 5_000);
  return budget >= 10_000 ? "high" : budget >= 5_000 ? "medium" : "low";
}

/** Whether the thinking's text is shown, or only its signature. */
export function showsThinking(body: JsonObject, model: SandboxModel): boolean {
  const display = isJsonObject(body["thinking"]) ? body["thinking"]["display"] : undefined;
  return typeof display === "string" ? display !== "omitted" : model.showsThinking;
}
