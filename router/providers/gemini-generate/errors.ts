import { isJsonObject, type JsonValue } from "../../json.ts";
import { maxRetryAfterMs, readVendorError, type VendorErrorRules, type VendorErrorWords } from "../../vendor-errors.ts";

/** https://cloud.google.com/apis/design/errors, with the reasons of `ErrorInfo` in front. */
export const geminiErrors: VendorErrorRules = {
  codes: {
    API_KEY_INVALID: "provider_auth",
    BILLING_DISABLED: "provider_billing",
    INVALID_ARGUMENT: "invalid_request",
    FAILED_PRECONDITION: "invalid_request",
    OUT_OF_RANGE: "invalid_request",
    UNAUTHENTICATED: "provider_auth",
    PERMISSION_DENIED: "provider_auth",
    NOT_FOUND: "provider_not_found",
    RESOURCE_EXHAUSTED: "rate_limited",
    UNAVAILABLE: "overloaded",
    DEADLINE_EXCEEDED: "timeout",
    ABORTED: "provider_error",
    CANCELLED: "provider_error",
    INTERNAL: "provider_error",
    UNKNOWN: "provider_error",
  },
  read,
};

function read(body: JsonValue): VendorErrorWords {
  const words = readVendorError(body);
  const first: JsonValue | undefined = Array.isArray(body) ? body[0] : body;
  const error = isJsonObject(first) ? first["error"] : undefined;
  const details = isJsonObject(error) && Array.isArray(error["details"]) ? error["details"] : [];
  const reasons: string[] = [];
  let retryAfterMs: number | undefined;
  for (const detail of details) {
    if (!isJsonObject(detail)) continue;
    if (typeof detail["reason"] === "string") reasons.push(detail["reason"]);
    retryAfterMs ??= durationMs(detail["retryDelay"]);
  }
  return {
    ...words,
    codes: [...reasons, ...words.codes],
    ...(retryAfterMs === undefined ? undefined : { retryAfterMs }),
  };
}

/** `34.4s`, as protobuf writes a duration. */
function durationMs(value: JsonValue | undefined): number | undefined {
  if (typeof value !== "string" || !/^\d+(?:\.\d+)?s$/.test(value)) return undefined;
  return Math.min(Math.ceil(Number.parseFloat(value) * 1000), maxRetryAfterMs);
}
