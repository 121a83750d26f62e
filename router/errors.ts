/**
 * Everything that can go wrong, once. `status` is what an OpenAI or Anthropic server would answer; `retry` is what the
 * router may do before the first byte: `same` candidate again, only the `next` one, or `never`.
 */
export const failures = {
  invalid_request: { status: 400, retry: "never" },
  /** The vendor cannot do what was asked; another model may. */
  unsupported: { status: 400, retry: "next" },
  context_overflow: { status: 400, retry: "next" },
  content_policy: { status: 400, retry: "next" },
  unauthenticated: { status: 401, retry: "never" },
  /** The vendor refused our key: no fault of the client's, so not its 401. */
  provider_auth: { status: 502, retry: "next" },
  provider_billing: { status: 502, retry: "next" },
  forbidden: { status: 403, retry: "never" },
  unknown_model: { status: 404, retry: "never" },
  not_found: { status: 404, retry: "never" },
  /** No configured model can take this request; the message says which rule removed which. */
  no_route: { status: 404, retry: "never" },
  provider_not_found: { status: 502, retry: "next" },
  method_not_allowed: { status: 405, retry: "never" },
  conflict: { status: 409, retry: "never" },
  request_too_large: { status: 413, retry: "never" },
  unsupported_media_type: { status: 415, retry: "never" },
  rate_limited: { status: 429, retry: "same" },
  quota_exhausted: { status: 429, retry: "next" },
  budget_exhausted: { status: 429, retry: "never" },
  overloaded: { status: 503, retry: "same" },
  provider_error: { status: 502, retry: "same" },
  /** The vendor answered something that is not its protocol. */
  bad_answer: { status: 502, retry: "same" },
  unreachable: { status: 502, retry: "same" },
  timeout: { status: 504, retry: "next" },
  shutting_down: { status: 503, retry: "never" },
  internal: { status: 500, retry: "never" },
} as const satisfies Record<string, { status: number; retry: "same" | "next" | "never" }>;

export type FailureCode = keyof typeof failures;

export type FailureDetails = ErrorOptions & {
  /** The client's field at fault, as a path: `messages[2].content`. */
  readonly param?: string;
  /** Wait at least this long before trying the same candidate again. */
  readonly retryAfterMs?: number;
  /** The vendor's own request id, status and error code, for the log and the trace. */
  readonly vendor?: { readonly requestId?: string; readonly status?: number; readonly code?: string };
};

/** Callers match `code`, never `message`. The message says who failed and what to do, and may be shown to a client. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: FailureCode;
  readonly param: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly vendor: FailureDetails["vendor"];

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(message, details);
    this.code = code;
    this.param = details.param;
    this.retryAfterMs = details.retryAfterMs;
    this.vendor = details.vendor;
  }

  get status(): number {
    return failures[this.code].status;
  }
}
