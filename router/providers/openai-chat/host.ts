/** How one host's Chat Completions differ from OpenAI's. Every field is a fact about the host, not about a model. */
export type ChatHost = {
  /** OpenAI's own reasoning models refuse `max_tokens`; most other hosts know nothing else. `by-model` decides by whether it thinks. */
  readonly maxTokensField: "by-model" | "max_tokens" | "max_completion_tokens";
  /** False where `developer` is an unknown role: `system` says the same. */
  readonly developerRole: boolean;
  /** False where `stream_options` is refused; usage then comes unasked or not at all. */
  readonly streamUsage: boolean;
  readonly maxStops: number;
  /** How thinking is asked for. `thinking-type` is DeepSeek's and Moonshot's switch. */
  readonly effort: "reasoning_effort" | "reasoning" | "thinking-type" | "none";
  /** Where the host wants the thinking of its own earlier turns back, as text. */
  readonly replayThinking: "reasoning_content" | "reasoning" | "none";
  /** Whether `tool_choice` may be `allowed_tools`; elsewhere the list of tools is shortened. */
  readonly allowedTools: boolean;
  /** The word that forces some tool call. */
  readonly forcedWord: "required" | "any";
  readonly topK: boolean;
  readonly seedField: "seed" | "random_seed";
  readonly cacheMarks: "prompt_cache_breakpoint" | "cache_control" | "none";
  readonly endUserField: "safety_identifier" | "user" | "none";
  /** Mistral wants nine letters or digits; OpenAI allows 40 characters. */
  readonly toolCallIds: "openai" | "nine-alphanumerics";
  /** Fields the host answers 400 to: left out with a warning when they ask for something. */
  readonly refusedFields: readonly string[];
  /** Fields of a message the host answers 400 to. */
  readonly refusedMessageFields: readonly string[];
};

export const openAiChatHost: ChatHost = {
  maxTokensField: "by-model",
  developerRole: true,
  streamUsage: true,
  maxStops: 4,
  effort: "reasoning_effort",
  replayThinking: "none",
  allowedTools: true,
  forcedWord: "required",
  topK: false,
  seedField: "seed",
  cacheMarks: "prompt_cache_breakpoint",
  endUserField: "safety_identifier",
  toolCallIds: "openai",
  refusedFields: [],
  refusedMessageFields: [],
};
