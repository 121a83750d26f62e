import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { loadConfig } from "../../config/load.ts";
import { createGateway, type Gateway } from "../../gateway/create-gateway.ts";
import type { Sandbox } from "../../gateway/sandbox/start-sandbox.ts";
import type { RecordedRequest } from "../../gateway/sandbox/vendor-server.ts";
import { isMemoryPrompt } from "./vendor-requests.ts";

/** A whole gateway in this process, on the sandbox vendors, told by environment and YAML as a person would. */
export type TestGateway = {
  readonly origin: string;
  readonly data: string;
  readonly gateway: Gateway;
  readonly sandbox: Sandbox;
  /** The unchanged official client. `headers` go with every request. */
  openai(headers?: Readonly<Record<string, string>>, apiKey?: string): OpenAI;
  anthropic(headers?: Readonly<Record<string, string>>): Anthropic;
  fetch(path: string, init?: Init): Promise<Response>;
  /** What the vendors were asked for a client's sake: what memory asked for its own is left out. */
  asked(): readonly RecordedRequest[];
  /** Resolves when everything that was said has been learned from. */
  learned(): Promise<void>;
  /** Ends it in order; its directory goes too, unless it was given. */
  close(): Promise<void>;
};

export type TestGatewayOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly yaml?: string;
  /** A directory that outlives this gateway. */
  readonly data?: string;
};

export type Init = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is when a string, else as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
};

/** Two-core machines that run two test files at once need longer for a recall than the shipped 150 ms. */
const patient = "logLevel: silent\n";
const patientMemory = "memory: { recallDeadlineMs: 5000 }\n";

export async function startGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const data = options.data ?? newDirectory();
  const yaml = `${patient}${options.yaml?.includes("memory:") === true ? "" : patientMemory}${options.yaml ?? ""}`;
  const env = { THROUGHLINE_DATA: data, THROUGHLINE_CONFIG: "test.yaml", PORT: "0", ...options.env };
  const gateway = await createGateway(loadConfig({ env, readFile: () => yaml }));
  const origin = `http://127.0.0.1:${await gateway.listen()}`;
  const sandbox = () => {
    const { sandbox: found } = gateway.providers;
    if (found === undefined) throw new Error("This gateway was given vendors of its own.");
    return found;
  };
  return {
    origin,
    data,
    gateway,
    get sandbox() {
      return sandbox();
    },
    openai: (headers = {}, apiKey = "none-needed") =>
      new OpenAI({ apiKey, baseURL: `${origin}/v1`, maxRetries: 0, defaultHeaders: headers }),
    anthropic: (headers = {}) =>
      new Anthropic({ apiKey: "none-needed", baseURL: origin, maxRetries: 0, defaultHeaders: headers }),
    fetch: (path, init = {}) => send(`${origin}${path}`, init),
    asked: () =>
      sandbox()
        .requests()
        .filter((request) => !isMemoryPrompt(request)),
    learned: async () => await gateway.memory?.idle(AbortSignal.timeout(10_000)),
    async close() {
      await gateway.close();
      if (options.data === undefined) removeDirectory(data);
    },
  };
}

export function newDirectory(): string {
  return mkdtempSync(join(tmpdir(), "throughline-test-"));
}

export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** `fetch` with JSON made easy; the method is POST when there is a body. */
export async function send(url: string, init: Init = {}): Promise<Response> {
  const { method, headers, body, signal } = init;
  return await fetch(url, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
}
