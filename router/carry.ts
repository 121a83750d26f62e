import type { ChatRequest, Effort, Protocol } from "./chat.ts";
import { effortLadder } from "./chat.ts";
import { effortOn } from "./estimate.ts";
import type { Modality, Model } from "./model.ts";
import type { RequestShape } from "./shape.ts";

/**
 * Whether a model can carry a request. `refused` models cannot answer it at all; `major` losses change what the client
 * gets, so another model is better; `minor` ones are carried with a warning and choose no model.
 */
export type Fit = {
  readonly refused?: string;
  readonly major: readonly string[];
  readonly minor: readonly string[];
};

type Loss = { readonly kind: "refused" | "major" | "minor"; readonly text: string };

/** One need of a request, asked of each model. */
export type Need = (model: Model) => Loss | undefined;

/** The needs of a request: empty for plain text, so that the common case costs nothing per model. */
export function needsOf(request: ChatRequest, shape: RequestShape): readonly Need[] {
  return [
    ...inputNeeds(shape),
    ...toolNeeds(request, shape),
    ...outputNeeds(request),
    ...samplingNeeds(request),
    ...conversationNeeds(request, shape),
  ];
}

const carriesAll: Fit = { major: [], minor: [] };

/** Asks every need of one model; stops at the first that refuses it. */
export function fitOf(model: Model, needs: readonly Need[]): Fit {
  if (needs.length === 0) return carriesAll;
  const major: string[] = [];
  const minor: string[] = [];
  for (const need of needs) {
    const loss = need(model);
    if (loss === undefined) continue;
    if (loss.kind === "refused") return { refused: loss.text, major, minor };
    (loss.kind === "major" ? major : minor).push(loss.text);
  }
  return { major, minor };
}

/** A thinking budget in tokens as the effort other vendors would call it. */
export function askedEffort(request: Pick<ChatRequest, "reasoning">): Effort | undefined {
  const { effort, budgetTokens } = request.reasoning ?? {};
  if (effort !== undefined || budgetTokens === undefined) return effort;
  if (budgetTokens === 0) return "none";
  if (budgetTokens >= 10_000) return "high";
  if (budgetTokens >= 5_000) return "medium";
  return budgetTokens >= 2_000 ? "low" : "minimal";
}

function inputNeeds(shape: RequestShape): Need[] {
  const needs: Need[] = [];
  if (shape.hasImages) needs.push(modality("image", "images"));
  if (shape.hasFiles) needs.push(modality("pdf", "documents"));
  if (shape.hasAudio) needs.push(modality("audio", "audio"));
  for (const protocol of shape.boundTo) {
    needs.push((model) =>
      speaks(model, protocol)
        ? undefined
        : { kind: "refused", text: `speaks no ${protocol}, which a tool or file of this request belongs to` },
    );
  }
  return needs;
}

function modality(wanted: Modality, word: string): Need {
  return ({ capabilities }) =>
    capabilities.input.includes(wanted) ? undefined : { kind: "refused", text: `takes no ${word}` };
}

function toolNeeds(request: ChatRequest, shape: RequestShape): Need[] {
  const needs: Need[] = [];
  if (shape.hasTools) {
    needs.push(({ capabilities }) => (capabilities.tools ? undefined : { kind: "refused", text: "calls no tools" }));
  }
  if (request.toolChoice !== undefined && forcesTool(request.toolChoice)) {
    needs.push(({ capabilities }) =>
      capabilities.forcedToolChoice
        ? undefined
        : { kind: "major", text: "tool_choice: this model cannot be forced to call a tool" },
    );
  }
  if (request.parallelToolCalls === false) {
    needs.push((model) =>
      speaks(model, "gemini-generate") && model.protocols?.length === 1
        ? { kind: "minor", text: "parallel_tool_calls: this model may call several tools at once" }
        : undefined,
    );
  }
  return needs;
}

function forcesTool(choice: NonNullable<ChatRequest["toolChoice"]>): boolean {
  if (choice.type === "allowed") return choice.mode === "required";
  return choice.type === "required" || choice.type === "tool";
}

