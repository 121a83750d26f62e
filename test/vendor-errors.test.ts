import { describe, expect, it } from "vitest";
import type { GatewayError } from "../router/errors.ts";
import { openAiErrors } from "../router/providers/openai-errors.ts";
import { hideKey, maxRetryAfterMs, networkFailure, retryAfterOf, vendorFailure } from "../router/vendor-errors.ts";

const now = Date.parse("2026-11-21T00:00:00Z");

const withCode = (code: string): Error => Object.assign(new Error("no"), { code });

function failure(status: number, body: string, headers: Record<string, string> = {}): GatewayError {
  return vendorFailure({ provider: "acme", status, headers: new Headers(headers), body, rules: openAiErrors, now });
}

describe("how long to wait", () => {
  it.each([
    [{ "retry-after": "3" }, 3000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "Sat, 21 Nov 2026 00:00:09 GMT" }, 9000],
    [{ "retry-after": "Sat, 21 Nov 2020 00:00:09 GMT" }, 0],
    [{ "retry-after-ms": "250", "retry-after": "9" }, 250],
    [{ "x-ms-retry-after-ms": "70" }, 70],
    [{ "retry-after": "86400" }, maxRetryAfterMs],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after-ms": "-4" }, undefined],
    [{}, undefined],
  ])("reads %j as %s ms", (headers, ms) => {
    expect(retryAfterOf(new Headers(headers as Record<string, string>), now)).toBe(ms);
  });
});

describe("a key in use", () => {
  it("is never shown in a vendor's error, whatever its form", () => {
    hideKey("supersecretvendorkey123");
    const { message } = failure(400, '{"error":{"message":"bad key supersecretvendorkey123 for this"}}');
    expect(message).toContain("bad key [key] for this");
  });
});

describe("what a vendor's refusal means", () => {
  it.each([
    [
      '{"error":{"message":"Rate limit reached: 30000 tokens per minute","code":"rate_limit_exceeded"}}',
      429,
      "rate_limited",
    ],
    ['{"error":{"message":"quota","code":"insufficient_quota"}}', 429, "quota_exhausted"],
    ['{"error":{"message":"x","code":"context_length_exceeded"}}', 400, "context_overflow"],
    ['{"error":"input length exceeds the context length"}', 500, "provider_error"],
    [
      '{"object":"error","message":"This model\'s maximum context length is 4096 tokens","code":400}',
      400,
      "context_overflow",
    ],
    ['{"detail":[{"msg":"Prompt is too long: 9000 tokens","loc":["body"]}]}', 422, "context_overflow"],
    ['[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}]', 429, "rate_limited"],
    ['{"error":{"message":"Unsupported value","code":"unsupported_value","param":"temperature"}}', 400, "unsupported"],
    ["<html>nginx</html>", 502, "overloaded"],
    ["", 504, "timeout"],
    ["{", 418, "invalid_request"],
    ["", 302, "bad_answer"],
    ["", 402, "provider_billing"],
  ])("takes %s with %i as %s", (body, status, code) => {
    expect(failure(status, body).code).toBe(code);
  });

  it("keeps the vendor's request id, code and the field at fault", () => {
    const error = failure(400, '{"error":{"message":"Bad","code":"x","param":"messages[1]"}}', { "x-request-id": "r" });
    expect(error.vendor).toEqual({ requestId: "r", status: 400, code: "x" });
    expect(error.param).toBe("messages[1]");
    expect(error.message).toBe("acme failed (400): Bad");
  });

  it("quotes no key, and nothing at all of what is said about one", () => {
    expect(failure(401, '{"error":{"message":"Incorrect API key provided: sk-abc***xyz"}}').message).not.toContain(
      "sk-",
    );
    expect(failure(400, '{"error":{"message":"Key sk-proj-abcdef123456 is odd"}}').message).toBe(
      "acme failed (400): Key [key] is odd",
    );
  });

  it("is short though the vendor is not", () => {
    expect(failure(400, JSON.stringify({ error: { message: "x".repeat(10_000) } })).message.length).toBeLessThan(700);
  });
});

describe("what the network did", () => {
  it.each([
    ["ECONNREFUSED", "unreachable"],
    ["ENOTFOUND", "unreachable"],
    ["UND_ERR_SOCKET", "unreachable"],
    ["UND_ERR_HEADERS_TIMEOUT", "timeout"],
    ["UND_ERR_BODY_TIMEOUT", "timeout"],
    ["UND_ERR_CONNECT_TIMEOUT", "timeout"],
    ["HPE_INVALID_CONSTANT", "bad_answer"],
  ])("calls %s %s, however deep it lies", (code, expected) => {
    expect(networkFailure("acme", withCode(code)).code).toBe(expected);
    expect(networkFailure("acme", new Error("fetch failed", { cause: withCode(code) })).code).toBe(expected);
    expect(networkFailure("acme", new AggregateError([withCode(code)])).code).toBe(expected);
  });
});
