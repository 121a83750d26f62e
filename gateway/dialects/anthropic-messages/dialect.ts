import type { Dialect } from "../dialect.ts";
import { createStreamEncoder, createWholeEncoder } from "./encode.ts";
import { anthropicErrorBody } from "./error.ts";
import { parseMessagesRequest } from "./parse.ts";

/** Anthropic Messages, `POST /v1/messages`. */
export const anthropicMessages: Dialect = {
  protocol: "anthropic-messages",
  parse: parseMessagesRequest,
  errorBody: anthropicErrorBody,
  createWholeEncoder,
  createStreamEncoder,
};
