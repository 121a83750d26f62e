import { once } from "node:events";
import type { Server } from "node:http";
import { createAnthropicWire } from "./anthropic-messages.ts";
import { FailurePlan } from "./failures.ts";
import { createGeminiWire } from "./gemini-generate.ts";
import { createModelList } from "./models.ts";
import { createOpenaiWire } from "./openai-wire.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { createVendorServer, RequestLog, type RecordedRequest } from "./vendor-server.ts";
import type { Vendor } from "./view.ts";
import type { SandboxState, VendorWire } from "./wire.ts";

type SandboxVendor = { readonly baseUrl: string; readonly apiKey: string };

export type Sandbox = {
  /** `baseUrl` ends in `/v1`, as OpenAI's does. */
  readonly openai: SandboxVendor;
  readonly anthropic: SandboxVendor;
  readonly gemini: SandboxVendor;
  /** Ends every connection, also those that hang. */
  close(): Promise<void>;
  /** The last requests of all three vendors, oldest first. */
  requests(): readonly RecordedRequest[];
};

export type SandboxOptions = {
  /** Milliseconds since 1970: dates the answers and ages the prompt cache. */
  readonly now?: () => number;
  /** Prompts below this are not cached, as at the vendors; default 1024. */
  readonly minCacheTokens?: number;
  /** Models to know besides the built-in ones. */
  readonly extraModels?: Partial<Record<Vendor, readonly string[]>>;
};

/** Starts the three sandbox vendors on free ports of 127.0.0.1. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const now = options.now ?? Date.now;
  let count = 0;
  const state: SandboxState = {
    models: createModelList(options.extraModels ?? {}),
    failures: new FailurePlan(),
    cache: new PrefixCache({ now, minTokens: options.minCacheTokens ?? 1_024 }),
    now,
    nextNumber: () => (count += 1),
  };
  const log = new RequestLog();
  const servers: Server[] = [];
  const start = async (wire: VendorWire): Promise<{ origin: string; apiKey: string }> => {
    const apiKey = `sandbox-${wire.vendor}`;
    const server = createVendorServer({ wire, apiKey, failures: state.failures, log });
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The sandbox could not open a port.");
    return { origin: `http://127.0.0.1:${address.port}`, apiKey };
  };
  const openai = await start(createOpenaiWire(state));
  const anthropic = await start(createAnthropicWire(state));
  const gemini = await start(createGeminiWire(state));
  return {
    openai: { baseUrl: `${openai.origin}/v1`, apiKey: openai.apiKey },
    anthropic: { baseUrl: anthropic.origin, apiKey: anthropic.apiKey },
    gemini: { baseUrl: gemini.origin, apiKey: gemini.apiKey },
    close: async () => {
      await Promise.all(servers.map(closeServer));
    },
    requests: () => log.list(),
  };
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}
