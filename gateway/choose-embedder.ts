import type { Config } from "../config/config.ts";
import type { GateFloors } from "../memory/fuse.ts";
import type { Embedder } from "../memory/embedder.ts";
import {
  createVendorEmbedder,
  type EmbedTexts,
  type ProbedEmbedder,
  probeEmbedder,
} from "../memory/vendor-embedder.ts";
import type { Provider } from "../router/provider.ts";
import type { Logger } from "./log.ts";

export type ChosenEmbedder = {
  readonly embedder: Embedder;
  /** Where relevance begins on this model's scale; absent for the built-in one, whose floors are measured. */
  readonly floors?: GateFloors;
  readonly isVendors: boolean;
};

export type ChooseEmbedderParts = {
  readonly config: Pick<Config, "memory" | "embeddingModels">;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly local: Embedder;
  /** The dimensions that the store keeps under a name, from an earlier start. */
  readonly recorded: (name: string) => number | undefined;
  readonly log: Logger;
};

const probeTimeoutMs = 5_000;

/**
 * The embedder of `memory.embedder`. A vendor's is asked once for its dimensions and its scale. One that does not answer
 * is taken on with what is known of it already; of one that nothing is known of, no vector can be kept, and the built-in
 * embedder serves until the next start. Vectors of different embedders never meet.
 */
export async function chooseEmbedder(parts: ChooseEmbedderParts): Promise<ChosenEmbedder> {
  const { config, providers, local, log } = parts;
  const name = config.memory.embedder;
  if (name === "local") return { embedder: local, isVendors: false };
  const slash = name.indexOf("/");
  const provider = providers.get(name.slice(0, slash));
  const model = name.slice(slash + 1);
  const call = provider?.embed?.bind(provider);
  if (call === undefined) throw new Error(`memory.embedder: ${name.slice(0, slash)} sells no embeddings.`);
  const embed: EmbedTexts = async (texts, signal) => (await call({ model, input: texts, signal })).vectors;
  const probed = await probe(embed, name, log);
  const listed = config.embeddingModels.find(({ provider: seller, id }) => `${seller}/${id}` === name)?.dimensions;
  const dimensions = probed?.dimensions ?? parts.recorded(name) ?? listed;
  if (dimensions === undefined) {
    log.warn({ embedder: name }, "nothing is known of this embedder yet; memory uses its own until the next start");
    return { embedder: local, isVendors: false };
  }
  const embedder = createVendorEmbedder({ id: name, dimensions, embed, clock: Date.now });
  return { embedder, isVendors: true, ...(probed === undefined ? {} : { floors: floorsFor(probed) }) };
}

async function probe(embed: EmbedTexts, name: string, log: Logger): Promise<ProbedEmbedder | undefined> {
  try {
    return await probeEmbedder(embed, AbortSignal.timeout(probeTimeoutMs));
  } catch (error) {
    log.warn({ err: error, embedder: name }, "the embedder does not answer; memory goes by words until it does");
    return undefined;
  }
}

/** What the built-in embedder's floors are over its own mean cosine of unrelated sentences, 0.11. */
const convincing = 0.38;
const builtIn = { episode: 0.1, fact: 0.06, dense: 0.45 } as const satisfies GateFloors;

/** Models begin at different places: unrelated sentences have a cosine of 0.1 with one and of 0.7 with another. */
function floorsFor({ unrelated }: ProbedEmbedder): GateFloors {
  const base = Math.max(0, unrelated);
  const dense = base + (1 - base) * convincing;
  const scale = dense / builtIn.dense;
  return { dense, episode: builtIn.episode * scale, fact: builtIn.fact * scale };
}
