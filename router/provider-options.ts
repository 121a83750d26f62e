import type { PooledFetch } from "./pooled-fetch.ts";

/** What every provider of the registry is made from. */
export type ProviderOptions = {
  /** The name that models, policies and metrics use: a key of the registry, or the operator's own name for a host. */
  readonly id: string;
  readonly apiKey: string;
  /** Absent means the vendor's own address. */
  readonly baseUrl?: string;
  /** Sent with every call, lower-case names (`openai-organization`). */
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch: PooledFetch;
};
