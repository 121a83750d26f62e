import type { Config, VendorId } from "../config/config.ts";
import type { PooledFetch } from "../router/pooled-fetch.ts";
import type { Provider } from "../router/provider.ts";
import { hideKey } from "../router/vendor-errors.ts";
import { providers as registry } from "../router/providers.ts";
import { type Sandbox, startSandbox } from "./sandbox/start-sandbox.ts";

export type ConnectedProviders = {
  readonly providers: ReadonlyMap<string, Provider>;
  /** Present when no vendor has a key: the vendors are our own, on loopback. */
  readonly sandbox?: Sandbox;
};

/** The adapters for every vendor with a key and every host of one's own; without either, for the sandbox vendors. */
export async function connectProviders(config: Config, fetch: PooledFetch): Promise<ConnectedProviders> {
  const providers = new Map<string, Provider>();
  const sandbox = config.sandbox ? await startSandbox({ extraModels: modelIdsByVendor(config) }) : undefined;
  if (sandbox !== undefined) {
    const vendors = { openai: sandbox.openai, anthropic: sandbox.anthropic, google: sandbox.gemini };
    for (const [id, access] of Object.entries(vendors)) providers.set(id, create(id, { id, ...access, fetch }));
  }
  for (const [id, { apiKey, baseUrl }] of config.vendors) {
    providers.set(
      id,
      create(id, { id, apiKey: apiKey.reveal(), fetch, ...(baseUrl === undefined ? {} : { baseUrl }) }),
    );
  }
  for (const { id, baseUrl, apiKey, headers } of config.hosts) {
    const name = id in registry ? id : "openai-compatible";
    providers.set(id, create(name, { id, baseUrl, apiKey: apiKey?.reveal() ?? "", headers, fetch }));
  }
  return { providers, ...(sandbox === undefined ? {} : { sandbox }) };
}

function create(name: string, options: Parameters<(typeof registry)[string]>[0]): Provider {
  const createProvider = registry[name];
  if (createProvider === undefined) throw new Error(`No adapter is registered as '${name}'.`);
  hideKey(options.apiKey);
  return createProvider(options);
}

/** The sandbox knows whatever the catalogue offers, so that every listed name can be tried. */
function modelIdsByVendor(config: Config): Record<"openai" | "anthropic" | "gemini", readonly string[]> {
  const ids = (vendor: VendorId) => config.models.filter((model) => model.provider === vendor).map((model) => model.id);
  return { openai: ids("openai"), anthropic: ids("anthropic"), gemini: ids("google") };
}
