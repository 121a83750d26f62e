import { isJsonObject } from "../../json.ts";
import { readVendorError, type VendorErrorRules } from "../../vendor-errors.ts";

/** https://platform.claude.com/docs/en/api/errors */
export const anthropicErrors: VendorErrorRules = {
  codes: {
    contract_spend_limit_reached: "quota_exhausted",
    enforced_spend_limit_reached: "quota_exhausted",
    invalid_request_error: "invalid_request",
    authentication_error: "provider_auth",
    permission_error: "provider_auth",
    billing_error: "provider_billing",
    not_found_error: "provider_not_found",
    request_too_large: "request_too_large",
    rate_limit_error: "rate_limited",
    timeout_error: "timeout",
    gateway_timeout_error: "timeout",
    api_error: "provider_error",
    overloaded_error: "overloaded",
  },
  read(body) {
    const words = readVendorError(body);
    const error = isJsonObject(body) ? body["error"] : undefined;
    const details = isJsonObject(error) ? error["details"] : undefined;
    const code = isJsonObject(details) ? details["error_code"] : undefined;
    return typeof code === "string" ? { ...words, codes: [code, ...words.codes] } : words;
  },
};
