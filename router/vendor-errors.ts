import type { FailureCode, FailureDetails } from "./errors.ts";
import { GatewayError } from "./errors.ts";
import type { JsonValue } from "./json.ts";
import { isJsonObject } from "./json.ts";

/** How one vendor says what went wrong. Structured words decide first, the status next, the text never but for overflow. */
export type VendorErrorRules = {
  /** The vendor's own error codes, types and statuses, as they stand in its error body. */
  readonly codes: Readonly<Record<string, FailureCode>>;
  /** Where this vendor's use of a status differs from {@link statusCodes}. */
  readonly statuses?: Readonly<Record<number, FailureCode>>;
  /** Finds the vendor's words in its error body, where it differs from {@link readVendorError}. */
  readonly read?: (body: JsonValue) => VendorErrorWords;
};

export type VendorErrorWords = {
  readonly message?: string;
  /** Most specific first. */
  readonly codes: readonly string[];
  readonly param?: string;
  readonly retryAfterMs?: number;
};

export type HeaderReader = { get(name: string): string | null };

/** No vendor's advice holds a request longer than this. */
export const maxRetryAfterMs = 10 * 60_000;
const maxMessageLength = 600;

const statusCodes: Readonly<Record<number, FailureCode>> = {
  400: "invalid_request",
  401: "provider_auth",
  402: "provider_billing",
  403: "provider_auth",
  404: "provider_not_found",
  405: "provider_not_found",
  408: "timeout",
  409: "provider_error",
  413: "request_too_large",
  415: "invalid_request",
  422: "invalid_request",
  424: "provider_error",
  425: "overloaded",
  429: "rate_limited",
  498: "overloaded", // Groq: flex capacity exceeded
  502: "overloaded",
  503: "overloaded",
  504: "timeout",
  524: "timeout", // Cloudflare gave up on the vendor
  529: "overloaded", // Anthropic
};

/**
 * An error response of a vendor as ours. `body` is its text, whatever it is: JSON, half of it, or a proxy's HTML page.
 * `now` is for `retry-after` dates.
 */
export function vendorFailure(failure: {
  readonly provider: string;
  readonly status: number;
  readonly headers: HeaderReader;
  readonly body: string;
  readonly rules: VendorErrorRules;
  readonly now?: number;
}): GatewayError {
  const { provider, status, headers, rules } = failure;
  const body = parseBody(failure.body);
  const words = body === undefined ? { codes: [] } : (rules.read ?? readVendorError)(body);
  const retryAfterMs = retryAfterOf(headers, failure.now ?? Date.now()) ?? words.retryAfterMs;
  const requestId = headers.get("x-request-id") ?? headers.get("request-id") ?? undefined;
  return build({ provider, status, words, rules, retryAfterMs, requestId });
}

/** An error that came inside a 200, whole or as an event of a stream. */
export function embeddedFailure(failure: {
  readonly provider: string;
  readonly body: JsonValue;
  readonly rules: VendorErrorRules;
  readonly requestId?: string;
}): GatewayError {
  const words = (failure.rules.read ?? readVendorError)(failure.body);
  return build({
    provider: failure.provider,
    status: embeddedStatus(failure.body),
    words,
    rules: failure.rules,
    retryAfterMs: words.retryAfterMs,
    requestId: failure.requestId,
  });
}

/** What the network did to us, as ours: `timeout` when it was too slow, `bad_answer` when it was not HTTP, else `unreachable`. */
export function networkFailure(provider: string, cause: unknown): GatewayError {
  const code = codeOf(cause);
  if (code.endsWith("_TIMEOUT") || code === "ETIMEDOUT") {
    return new GatewayError("timeout", `${provider} did not answer in time (${code}).`, { cause });
  }
  if (code.startsWith("HPE_")) {
    return new GatewayError("bad_answer", `${provider} answered something that is not HTTP (${code}).`, { cause });
  }
  const detail = code === "" ? "" : ` (${code})`;
  return new GatewayError("unreachable", `${provider} could not be reached or broke the connection${detail}.`, {
    cause,
  });
}

/** `retry-after-ms`, `x-ms-retry-after-ms`, or `retry-after` in seconds or as a date; capped, absent when not given. */
export function retryAfterOf(headers: HeaderReader, now: number): number | undefined {
  for (const name of ["retry-after-ms", "x-ms-retry-after-ms"]) {
    const ms = Number.parseFloat(headers.get(name) ?? "");
    if (ms >= 0) return Math.min(Math.ceil(ms), maxRetryAfterMs);
  }
  const value = headers.get("retry-after")?.trim();
  if (value === undefined || value === "") return undefined;
  const seconds = Number(value);
  const ms = Number.isNaN(seconds) ? Date.parse(value) - now : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(Math.ceil(ms), 0), maxRetryAfterMs);
}

/**
 * The shapes in use: `{error:{message,type,code,param}}` (OpenAI and most hosts), `{error:"text"}` (Ollama),
 * `{type:"error",error:{type,message}}` (Anthropic), `{object:"error",message,code}` (older vLLM),
 * `{detail:"text"|[{msg,loc}]}` (FastAPI), `[{error:{…}}]` (Google's compatible endpoint).
 */
export function readVendorError(body: JsonValue): VendorErrorWords {
  if (Array.isArray(body)) return body[0] === undefined ? { codes: [] } : readVendorError(body[0]);
  if (typeof body === "string") return { message: body, codes: [] };
  if (!isJsonObject(body)) return { codes: [] };
  const error = body["error"] ?? body;
  if (typeof error === "string") return { message: error, codes: [] };
  if (!isJsonObject(error)) return { codes: [] };
  const message = error["message"] ?? detailOf(error["detail"] ?? body["detail"]);
  const param = error["param"];
  return {
    codes: [error["code"], error["status"], error["type"]].filter((word) => typeof word === "string"),
    ...(typeof message === "string" ? { message } : undefined),
    ...(typeof param === "string" ? { param } : undefined),
  };
}

