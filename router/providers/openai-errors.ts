import type { VendorErrorRules } from "../vendor-errors.ts";

/**
 * What OpenAI and the hosts that speak its protocols put into `error.code` and `error.type`. Words that only say "ours, not
 * yours" (`server_error`) are left out: the status beside them tells an overloaded vendor (503) from a broken one (500).
 */
export const openAiErrors: VendorErrorRules = {
  codes: {
    context_length_exceeded: "context_overflow",
    context_window_exceeded: "context_overflow",
    model_max_prompt_tokens_exceeded: "context_overflow",
    insufficient_quota: "quota_exhausted",
    billing_hard_limit_reached: "provider_billing",
    billing_not_active: "provider_billing",
    insufficient_balance: "provider_billing",
    invalid_api_key: "provider_auth",
    invalid_authentication: "provider_auth",
    authentication_error: "provider_auth",
    account_deactivated: "provider_auth",
    permission_denied: "provider_auth",
    permission_error: "provider_auth",
    unsupported_country_region_territory: "provider_auth",
    model_not_found: "provider_not_found",
    DeploymentNotFound: "provider_not_found",
    rate_limit_exceeded: "rate_limited",
    rate_limit_error: "rate_limited",
    slow_down: "overloaded",
    server_overloaded: "overloaded",
    overloaded_error: "overloaded",
    engine_overloaded: "overloaded",
    vector_store_timeout: "timeout",
    content_policy_violation: "content_policy",
    content_filter: "content_policy",
    invalid_prompt: "content_policy",
    bio_policy: "content_policy",
    misalignment_policy_violation: "content_policy",
    image_content_policy_violation: "content_policy",
    unsupported_parameter: "unsupported",
    unsupported_value: "unsupported",
    unsupported_model: "unsupported",
    data_residency_mismatch: "unsupported",
    request_too_large: "request_too_large",
  },
};
