import type { ChatRequest } from "../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../router/json.ts";
import type { Capabilities, Model } from "../router/model.ts";
import type { ProviderCall } from "../router/provider.ts";

/** A request with nothing in it but what a test is about. */
export function chatRequest(parts: Partial<ChatRequest> = {}): ChatRequest {
  return {
    dialect: "openai-chat",
    raw: {},
    model: "auto",
    messages: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
    injections: new Map(),
    tools: [],
    sampling: {},
    stop: [],
    stream: false,
    includeUsage: false,
    unknownFields: [],
    ...parts,
  };
}

export function chatModel(id: string, provider: string, capabilities: Partial<Capabilities> = {}): Model {
  return {
    id,
    provider,
    contextTokens: 1_000_000,
    maxOutputTokens: 64_000,
    capabilities: {
      input: ["text", "image", "pdf"],
      tools: true,
      forcedToolChoice: true,
      parallelTools: true,
      jsonSchema: true,
      sampling: "full",
      stop: true,
      efforts: ["low", "medium", "high"],
      prefill: false,
      toolsWithEffortNeedResponses: false,
      midSystem: false,
      promptCache: "markers",
      ...capabilities,
    },
    prices: [],
    quality: {},
    typicalTtftMs: 500,
    typicalTokensPerSecond: 50,
  };
}

/** A call and the warnings it will have collected. */
export function chatCall(request: ChatRequest, model: Model): ProviderCall & { readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  return { request, model, warnings, signal: new AbortController().signal, warn: (text) => void warnings.push(text) };
}

/** The objects of a JSON array, so that a test can look into what was sent. */
export function objectsIn(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter((item: JsonValue) => isJsonObject(item)) : [];
}