function outputNeeds(request: ChatRequest): Need[] {
  const needs: Need[] = [];
  const { responseFormat, maxOutputTokens } = request;
  if (responseFormat?.type === "json-schema") {
    needs.push(({ capabilities }) =>
      capabilities.jsonSchema ? undefined : { kind: "refused", text: "answers to no JSON schema" },
    );
  }
  if (maxOutputTokens !== undefined) {
    needs.push((model) =>
      maxOutputTokens > model.maxOutputTokens
        ? { kind: "major", text: `max_tokens: this model writes at most ${model.maxOutputTokens} tokens` }
        : undefined,
    );
  }
  const effort = askedEffort(request);
  if (effort !== undefined) {
    needs.push((model) => {
      const used = effortOn(model, effort, effortLadder);
      if (used === effort || (used === undefined && effort === "none")) return undefined;
      const instead = used === undefined ? "this model does not think" : `this model's nearest is "${used}"`;
      return { kind: "minor", text: `reasoning_effort: "${effort}" is not offered, ${instead}` };
    });
  }
  return needs;
}

/** Sampling parameters that decide what comes out less than which model does: never a reason to choose another. */
const temperatures = [
  ["temperature", "temperature"],
  ["topP", "top_p"],
  ["topK", "top_k"],
  ["frequencyPenalty", "frequency_penalty"],
  ["presencePenalty", "presence_penalty"],
] as const;

function samplingNeeds(request: ChatRequest): Need[] {
  const { sampling, stop } = request;
  const needs: Need[] = [];
  const effort = askedEffort(request);
  for (const [field, name] of temperatures) {
    const value = sampling[field];
    if (value === undefined || isDefault(field, value)) continue;
    needs.push((model) => {
      const mode = model.capabilities.sampling;
      const thinks = (effortOn(model, effort, effortLadder) ?? "none") !== "none";
      const isFixed = mode === "default-only" || (mode === "when-not-thinking" && thinks);
      return isFixed ? { kind: "minor", text: `${name}: this model takes only its default` } : undefined;
    });
  }
  const only = (name: string, protocols: readonly Protocol[]): void => {
    needs.push((model) =>
      protocols.some((protocol) => speaks(model, protocol))
        ? undefined
        : { kind: "major", text: `${name}: not offered by ${model.provider}` },
    );
  };
  if ((sampling.choices ?? 1) > 1) only("n", ["openai-chat", "gemini-generate"]);
  if (sampling.logprobs === true) only("logprobs", ["openai-chat", "gemini-generate"]);
  if (sampling.logitBias !== undefined && Object.keys(sampling.logitBias).length > 0)
    only("logit_bias", ["openai-chat"]);
  if (sampling.seed !== undefined) {
    needs.push((model) =>
      speaks(model, "anthropic-messages") && model.protocols?.length === 1
        ? { kind: "minor", text: "seed: this model takes none" }
        : undefined,
    );
  }
  if (stop.length > 0) {
    needs.push(({ capabilities }) =>
      capabilities.stop ? undefined : { kind: "major", text: "stop: this model takes no stop sequences" },
    );
  }
  return needs;
}

/** The value a vendor uses anyway, sent by many clients out of habit. */
function isDefault(field: (typeof temperatures)[number][0], value: number): boolean {
  if (field === "temperature" || field === "topP") return value === 1;
  return field === "topK" ? false : value === 0;
}

function conversationNeeds(request: ChatRequest, shape: RequestShape): Need[] {
  const needs: Need[] = [];
  if (shape.endsWithAssistant) {
    needs.push(({ capabilities }) =>
      capabilities.prefill ? undefined : { kind: "major", text: "prefill: this model cannot continue an answer" },
    );
  }
  if (shape.hasMidSystem) {
    needs.push(({ capabilities }) =>
      capabilities.midSystem
        ? undefined
        : { kind: "minor", text: "messages: a system message in the middle is sent as the user's" },
    );
  }
  for (const protocol of shape.blocksOf) {
    needs.push((model) =>
      speaks(model, protocol)
        ? undefined
        : { kind: "minor", text: `messages: ${protocol} blocks in the history are left out` },
    );
  }
  if (request.unknownFields.length > 0) {
    needs.push((model) =>
      speaks(model, request.dialect)
        ? undefined
        : { kind: "minor", text: `${request.unknownFields.join(", ")}: not known to ${model.provider}` },
    );
  }
  return needs;
}

/** A model whose protocols are not stated is given the benefit of the doubt: its host will say what it cannot do. */
function speaks(model: Model, protocol: Protocol): boolean {
  return model.protocols === undefined || model.protocols.includes(protocol);
}
