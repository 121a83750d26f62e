import type { FailureCode, GatewayError } from "../../router/errors.ts";
import type { JsonObject } from "../../router/json.ts";

/** OpenAI's error body, for both of its dialects and for our own routes. */
export function openAiErrorBody(error: GatewayError): JsonObject {
  // `null` is OpenAI's word too: a malformed request has no code there.
  const theirs = openAiCodes[error.code];
  return {
    error: {
      message: error.message,
      type: typeOf(error),
      param: error.param ?? null,
      code: theirs === undefined ? error.code : theirs,
    },
  };
}

/** Where OpenAI has a word of its own for it; elsewhere our code stands. */
const openAiCodes: Partial<Record<FailureCode, string | null>> = {
  invalid_request: null,
  context_overflow: "context_length_exceeded",
  content_policy: "content_policy_violation",
  unauthenticated: "invalid_api_key",
  unknown_model: "model_not_found",
  rate_limited: "rate_limit_exceeded",
  quota_exhausted: "insufficient_quota",
  internal: "internal_error",
};

function typeOf(error: GatewayError): string {
  if (error.code === "quota_exhausted" || error.code === "budget_exhausted") return "insufficient_quota";
  if (error.status === 401) return "authentication_error";
  if (error.status === 403) return "permission_error";
  if (error.status === 429) return "rate_limit_error";
  return error.status >= 500 ? "server_error" : "invalid_request_error";
}
