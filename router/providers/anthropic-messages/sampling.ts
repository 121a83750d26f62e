import { askedEffort } from "../../carry.ts";
import { effortLadder } from "../../chat.ts";
import { effortOn } from "../../estimate.ts";
import type { ProviderCall } from "../../provider.ts";
import type { Block } from "./block.ts";

/** `thinks` when this request turns thinking on, which pins the temperature. */
export function toSampling(call: Pick<ProviderCall, "request" | "model" | "warn">, thinks: boolean): Block {
  warnOfUnknown(call);
  const { sampling } = call.request;
  const { temperature, topP, topK } = sampling;
  if (isFixed(call) || thinks) {
    const why = isFixed(call) ? "this model takes only its default" : "left out, it cannot be set while thinking";
    if (temperature !== undefined && temperature !== 1) call.warn(`temperature: ${why}`);
    if (topP !== undefined && topP !== 1) call.warn(`top_p: ${why}`);
    if (topK !== undefined) call.warn(`top_k: ${why}`);
    return {};
  }
  const body: Block = {};
  if (temperature !== undefined) body["temperature"] = clamped(temperature, call.warn);
  if (topP !== undefined) {
    if (temperature === undefined) body["top_p"] = topP;
    // Models since 4.1 refuse both together; the temperature is what people set on purpose.
    else if (topP !== 1) call.warn("top_p: left out, Anthropic does not take it beside temperature");
  }
  if (topK !== undefined) body["top_k"] = topK;
  return body;
}

/** `undefined` when nothing is left to send. */
export function toStopSequences({
  request,
  model,
  warn,
}: Pick<ProviderCall, "request" | "model" | "warn">): readonly string[] | undefined {
  if (request.stop.length === 0) return undefined;
  if (!model.capabilities.stop) {
    warn("stop: this model takes no stop sequences");
    return undefined;
  }
  const visible = request.stop.filter((text) => text.trim() !== "");
  if (visible.length < request.stop.length) warn("stop: white space alone was left out, Anthropic refuses it");
  return visible.length === 0 ? undefined : visible;
}

function isFixed({ request, model }: Pick<ProviderCall, "request" | "model">): boolean {
  const { sampling } = model.capabilities;
  if (sampling !== "when-not-thinking") return sampling === "default-only";
  const effort = effortOn(model, askedEffort(request), effortLadder);
  return effort !== undefined && effort !== "none";
}

function clamped(temperature: number, warn: ProviderCall["warn"]): number {
  if (temperature <= 1) return temperature;
  warn("temperature: clamped to 1, the most Anthropic takes");
  return 1;
}

function warnOfUnknown({ request, model, warn }: Pick<ProviderCall, "request" | "model" | "warn">): void {
  const { sampling } = request;
  const notOffered = (name: string): void => warn(`${name}: not offered by ${model.provider}`);
  if ((sampling.choices ?? 1) > 1) notOffered("n");
  if (sampling.logprobs === true) notOffered("logprobs");
  if ((sampling.topLogprobs ?? 0) > 0) notOffered("top_logprobs");
  if (sampling.logitBias !== undefined && Object.keys(sampling.logitBias).length > 0) notOffered("logit_bias");
  if ((sampling.frequencyPenalty ?? 0) !== 0) notOffered("frequency_penalty");
  if ((sampling.presencePenalty ?? 0) !== 0) notOffered("presence_penalty");
  if (sampling.seed !== undefined) warn("seed: this model takes none");
}
