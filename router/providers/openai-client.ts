import { createHash } from "node:crypto";
import OpenAI from "openai";
import { GatewayError } from "../errors.ts";
import type { ProviderOptions } from "../provider-options.ts";
import { failureOf, vendorFetch } from "../vendor-call.ts";
import { openAiErrors } from "./openai-errors.ts";

/** One host that speaks OpenAI's protocols, behind OpenAI's SDK. */
export type OpenAiClient = {
  readonly provider: string;
  /** Names whose key this is without telling it: encrypted reasoning is bound to it. */
  readonly credential: string;
  /** Resolves when the headers are here. Throws `GatewayError`; an abort passes through. */
  post(path: string, json: string, signal: AbortSignal): Promise<Response>;
};

export type KeyHeader = "authorization" | "api-key";

/** The pool has the shorter timeouts; this one only keeps the SDK's own ten minutes from cutting a long answer. */
const sdkTimeoutMs = 3_600_000;

export function createOpenAiClient(
  options: ProviderOptions & { readonly baseUrl: string; readonly keyHeader: KeyHeader },
): OpenAiClient {
  const { id, apiKey, baseUrl } = options;
  const send = vendorFetch(options.fetch, id, openAiErrors);
  const headers = requestHeaders(options);
  // By body, past the SDK: it would compose each signal with one of its own, which costs as much as the call.
  const signals = new WeakMap<object, AbortSignal>();
  const sdk = new LeanOpenAI({
    // A host on one's own machine has no key, and the SDK wants one; the header is ours anyway.
    apiKey: apiKey === "" ? "none" : apiKey,
    baseURL: baseUrl,
    maxRetries: 0,
    timeout: sdkTimeoutMs,
    logLevel: "off",
    // Given, so that the SDK does not read them from the environment and send OpenAI's to another host.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    // Ours and no others: the SDK would add what it finds in OPENAI_CUSTOM_HEADERS.
    fetch: (url, init) =>
      send(url, { method: "POST", body: init?.body ?? null, headers, signal: signalOf(init?.body) }),
  });
  function signalOf(body: unknown): AbortSignal | null {
    return typeof body === "object" && body !== null ? (signals.get(body) ?? null) : null;
  }
  return {
    provider: id,
    credential: `${id}:${createHash("sha256").update(apiKey).digest("base64url").slice(0, 12)}`,
    post: async (path, json, signal) => {
      try {
        const body = Buffer.from(json);
        signals.set(body, signal);
        return await sdk.post(path, { body }).asResponse();
      } catch (error) {
        throw failureOf(id, error, signal);
      }
    },
  };
}

/**
 * The SDK with a request builder of our own, a hook it documents: its twelve headers about this machine would be replaced
 * anyway, and building them is a third of what a call through it costs.
 */
class LeanOpenAI extends OpenAI {
  readonly #headers = new Headers();

  override buildRequest(...[options]: Parameters<OpenAI["buildRequest"]>): ReturnType<OpenAI["buildRequest"]> {
    const { body } = options;
    if (!(body instanceof Uint8Array)) throw new GatewayError("internal", "A vendor's request has no body.");
    const request = { method: options.method, headers: this.#headers, body };
    return Promise.resolve({ req: request, url: this.buildURL(options.path, undefined), timeout: this.timeout });
  }
}

function requestHeaders(options: ProviderOptions & { readonly keyHeader: KeyHeader }): Record<string, string> {
  const { apiKey, keyHeader } = options;
  const key = keyHeader === "authorization" ? `Bearer ${apiKey}` : apiKey;
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "user-agent": "throughline",
    ...(apiKey === "" ? undefined : { [keyHeader]: key }),
    ...options.headers,
  };
}
