import Anthropic from "@anthropic-ai/sdk";
import { readWhole } from "../pooled-fetch.ts";
import type { ProviderOptions } from "../provider-options.ts";
import type { Provider, ProviderAnswer, ProviderCall } from "../provider.ts";
import { answerHeaders, failureOf, vendorFetch } from "../vendor-call.ts";
import { answerFrames } from "./answer-frames.ts";
import { createMessageDecoder, decodeMessage } from "./anthropic-messages/answer.ts";
import { readTokenCount, toCountRequest } from "./anthropic-messages/count-tokens.ts";
import { anthropicErrors } from "./anthropic-messages/errors.ts";
import { toPassThrough } from "./anthropic-messages/pass-through.ts";
import { type MessagesRequest, toMessagesRequest } from "./anthropic-messages/request.ts";
import { toWellFormedJson } from "./well-formed-json.ts";

const defaultBaseUrl = "https://api.anthropic.com";

/**
 * Until the headers are here; for a whole answer that is all of it. The router has its own, shorter limits: this one
 * keeps the SDK from refusing long answers that are not streamed.
 */
const headersTimeoutMs = 60 * 60_000;

export function createAnthropicProvider(options: ProviderOptions): Provider {
  const client = new Anthropic({
    apiKey: options.apiKey,
    // Named, because the SDK would read the environment for it otherwise.
    baseURL: options.baseUrl ?? defaultBaseUrl,
    maxRetries: 0,
    timeout: headersTimeoutMs,
    fetch: vendorFetch(options.fetch, options.id, anthropicErrors),
    // Its debug log would hold what users wrote, and an environment variable can switch it on.
    logLevel: "off",
    openTelemetry: false,
    defaultHeaders: { ...options.headers },
  });
  return {
    id: options.id,
    chat: (call) => chat(client, options.id, call),
    countTokens: (call) => countTokens(client, options.id, call),
  };
}

async function chat(client: Anthropic, provider: string, call: ProviderCall): Promise<ProviderAnswer> {
  const sent = toRequest(call);
  const response = await post(client, provider, call.signal, "/v1/messages", sent);
  const context = { provider, names: sent.names };
  return {
    protocol: "anthropic-messages",
    headers: answerHeaders(response.headers),
    frames: answerFrames(
      provider,
      response,
      { stream: sent.body["stream"] === true, signal: call.signal },
      createMessageDecoder(context),
      (text) => decodeMessage(text, context),
    ),
  };
}

async function countTokens(client: Anthropic, provider: string, call: ProviderCall): Promise<number> {
  const sent = toCountRequest(toRequest(call));
  const response = await post(client, provider, call.signal, "/v1/messages/count_tokens", sent);
  try {
    return readTokenCount(provider, (await readWhole(response)).toString("utf8"));
  } catch (error) {
    throw failureOf(provider, error, call.signal);
  }
}

function toRequest(call: ProviderCall): MessagesRequest {
  return call.request.dialect === "anthropic-messages" ? toPassThrough(call) : toMessagesRequest(call);
}

/** `client.messages.create` would warn on the console about old models, and its types would not let unknown fields by. */
async function post(
  client: Anthropic,
  provider: string,
  signal: AbortSignal,
  path: string,
  { body, version, betas }: MessagesRequest,
): Promise<Response> {
  try {
    return await client
      .post(path, {
        body: toWellFormedJson(body),
        signal,
        stream: body["stream"] === true,
        headers: {
          // The SDK takes text for a body only with its type.
          "content-type": "application/json",
          "anthropic-version": version,
          ...(betas.length === 0 ? undefined : { "anthropic-beta": betas.join(",") }),
        },
      })
      .asResponse();
  } catch (error) {
    throw failureOf(provider, error, signal);
  }
}
