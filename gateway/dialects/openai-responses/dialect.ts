import type { GatewayError } from "../../../router/errors.ts";
import { isJsonObject, type JsonObject } from "../../../router/json.ts";
import type { Dialect } from "../dialect.ts";
import { openAiErrorBody } from "../openai-error.ts";
import { ResponseStreamEncoder } from "./encode-stream.ts";
import { WholeResponse } from "./encode-whole.ts";
import { parseResponse } from "./parse.ts";

/** OpenAI Responses, `POST /v1/responses`: each answer by itself. What is kept between them is in `responses/`. */
export const openAiResponses: Dialect = {
  protocol: "openai-responses",
  parse: parseResponse,
  errorBody: responseErrorBody,
  createWholeEncoder: (info) => new WholeResponse(info, info.request.raw),
  createStreamEncoder: (info) => new ResponseStreamEncoder(info, info.request.raw),
};

/** OpenAI has a code of its own for a chain that cannot be followed, by which clients know to start anew. */
function responseErrorBody(failure: GatewayError): JsonObject {
  const body = openAiErrorBody(failure);
  if (failure.code !== "not_found" || failure.param !== "previous_response_id" || !isJsonObject(body["error"]))
    return body;
  return { error: { ...body["error"], code: "previous_response_not_found" } };
}
