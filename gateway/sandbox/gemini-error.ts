import type { JsonValue } from "../../router/json.ts";
import type { ErrorReply, Problem } from "./wire.ts";

const statuses: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  499: "CANCELLED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** Gemini has no 529: its word for "overloaded" is 503. When to come back stands in the details, not in a header. */
export function toGeminiError(problem: Problem): ErrorReply {
  const isLong = problem.code === "context_length_exceeded";
  const status = problem.status === 529 ? 503 : problem.status;
  const message = isLong
    ? "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576). (sandbox)"
    : problem.message;
  const name = statuses[status] ?? (status < 500 ? "FAILED_PRECONDITION" : "INTERNAL");
  const details = detailsOf(problem);
  const error = { code: status, message, status: name, ...(details.length === 0 ? {} : { details }) };
  return { status, headers: {}, body: { error } };
}

function detailsOf(problem: Problem): JsonValue[] {
  if (problem.code === "API_KEY_INVALID") {
    return [
      { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID", domain: "googleapis.com" },
    ];
  }
  if (problem.status !== 429) return [];
  const isDaily = problem.code === "insufficient_quota";
  const quotaId = isDaily
    ? "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
    : "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
  const quota = { "@type": "type.googleapis.com/google.rpc.QuotaFailure", violations: [{ quotaId }] };
  if (problem.retryAfterSeconds === undefined) return [quota];
  return [quota, { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${problem.retryAfterSeconds}s` }];
}
