import type { RouterDeps } from "../router/create-router.ts";
import type { Capabilities, Model } from "../router/model.ts";
import type { Policy } from "../router/policy.ts";
import type { Provider } from "../router/provider.ts";
import type { RouteContext } from "../router/router.ts";

/** Small parts that routing tests are put together from: everything a test does not speak of has one plain value. */

const plainCapabilities: Capabilities = {
  input: ["text"],
  tools: true,
  forcedToolChoice: true,
  parallelTools: true,
  jsonSchema: true,
  sampling: "full",
  stop: true,
  efforts: [],
  prefill: true,
  toolsWithEffortNeedResponses: false,
  midSystem: true,
  promptCache: "automatic",
};

/** `name` is `provider/id`; `usdPerMillion` is the price of input, output costs five times as much. */
export function aModel(
  name: string,
  usdPerMillion: number | undefined,
  quality: number,
  change: Partial<Omit<Model, "capabilities">> & { readonly can?: Partial<Capabilities> } = {},
): Model {
  const [provider = "", id = ""] = name.split("/");
  const { can, ...rest } = change;
  const nano = (usdPerMillion ?? 0) * 1000;
  return {
    id,
    provider,
    protocols: ["openai-chat"],
    contextTokens: 100_000,
    maxOutputTokens: 8_000,
    capabilities: { ...plainCapabilities, ...can },
    prices: usdPerMillion === undefined ? [] : [{ input: nano, cacheRead: nano / 10, output: nano * 5 }],
    quality: { default: quality },
    typicalTtftMs: 500,
    typicalTokensPerSecond: 100,
    ...rest,
  };
}

export function aContext(change: Partial<RouteContext> = {}): RouteContext {
  return { tenant: "acme", turnText: "How far is the moon?", userTurn: true, memoryTokens: 0, ...change };
}

export function aPolicy(name: string, change: Partial<Omit<Policy, "name">> = {}): Policy {
  return { name, default: {}, classes: {}, rules: [], ...change };
}

/** A host that nobody asks: for tests that only plan. */
function aProvider(id: string): Provider {
  return { id, chat: () => Promise.reject(new Error(`${id} was asked`)) };
}

/** Router dependencies with a clock that stands still and every provider of the models configured. */
export function routerDeps(models: readonly Model[], change: Partial<RouterDeps> = {}): RouterDeps {
  return {
    models,
    providers: new Map(models.map(({ provider }) => [provider, aProvider(provider)])),
    policies: [aPolicy("balanced")],
    aliases: {},
    defaultPolicy: "balanced",
    classify: () => ({ taskClass: "chat", confidence: 0.9, difficulty: "medium" }),
    clock: () => Date.parse("2026-11-21T12:00:00Z"),
    random: () => 0,
    sleep: () => Promise.resolve(),
    timer: () => () => undefined,
    ...change,
  };
}