/**
 * Hosts without a code for it say it in many ways. Only read when no structured code has decided, and only for
 * refusals of the request itself.
 */
const overflowTexts: readonly RegExp[] = [
  /context[ _-]?(length|window|size|limit)/i,
  /maximum (context|prompt|input)[ _-]?(length|size|tokens)/i,
  /(prompt|input|request|messages?) (is|are|was)? ?too (long|large) .{0,80}token/i,
  /prompt is too long/i,
  /input token count .{0,60}exceeds/i,
  /(exceeds?|exceeded|over) .{0,60}(context|maximum number of (input )?tokens|token limit)/i,
  /reduce the length of (the|your) (messages|prompt|input)/i,
  /too many (input )?tokens/i,
];
const notOverflow = /rate.?limit|per (minute|day|hour)|\bTPM\b|\bRPM\b|quota/i;

function build(found: {
  readonly provider: string;
  readonly status: number | undefined;
  readonly words: VendorErrorWords;
  readonly rules: VendorErrorRules;
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
}): GatewayError {
  const { provider, status, words, requestId, retryAfterMs } = found;
  const code = decide(status, words, found.rules);
  const vendor: FailureDetails["vendor"] = {
    ...(requestId === undefined ? undefined : { requestId }),
    ...(status === undefined ? undefined : { status }),
    ...(words.codes[0] === undefined ? undefined : { code: words.codes[0] }),
  };
  return new GatewayError(code, messageOf(provider, code, status, words), {
    vendor,
    ...(words.param === undefined ? undefined : { param: words.param }),
    ...(retryAfterMs === undefined ? undefined : { retryAfterMs }),
  });
}

function decide(status: number | undefined, words: VendorErrorWords, rules: VendorErrorRules): FailureCode {
  for (const word of words.codes) {
    const code = rules.codes[word];
    if (code !== undefined) return refine(code, words);
  }
  if (status === undefined) return refine("provider_error", words);
  const code = rules.statuses?.[status] ?? statusCodes[status];
  if (code !== undefined) return refine(code, words);
  if (status >= 500) return "provider_error";
  // A redirect, or a 200 that was not one, is not the vendor's protocol; other 4xx refuse the request.
  return status >= 400 ? "invalid_request" : "bad_answer";
}

function refine(code: FailureCode, words: VendorErrorWords): FailureCode {
  const refusesRequest = code === "invalid_request" || code === "request_too_large" || code === "provider_error";
  const text = words.message;
  if (!refusesRequest || text === undefined || notOverflow.test(text)) return code;
  return overflowTexts.some((pattern) => pattern.test(text)) ? "context_overflow" : code;
}

function messageOf(provider: string, code: FailureCode, status: number | undefined, words: VendorErrorWords): string {
  const said = status === undefined ? "" : ` (${status})`;
  // What a vendor says about a key quotes part of it.
  if (code === "provider_auth") return `${provider} refused the gateway's credentials${said}: check its API key.`;
  if (words.message === undefined || words.message === "") return `${provider} failed${said}.`;
  return `${provider} failed${said}: ${redactKeys(words.message).slice(0, maxMessageLength).toWellFormed()}`;
}

/** The keys in use, for {@link redactKeys}: some vendors and many proxies quote the key they refuse. */
const keysInUse = new Set<string>();
/** A shorter one would blot out ordinary words; nobody issues such keys. */
const shortestKey = 8;

/** From now on no vendor error shows this key, whatever its form. Call it for every key handed to a provider. */
export function hideKey(key: string): void {
  if (key.length >= shortestKey) keysInUse.add(key);
}

function redactKeys(text: string): string {
  let hidden = text;
  for (const key of keysInUse) hidden = hidden.replaceAll(key, "[key]");
  return hidden.replaceAll(/\b(?:sk|pk|gsk|xai|key|rk|Bearer)[-_ ][\w*.-]{6,}|\bAIza[\w*-]{10,}/g, "[key]");
}

function parseBody(text: string): JsonValue | undefined {
  const start = text.trimStart()[0];
  if (start !== "{" && start !== "[") return text.length < maxMessageLength && start !== "<" ? text : undefined;
  try {
    const body: JsonValue = JSON.parse(text);
    return body;
  } catch {
    // Cut or broken JSON says nothing certain: the status decides.
    return undefined;
  }
}

/** OpenRouter and Google's hosts put the HTTP status into the error of a 200. */
function embeddedStatus(body: JsonValue): number | undefined {
  const error: JsonValue | undefined = isJsonObject(body) ? (body["error"] ?? body) : undefined;
  if (!isJsonObject(error)) return undefined;
  for (const status of [error["code"], error["status"], error["status_code"]]) {
    if (typeof status === "number" && status >= 400 && status < 600) return status;
  }
  return undefined;
}

function detailOf(detail: JsonValue | undefined): JsonValue | undefined {
  const first: JsonValue | undefined = Array.isArray(detail) ? detail[0] : detail;
  return isJsonObject(first) ? (first["msg"] ?? first["message"]) : first;
}

function codeOf(cause: unknown): string {
  let error = cause;
  for (let depth = 0; depth < 4 && error instanceof Error; depth += 1) {
    if ("code" in error && typeof error.code === "string") return error.code;
    error = error instanceof AggregateError ? error.errors[0] : error.cause;
  }
  return "";
}
