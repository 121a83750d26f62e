import { openAiErrorBody } from "../openai-error.ts";
import type { Dialect } from "../dialect.ts";
import { createStreamEncoder, createWholeEncoder } from "./encode.ts";
import { parseChatCompletion } from "./parse.ts";

/** OpenAI Chat Completions, `POST /v1/chat/completions`. */
export const openAiChat: Dialect = {
  protocol: "openai-chat",
  parse: parseChatCompletion,
  errorBody: openAiErrorBody,
  createWholeEncoder,
  createStreamEncoder,
};
