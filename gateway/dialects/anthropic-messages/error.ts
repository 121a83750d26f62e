import type { GatewayError } from "../../../router/errors.ts";
import type { JsonObject } from "../../../router/json.ts";

/** Anthropic's error body; `request_id` is our trace. */
export function anthropicErrorBody(error: GatewayError, trace: string): JsonObject {
  return { type: "error", error: { type: typeOf(error), message: error.message }, request_id: trace };
}

function typeOf(error: GatewayError): string {
  if (error.code === "overloaded") return "overloaded_error";
  if (error.code === "budget_exhausted") return "billing_error";
  const byStatus: Readonly<Record<number, string>> = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
  };
  return byStatus[error.status] ?? "api_error";
}
