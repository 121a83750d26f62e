import { askedEffort } from "../carry.ts";
import type { ProviderOptions } from "../provider-options.ts";
import type { Provider, ProviderCall } from "../provider.ts";
import { openAiChatHost } from "./openai-chat/host.ts";
import { createOpenAiClient } from "./openai-client.ts";
import { callChat, callResponses } from "./openai-dialects.ts";
import { callEmbeddings } from "./openai-embeddings.ts";

const openAiBaseUrl = "https://api.openai.com/v1";

/** OpenAI itself: Chat Completions, Responses and embeddings. */
export function createOpenAiProvider(options: ProviderOptions): Provider {
  const client = createOpenAiClient({
    ...options,
    baseUrl: options.baseUrl ?? openAiBaseUrl,
    keyHeader: "authorization",
  });
  return {
    id: options.id,
    chat: (call) => (needsResponses(call) ? callResponses(client, call) : callChat(client, openAiChatHost, call)),
    embed: (call) => callEmbeddings(client, "base64", call, call.endUser),
    embedsTokens: true,
  };
}

/**
 * A client of Responses gets Responses. Everyone else gets Chat Completions, which streams the same and loses fewer
 * parameters, but for what it cannot do: tools together with an effort on the newest models, and thinking that can be seen.
 */
function needsResponses({ request, model }: ProviderCall): boolean {
  if (request.dialect === "openai-responses") return true;
  const effort = askedEffort(request);
  const asksEffort = effort !== undefined && effort !== "none";
  if (request.tools.length > 0 && asksEffort && model.capabilities.toolsWithEffortNeedResponses) return true;
  const summary = request.reasoning?.summary ?? "none";
  return request.dialect !== "openai-chat" && summary !== "none" && request.stop.length === 0 && !hasAudio({ request });
}

/** Responses takes none. */
function hasAudio({ request }: Pick<ProviderCall, "request">): boolean {
  return request.messages.some(
    (message) => message.role === "user" && message.content.some((part) => part.type === "audio"),
  );
}
