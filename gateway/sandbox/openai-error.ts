import type { JsonValue } from "../../router/json.ts";
import { digest } from "./seal.ts";
import type { ErrorReply, Problem } from "./wire.ts";

/** OpenAI has no 529: its word for "overloaded" is 503. */
export function toOpenaiError(problem: Problem): ErrorReply {
  const status = problem.status === 529 ? 503 : problem.status;
  const headers: Record<string, string> = { "x-request-id": `req_sandbox_${digest(problem.message)}` };
  if (problem.retryAfterSeconds !== undefined) {
    headers["retry-after"] = String(problem.retryAfterSeconds);
    headers["retry-after-ms"] = String(problem.retryAfterSeconds * 1_000);
  }
  return { status, headers, body: { error: toOpenaiErrorBody({ ...problem, status }) } };
}

export function toOpenaiErrorBody(problem: Problem): { [Key in "message" | "type" | "param" | "code"]: JsonValue } {
  const code = problem.code === "" ? null : (problem.code ?? (problem.status === 429 ? "rate_limit_exceeded" : null));
  return { message: problem.message, type: typeOf(problem), param: problem.param ?? null, code };
}

function typeOf({ status, code }: Problem): string {
  if (code === "insufficient_quota") return code;
  if (status === 429) return "requests";
  return status >= 500 ? "server_error" : "invalid_request_error";
}
