import { APIError as AnthropicError, RateLimitError as AnthropicRateLimit } from "@anthropic-ai/sdk";
import { APIError as OpenAiError, RateLimitError as OpenAiRateLimit } from "openai";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anthropicErrorBody } from "../gateway/dialects/anthropic-messages/error.ts";
import { openAiErrorBody } from "../gateway/dialects/openai-error.ts";
import { type FailureCode, failures, GatewayError } from "../router/errors.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";

/** What a client of each dialect sees of a failure: status, OpenAI's type and code, Anthropic's type. */
const table: Readonly<
  Record<FailureCode, readonly [status: number, type: string, code: string | null, their: string]>
> = {
  invalid_request: [400, "invalid_request_error", null, "invalid_request_error"],
  unsupported: [400, "invalid_request_error", "unsupported", "invalid_request_error"],
  context_overflow: [400, "invalid_request_error", "context_length_exceeded", "invalid_request_error"],
  content_policy: [400, "invalid_request_error", "content_policy_violation", "invalid_request_error"],
  unauthenticated: [401, "authentication_error", "invalid_api_key", "authentication_error"],
  provider_auth: [502, "server_error", "provider_auth", "api_error"],
  provider_billing: [502, "server_error", "provider_billing", "api_error"],
  forbidden: [403, "permission_error", "forbidden", "permission_error"],
  unknown_model: [404, "invalid_request_error", "model_not_found", "not_found_error"],
  not_found: [404, "invalid_request_error", "not_found", "not_found_error"],
  no_route: [404, "invalid_request_error", "no_route", "not_found_error"],
  provider_not_found: [502, "server_error", "provider_not_found", "api_error"],
  method_not_allowed: [405, "invalid_request_error", "method_not_allowed", "invalid_request_error"],
  conflict: [409, "invalid_request_error", "conflict", "invalid_request_error"],
  request_too_large: [413, "invalid_request_error", "request_too_large", "request_too_large"],
  unsupported_media_type: [415, "invalid_request_error", "unsupported_media_type", "invalid_request_error"],
  rate_limited: [429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"],
  quota_exhausted: [429, "insufficient_quota", "insufficient_quota", "rate_limit_error"],
  budget_exhausted: [429, "insufficient_quota", "budget_exhausted", "billing_error"],
  overloaded: [503, "server_error", "overloaded", "overloaded_error"],
  provider_error: [502, "server_error", "provider_error", "api_error"],
  bad_answer: [502, "server_error", "bad_answer", "api_error"],
  unreachable: [502, "server_error", "unreachable", "api_error"],
  timeout: [504, "server_error", "timeout", "timeout_error"],
  shutting_down: [503, "server_error", "shutting_down", "api_error"],
  internal: [500, "server_error", "internal_error", "api_error"],
};

const codes = Object.keys(failures).filter((code): code is FailureCode => code in failures);

describe.each(codes)("the failure %s", (code) => {
  const [status, type, theirCode, anthropicType] = table[code];
  const failure = new GatewayError(code, "why", { param: "messages[0]" });

  it("has the status a vendor would use", () => {
    expect(failure.status).toBe(status);
  });

  it("has OpenAI's shape, which its client reads", () => {
    const body = openAiErrorBody(failure);
    expect(body).toEqual({ error: { message: "why", type, param: "messages[0]", code: theirCode } });
    const seen = OpenAiError.generate(status, body, undefined, new Headers());
    expect([seen.status, seen.type, seen.code, seen.param]).toEqual([status, type, theirCode, "messages[0]"]);
  });

  it("has Anthropic's shape, which its client reads", () => {
    const body = anthropicErrorBody(failure, "tl-1");
    expect(body).toEqual({ type: "error", error: { type: anthropicType, message: "why" }, request_id: "tl-1" });
    const seen = AnthropicError.generate(status, body, undefined, new Headers());
    expect([seen.status, seen.type]).toEqual([status, anthropicType]);
  });
});

describe("a vendor's failure", () => {
  let vendor: Server;
  let gateway: TestGateway;

  beforeAll(async () => {
    vendor = createServer((request, response) => {
      request.resume().once("end", () => {
        const isAnthropic = request.url?.startsWith("/v1/messages") === true;
        response.writeHead(429, {
          "content-type": "application/json",
          "retry-after": "77",
          [isAnthropic ? "request-id" : "x-request-id"]: "req_of_vendor",
        });
        const error = { type: "rate_limit_error", message: "Too fast." };
        response.end(JSON.stringify(isAnthropic ? { type: "error", error } : { error }));
      });
    }).listen(0, "127.0.0.1");
    await once(vendor, "listening");
    const address = vendor.address();
    const origin = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
    gateway = await startGateway({
      env: {
        ANTHROPIC_API_KEY: "key-one",
        ANTHROPIC_BASE_URL: origin,
        OPENAI_API_KEY: "key-two",
        OPENAI_BASE_URL: `${origin}/openai/v1`,
      },
      yaml: "memory: { enabled: false }\n",
    });
  });
  afterAll(async () => {
    await gateway.close();
    vendor.closeAllConnections();
    await new Promise((resolve) => vendor.close(resolve));
  });

  const messages = [{ role: "user" as const, content: "hi" }];

  it.each(["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"])(
    "of %s tells an OpenAI client when to come back, and both request ids",
    async (model) => {
      const failed: unknown = await gateway
        .openai()
        .chat.completions.create({ model, messages })
        .catch((error: unknown) => error);
      if (!(failed instanceof OpenAiRateLimit)) throw new Error("Not refused as a rate limit.", { cause: failed });
      expect(failed.headers.get("retry-after")).toBe("77");
      expect(failed.headers.get("x-throughline-vendor-request-id")).toBe("req_of_vendor");
      expect(failed.requestID).toMatch(/^tl-/u);
    },
  );

  it.each(["openai/gpt-6-luna", "anthropic/claude-haiku-5-5"])(
    "of %s tells an Anthropic client when to come back, and both request ids",
    async (model) => {
      const failed: unknown = await gateway
        .anthropic()
        .messages.create({ model, messages, max_tokens: 9 })
        .catch((error: unknown) => error);
      if (!(failed instanceof AnthropicRateLimit)) throw new Error("Not refused as a rate limit.", { cause: failed });
      expect(failed.headers.get("retry-after")).toBe("77");
      expect(failed.headers.get("x-throughline-vendor-request-id")).toBe("req_of_vendor");
      expect(failed.requestID).toMatch(/^tl-/u);
      expect(failed.type).toBe("rate_limit_error");
    },
  );
});
