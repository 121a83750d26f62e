import { GatewayError } from "../errors.ts";
import type { ProviderOptions } from "../provider-options.ts";
import type { Provider } from "../provider.ts";
import type { ChatHost } from "./openai-chat/host.ts";
import { openAiChatHost } from "./openai-chat/host.ts";
import type { KeyHeader } from "./openai-client.ts";
import { createOpenAiClient } from "./openai-client.ts";
import { callChat, callResponses } from "./openai-dialects.ts";
import { callEmbeddings } from "./openai-embeddings.ts";

/** A host that speaks OpenAI's protocols, as data. */
export type CompatibleHost = {
  /** Absent where every customer has an address of their own. */
  readonly baseUrl?: string;
  readonly keyHeader: KeyHeader;
  /** Whether it also speaks Responses, to a client that does. */
  readonly responses: boolean;
  readonly embeddings: "base64" | "float" | "none";
  readonly chat: ChatHost;
};

/** What most hosts copied from OpenAI before it grew. */
const copied: ChatHost = {
  ...openAiChatHost,
  maxTokensField: "max_tokens",
  developerRole: false,
  allowedTools: false,
  cacheMarks: "none",
  endUserField: "user",
};
const ordinary = { keyHeader: "authorization", responses: false, embeddings: "float", chat: copied } as const;

/** One row a host: its address, and where it differs. */
export const compatibleHosts = {
  // Anything else that speaks Chat Completions; its address must be configured.
  "openai-compatible": ordinary,
  azure: { keyHeader: "api-key", responses: true, embeddings: "base64", chat: openAiChatHost },
  ollama: { ...ordinary, baseUrl: "http://127.0.0.1:11434/v1" },
  vllm: { ...ordinary, baseUrl: "http://127.0.0.1:8000/v1", chat: { ...copied, topK: true } },
  groq: {
    ...ordinary,
    baseUrl: "https://api.groq.com/openai/v1",
    responses: true,
    embeddings: "none",
    chat: {
      ...copied,
      maxTokensField: "max_completion_tokens",
      refusedFields: ["logprobs", "top_logprobs", "logit_bias"],
      refusedMessageFields: ["name"],
    },
  },
  openrouter: {
    ...ordinary,
    baseUrl: "https://openrouter.ai/api/v1",
    chat: { ...copied, effort: "reasoning", replayThinking: "reasoning", topK: true, cacheMarks: "cache_control" },
  },
  deepseek: {
    ...ordinary,
    baseUrl: "https://api.deepseek.com/v1",
    embeddings: "none",
    // Its tool loops go on only when the thinking that led to the call comes back.
    chat: { ...copied, effort: "thinking-type", replayThinking: "reasoning_content", maxStops: 16 },
  },
  mistral: {
    ...ordinary,
    baseUrl: "https://api.mistral.ai/v1",
    // It answers 422 to every field it does not know, and sends usage unasked.
    chat: {
      ...copied,
      streamUsage: false,
      seedField: "random_seed",
      forcedWord: "any",
      endUserField: "none",
      toolCallIds: "nine-alphanumerics",
      refusedFields: [
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "user",
        "safety_identifier",
        "service_tier",
        "store",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "verbosity",
      ],
    },
  },
  xai: { ...ordinary, baseUrl: "https://api.x.ai/v1", responses: true, embeddings: "none" },
  together: {
    ...ordinary,
    baseUrl: "https://api.together.xyz/v1",
    // Its `logprobs` is a number, not a switch.
    chat: { ...copied, topK: true, refusedFields: ["logprobs", "top_logprobs"] },
  },
  fireworks: {
    ...ordinary,
    baseUrl: "https://api.fireworks.ai/inference/v1",
    chat: { ...copied, topK: true },
  },
  moonshot: {
    ...ordinary,
    baseUrl: "https://api.moonshot.ai/v1",
    embeddings: "none",
    chat: { ...copied, effort: "thinking-type", replayThinking: "reasoning_content" },
  },
} as const satisfies Record<string, CompatibleHost>;

/** Throws `GatewayError` (`internal`) when the host has no address of its own and none is configured. */
export function createCompatibleProvider(host: CompatibleHost, options: ProviderOptions): Provider {
  const baseUrl = options.baseUrl ?? host.baseUrl;
  if (baseUrl === undefined) throw new GatewayError("internal", `The provider ${options.id} needs a base URL.`);
  const client = createOpenAiClient({ ...options, baseUrl, keyHeader: host.keyHeader });
  const { embeddings } = host;
  return {
    id: options.id,
    chat: (call) =>
      host.responses && call.request.dialect === "openai-responses"
        ? callResponses(client, call)
        : callChat(client, host.chat, call),
    ...(embeddings === "none"
      ? undefined
      : { embed: (call): ReturnType<NonNullable<Provider["embed"]>> => callEmbeddings(client, embeddings, call) }),
  };
}
