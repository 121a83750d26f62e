import { vendors, type Vendor } from "./view.ts";

/**
 * The models the sandbox vendors know, and what each refuses. It is the vendors' side of the truth, written apart from
 * the gateway's own catalogue so that a mistake there meets an error here, as it would at the real vendor.
 */
export type SandboxModel = {
  readonly id: string;
  readonly vendor: Vendor;
  readonly kind: "chat" | "embedding";
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  /** Efforts it takes, from least to most; empty when it takes none. */
  readonly efforts: readonly string[];
  readonly thinks: "never" | "when-asked" | "always";
  /** Refused: sampling always, only while it thinks, or never. */
  readonly sampling: "free" | "refused-when-thinking" | "refused";
  readonly takesStop: boolean;
  readonly takesForcedTools: boolean;
  readonly takesPrefill: boolean;
  readonly takesMidSystem: boolean;
  readonly takesThinkingBudget: boolean;
  readonly takesToolsWithEffort: boolean;
  /** Thinking blocks are bound to the model and to the transcript before them. */
  readonly bindsThinking: boolean;
  readonly showsThinking: boolean;
  readonly reportsCacheWrites: boolean;
  readonly dimensions: number;
};

const base: Omit<SandboxModel, "id" | "vendor"> = {
  kind: "chat",
  contextTokens: 1_000_000,
  maxOutputTokens: 128_000,
  efforts: [],
  thinks: "never",
  sampling: "free",
  takesStop: true,
  takesForcedTools: true,
  takesPrefill: true,
  takesMidSystem: true,
  takesThinkingBudget: true,
  takesToolsWithEffort: true,
  bindsThinking: false,
  showsThinking: true,
  reportsCacheWrites: false,
  dimensions: 0,
};

type Row = readonly [ids: string, ...changes: Partial<SandboxModel>[]];

const gptReasons = {
  thinks: "when-asked",
  sampling: "refused-when-thinking",
  takesStop: false,
  contextTokens: 1_050_000,
} as const;
const gptEfforts = ["low", "medium", "high", "xhigh", "max"];
const gpt6 = { ...gptReasons, efforts: ["none", "minimal", ...gptEfforts], reportsCacheWrites: true };
const openai: readonly Row[] = [
  ["gpt-6-astra gpt-6.1-sol", gpt6, { efforts: gptEfforts, thinks: "always", sampling: "refused" }],
  ["gpt-6-sol gpt-6-luna", gpt6],
  ["gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna", gpt6, { takesToolsWithEffort: false }],
  [
    "gpt-5.5 gpt-5.5-pro gpt-5.4 gpt-5.4-mini gpt-5.4-nano",
    gptReasons,
    { efforts: ["none", "minimal", "low", "medium", "high", "xhigh"] },
  ],
  ["gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4o gpt-4o-mini", { maxOutputTokens: 32_768 }],
  ["text-embedding-3-small text-embedding-ada-002", { kind: "embedding", dimensions: 1_536, contextTokens: 8_192 }],
  ["text-embedding-3-large", { kind: "embedding", dimensions: 3_072, contextTokens: 8_192 }],
];

const claudeEfforts = ["low", "medium", "high", "xhigh", "max"];
const claude4 = { thinks: "when-asked", takesMidSystem: false } as const;
const claude5 = {
  thinks: "when-asked",
  efforts: claudeEfforts,
  sampling: "refused",
  takesPrefill: false,
  showsThinking: false,
} as const;
const preserved = { ...claude5, bindsThinking: true, takesForcedTools: false, takesThinkingBudget: false };
const anthropic: readonly Row[] = [
  ["claude-fable-5-2 claude-fable-5-1 claude-opus-5-5", preserved, { thinks: "always" }],
  ["claude-mythos-5-2 claude-mythos-5-1", preserved, { thinks: "always", bindsThinking: false }],
  ["claude-sonnet-5-5", preserved],
  ["claude-haiku-5-5", claude5, { takesThinkingBudget: false }],
  ["claude-fable-5 claude-mythos-5", claude5, { thinks: "always" }],
  ["claude-opus-5 claude-sonnet-5", claude5],
  ["claude-opus-4-8 claude-opus-4-7", claude5, { takesMidSystem: false }],
  ["claude-opus-4-6 claude-sonnet-4-6", claude4, { efforts: ["low", "medium", "high", "max"], takesPrefill: false }],
  ["claude-opus-4-5", claude4, { efforts: ["low", "medium", "high"], contextTokens: 200_000, maxOutputTokens: 64_000 }],
  ["claude-sonnet-4-5 claude-haiku-4-5", claude4, { contextTokens: 200_000, maxOutputTokens: 64_000 }],
];

const gemini3 = {
  thinks: "always",
  efforts: ["minimal", "low", "medium", "high"],
  contextTokens: 1_048_576,
  maxOutputTokens: 65_536,
} as const;
const gemini: readonly Row[] = [
  ["gemini-3.8-flash", gemini3, { efforts: ["low", "medium", "high"] }],
  ["gemini-3.7-flash gemini-3.6-flash gemini-3.5-flash gemini-3.5-flash-lite gemini-3.1-flash-lite", gemini3],
  ["gemini-3.1-pro-preview gemini-3-pro-preview", gemini3, { efforts: ["low", "medium", "high"] }],
  ["gemini-2.5-pro gemini-2.5-flash", gemini3, { thinks: "when-asked", efforts: [] }],
  ["gemini-embedding-001 gemini-embedding-2", { kind: "embedding", dimensions: 3_072, contextTokens: 8_192 }],
];

const sandboxModels: readonly SandboxModel[] = [
  ...toModels("openai", openai),
  ...toModels("anthropic", anthropic),
  ...toModels("gemini", gemini),
];

function toModels(vendor: Vendor, rows: readonly Row[]): SandboxModel[] {
  return rows.flatMap(([ids, ...changes]) => {
    return ids.split(" ").map((id) => Object.assign({ id, vendor }, base, ...changes));
  });
}

export type ModelList = {
  find(vendor: Vendor, id: string): SandboxModel | undefined;
  list(vendor: Vendor): readonly SandboxModel[];
};

/** `extra` adds models by id: they take everything, so that a model newer than the table can still be tried. */
export function createModelList(extra: Partial<Record<Vendor, readonly string[]>>): ModelList {
  const added = vendors.flatMap((vendor) => (extra[vendor] ?? []).map((id) => Object.assign({ id, vendor }, base)));
  const known = [...sandboxModels, ...added.filter((model) => !sandboxModels.some((row) => row.id === model.id))];
  const byName = new Map(known.map((model) => [`${model.vendor}/${model.id}`, model]));
  return {
    find: (vendor, id) => byName.get(`${vendor}/${id}`) ?? byName.get(`${vendor}/${withoutSnapshot(id)}`),
    list: (vendor) => known.filter((model) => model.vendor === vendor),
  };
}

/** `gpt-5.4-2026-03-05` and `claude-haiku-4-5-20251001` are snapshots of the model they begin with. */
function withoutSnapshot(id: string): string {
  return id.replace(/-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$/u, "");
}
