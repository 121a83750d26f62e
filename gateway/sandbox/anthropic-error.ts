import { digest } from "./seal.ts";
import type { ErrorReply, Problem } from "./wire.ts";

const types: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
};

export function toAnthropicError(problem: Problem): ErrorReply {
  const known = toAnthropicWords(problem);
  const id = `req_sandbox_${digest(known.message)}`;
  const headers: Record<string, string> = { "request-id": id };
  if (known.retryAfterSeconds !== undefined) headers["retry-after"] = String(known.retryAfterSeconds);
  return {
    status: known.status,
    headers,
    body: {
      type: "error",
      error: {
        type: types[known.status] ?? (known.status < 500 ? "invalid_request_error" : "api_error"),
        message: known.message,
      },
      request_id: id,
    },
  };
}

/** What other vendors tell by a code, Anthropic tells by its own status or words. */
function toAnthropicWords(problem: Problem): Problem {
  if (problem.code === "insufficient_quota") {
    return { status: 402, message: "[sandbox] Your credit balance is too low to access the Anthropic API." };
  }
  if (problem.code === "context_length_exceeded") {
    return { status: 400, message: "prompt is too long: 1000001 tokens > 1000000 maximum (sandbox)" };
  }
  return problem;
}
