import type { ChatRequest } from "../chat.ts";
import type { AnswerFrame, ProviderAnswer, ProviderCall } from "../provider.ts";
import { answerHeaders, isJson, streamFrames, wholeFrames } from "../vendor-call.ts";
import type { StreamDecoder } from "../vendor-call.ts";
import { ChatDecoder, decodeWholeChat } from "./openai-chat/answer.ts";
import type { ChatHost } from "./openai-chat/host.ts";
import { toChatBody } from "./openai-chat/request.ts";
import type { OpenAiClient } from "./openai-client.ts";
import { openAiErrors } from "./openai-errors.ts";
import { decodeWholeResponse, ResponsesDecoder } from "./openai-responses/answer.ts";
import { toResponsesBody } from "./openai-responses/request.ts";
import type { ToolNames } from "./tool-names.ts";
import { createToolNames } from "./tool-names.ts";
import { toWellFormedJson } from "./well-formed-json.ts";

/** One call over Chat Completions. */
export async function callChat(client: OpenAiClient, host: ChatHost, call: ProviderCall): Promise<ProviderAnswer> {
  const names = toolNames();
  const body = toWellFormedJson(toChatBody(call, host, names));
  const response = await client.post("/chat/completions", body, call.signal);
  const { provider } = client;
  const choices = call.request.sampling.choices ?? 1;
  const options = { provider, rules: openAiErrors, choices, toClientToolName: (name: string) => names.toClient(name) };
  return {
    protocol: "openai-chat",
    headers: answerHeaders(response.headers),
    frames: framesOf(provider, response, call, new ChatDecoder(options), (text) => decodeWholeChat(text, options)),
  };
}

/** One call over Responses. */
export async function callResponses(client: OpenAiClient, call: ProviderCall): Promise<ProviderAnswer> {
  const names = toolNames();
  const body = toWellFormedJson(toResponsesBody(call, names, client.credential));
  const response = await client.post("/responses", body, call.signal);
  const { provider, credential } = client;
  const options = {
    provider,
    credential,
    rules: openAiErrors,
    toClientToolName: (name: string) => names.toClient(name),
  };
  return {
    protocol: "openai-responses",
    headers: answerHeaders(response.headers),
    frames: framesOf(provider, response, call, new ResponsesDecoder(options), (text) =>
      decodeWholeResponse(text, options),
    ),
  };
}

function toolNames(): ToolNames {
  return createToolNames({ valid: /^[a-zA-Z0-9_-]{1,64}$/, unwanted: /[^a-zA-Z0-9_-]/g, maxLength: 64 });
}

function framesOf(
  provider: string,
  response: Response,
  call: { readonly request: Pick<ChatRequest, "stream">; readonly signal: AbortSignal },
  decoder: StreamDecoder,
  decode: (text: string) => AnswerFrame,
): AsyncIterable<AnswerFrame> {
  if (!call.request.stream) return wholeFrames(provider, response, call.signal, decode);
  // A host that cannot stream answers whole. Its body is no event to pass on.
  if (isJson(response))
    return wholeFrames(provider, response, call.signal, (text) => ({ events: decode(text).events }));
  return streamFrames(provider, response, call.signal, decoder);
}
