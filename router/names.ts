import { GatewayError } from "./errors.ts";
import type { Model } from "./model.ts";
import { modelName } from "./model.ts";
import { didYouMean } from "./nearest.ts";

/** What a client's model name asks for: a choice by a policy, or these models in this order. */
export type Resolution =
  | { readonly kind: "auto"; readonly policy?: string }
  | { readonly kind: "models"; readonly models: readonly Model[] };

export type NamesOptions = {
  /** The whole catalogue, models of vendors without a key included. */
  readonly models: readonly Model[];
  readonly isConfigured: (provider: string) => boolean;
  /** Each alias with the names it stands for, tried in order. An alias may stand for another, never for itself. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  readonly policies: readonly string[];
  /** What to do about a provider that is not configured: `set ANTHROPIC_API_KEY`. */
  readonly missingProviders: ReadonlyMap<string, string>;
  /** Other words for a provider before the slash (`gemini` for `google`). */
  readonly providerSynonyms?: Readonly<Record<string, string>>;
};

export type Names = {
  /** Throws `unknown_model` with the nearest names, or with what to set when the vendor has no key. */
  resolve(name: string): Resolution;
  /** Every name that can be asked for now, sorted within its kind. */
  readonly all: readonly string[];
};

/** Reads `auto`, `auto:policy`, aliases, bare ids, `provider/id` and dated snapshots of a known id. */
export function createNames(options: NamesOptions): Names {
  const byName = indexModels(options.models);
  const known = new Map<string, Resolution>([["auto", { kind: "auto" }]]);
  for (const policy of options.policies) known.set(`auto:${policy}`, { kind: "auto", policy });
  const configured = options.models.filter((model) => options.isConfigured(model.provider));
  for (const [name, models] of indexModels(configured)) known.set(name, { kind: "models", models });
  for (const alias of Object.keys(options.aliases)) {
    const resolution = resolveAlias(alias, options, known, new Set());
    if (resolution !== undefined) known.set(alias, resolution);
  }
  const snapshots = new Map<string, Resolution>();

  function resolve(asked: string): Resolution {
    const name = plainName(asked, options.providerSynonyms ?? {});
    const resolution = known.get(name) ?? snapshots.get(name);
    if (resolution !== undefined) return resolution;
    const dated = snapshotOf(name, byName, options);
    if (dated === undefined) throw unknownModel(asked, name, options, byName, known);
    if (snapshots.size >= maxSnapshots) snapshots.clear();
    snapshots.set(name, dated);
    return dated;
  }

  return { resolve, all: [...known.keys()] };
}

/** Snapshot names come from clients: the memory of them is emptied when it holds this many. */
const maxSnapshots = 256;

function indexModels(models: readonly Model[]): Map<string, readonly Model[]> {
  const index = new Map<string, readonly Model[]>();
  // Bare ids first: two hosts of one id are tried in the order of the catalogue.
  for (const model of models) index.set(model.id, [...(index.get(model.id) ?? []), model]);
  for (const model of models) index.set(modelName(model), [model]);
  return index;
}

/** `throughline/auto` is how clients that insist on a provider write `auto`. */
function plainName(asked: string, synonyms: Readonly<Record<string, string>>): string {
  if (asked.startsWith("throughline/")) return asked.slice("throughline/".length);
  const slash = asked.indexOf("/");
  if (slash === -1) return asked;
  const provider = asked.slice(0, slash);
  const synonym = Object.hasOwn(synonyms, provider) ? synonyms[provider] : undefined;
  return synonym === undefined ? asked : synonym + asked.slice(slash);
}

/** `undefined` when nothing an alias stands for is configured. */
function resolveAlias(
  alias: string,
  options: NamesOptions,
  known: ReadonlyMap<string, Resolution>,
  path: Set<string>,
): Resolution | undefined {
  if (path.has(alias)) throw new GatewayError("internal", `alias ${[...path, alias].join(" → ")} stands for itself`);
  path.add(alias);
  const models: Model[] = [];
  for (const target of options.aliases[alias] ?? []) {
    // An alias may carry a model's own name, to give it fallbacks: inside, the name means the model.
    const isOther = target !== alias && Object.hasOwn(options.aliases, target);
    const resolution = isOther
      ? resolveAlias(target, options, known, path)
      : known.get(plainName(target, options.providerSynonyms ?? {}));
    if (resolution?.kind === "auto") return resolution;
    for (const model of resolution?.models ?? []) if (!models.includes(model)) models.push(model);
  }
  path.delete(alias);
  return models.length === 0 ? undefined : { kind: "models", models };
}

/** A vendor's dated snapshot (`claude-haiku-4-5-20251001`, `gpt-5.4-2026-03-05`) has its family's facts and price. */
function snapshotOf(
  name: string,
  byName: ReadonlyMap<string, readonly Model[]>,
  options: NamesOptions,
): Resolution | undefined {
  const match = /^(?<family>.{1,100})-(?<date>\d{8}|\d{4}-\d{2}-\d{2})$/.exec(name);
  const family = match?.groups?.["family"];
  const date = match?.groups?.["date"];
  if (family === undefined || date === undefined) return undefined;
  const models = (byName.get(family) ?? []).filter((model) => options.isConfigured(model.provider));
  if (models.length === 0) return undefined;
  return { kind: "models", models: models.map((model) => snapshot(model, date)) };
}

function snapshot(model: Model, date: string): Model {
  return { ...model, id: `${model.id}-${date}` };
}

function unknownModel(
  asked: string,
  name: string,
  options: NamesOptions,
  byName: ReadonlyMap<string, readonly Model[]>,
  known: ReadonlyMap<string, Resolution>,
): GatewayError {
  const unreachable = byName.get(name)?.[0] ?? unreachableInAlias(name, options, byName);
  if (unreachable !== undefined) {
    const { provider } = unreachable;
    const advice = options.missingProviders.get(provider) ?? `configure ${provider}`;
    const message = `model "${asked}" is offered by ${provider}, which is not configured: ${advice}`;
    return new GatewayError("unknown_model", message, { param: "model" });
  }
  const shown = asked.length > 100 ? `${asked.slice(0, 100)}…` : asked;
  const hint = didYouMean(name, known.keys()) || "; ask for GET /v1/models to see every name";
  return new GatewayError("unknown_model", `model "${shown}" is not known${hint}`, { param: "model" });
}

function unreachableInAlias(
  name: string,
  options: NamesOptions,
  byName: ReadonlyMap<string, readonly Model[]>,
): Model | undefined {
  if (!Object.hasOwn(options.aliases, name)) return undefined;
  for (const target of options.aliases[name] ?? []) {
    const model = byName.get(plainName(target, options.providerSynonyms ?? {}))?.[0];
    if (model !== undefined) return model;
  }
  return undefined;
}
