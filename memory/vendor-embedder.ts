import { hash } from "node:crypto";
import type { Embedder } from "./embedder.ts";

/** Asks a vendor for one vector per text, in order. How it is reached and paid is the giver's affair. */
export type EmbedTexts = (texts: readonly string[], signal: AbortSignal) => Promise<readonly Float32Array[]>;

export type VendorEmbedderOptions = {
  /** Names vendor and model: vectors under two names are never compared. */
  readonly id: string;
  readonly dimensions: number;
  readonly embed: EmbedTexts;
  /** Of one request to the vendor. Default 10,000. */
  readonly timeoutMs?: number;
  /** For vectors of texts asked for lately. Default 16 MiB. */
  readonly maxCachedBytes?: number;
  /** How long a vector is kept for the next who asks. Default 10 minutes: what was forgotten must not stay for ever. */
  readonly keepMs?: number;
  /** Texts in one request. Default 64. */
  readonly batch?: number;
  /** Requests under way at once; more are refused. Default 16. */
  readonly maxCalls?: number;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
};

/** The vendor did not answer, or with something that is no vector of this model. Memory then goes by words. */
class EmbedderError extends Error {
  override readonly name = "EmbedderError";
}

/** Texts are cut here: vendors refuse or silently cut longer ones, at about 2,000 tokens the strictest of them. */
const maxTextChars = 4_000;

const defaults = { timeoutMs: 10_000, maxCachedBytes: 16 * 1024 * 1024, keepMs: 600_000, batch: 64, maxCalls: 16 };

/**
 * An embedder at a vendor's: batched, with a bounded cache, and with one request for a text however many ask for it at
 * the same time, so that one embedding of a turn serves everything. A caller that gives up leaves the request running:
 * its answer is there for the next one.
 */
export function createVendorEmbedder(options: VendorEmbedderOptions): Embedder {
  const { id, dimensions, embed } = options;
  const { timeoutMs, maxCachedBytes, keepMs, batch, maxCalls } = { ...defaults, ...options };
  const cache = createCache(Math.max(1, Math.floor(maxCachedBytes / (4 * dimensions))), keepMs, options.clock);
  const pending = new Map<string, Promise<Float32Array>>();
  let calls = 0;

  async function ask(texts: readonly string[]): Promise<readonly Float32Array[]> {
    if (calls >= maxCalls) throw new EmbedderError(`${id}: ${maxCalls} requests are under way already.`);
    calls += 1;
    try {
      const vectors = await embed(texts, AbortSignal.timeout(timeoutMs));
      if (vectors.length !== texts.length) {
        throw new EmbedderError(`${id} answered ${vectors.length} vectors for ${texts.length} texts.`);
      }
      return vectors.map((vector) => unit(vector, id, dimensions));
    } finally {
      calls -= 1;
    }
  }

  /** The vectors of new texts, each on its way under its key before anything is waited for. */
  function start(texts: ReadonlyMap<string, string>): void {
    const entries = [...texts];
    for (let at = 0; at < entries.length; at += batch) {
      const part = entries.slice(at, at + batch);
      const answer = ask(part.map(([, text]) => text));
      for (const [index, [key]] of part.entries()) {
        const one = answer.then((vectors) => keep(key, vectors[index]));
        // Whoever asked hears of a failure; without anyone left it is nobody's.
        one.catch(() => undefined).finally(() => pending.delete(key));
        pending.set(key, one);
      }
    }
  }

  function keep(key: string, vector: Float32Array | undefined): Float32Array {
    if (vector === undefined) throw new EmbedderError(`${id} left a vector out.`);
    cache.set(key, vector);
    return vector;
  }

  return {
    id,
    dimensions,
    async embed(texts, signal) {
      signal?.throwIfAborted();
      const known = new Map<string, Float32Array>();
      const missing = new Map<string, string>();
      const keys = texts.map((text) => {
        const cut = text.slice(0, maxTextChars).toWellFormed();
        if (cut.trim() === "") return undefined;
        const key = hash("sha256", cut, "base64url");
        const cached = cache.get(key);
        if (cached !== undefined) known.set(key, cached);
        else if (!pending.has(key)) missing.set(key, cut);
        return key;
      });
      start(missing);
      const vectors = keys.map(async (key) =>
        key === undefined ? new Float32Array(dimensions) : (known.get(key) ?? (await (pending.get(key) ?? lost(id)))),
      );
      return await abortable(Promise.all(vectors), signal);
    },
  };
}

/**
 * An embedder for where somebody waits: it gives up after `ms`, and what it was asked for goes on behind it and is in
 * its cache the next time.
 */
export function embedWithin(embedder: Embedder, ms: number): Embedder {
  return {
    id: embedder.id,
    dimensions: embedder.dimensions,
    async embed(texts, signal) {
      const late = AbortSignal.timeout(ms);
      try {
        return await abortable(embedder.embed(texts), signal === undefined ? late : AbortSignal.any([signal, late]));
      } catch (error) {
        signal?.throwIfAborted();
        throw late.aborted ? new EmbedderError(`${embedder.id} did not answer within ${ms} ms.`) : error;
      }
    },
  };
}

export type ProbedEmbedder = {
  readonly dimensions: number;
  /** The mean cosine of sentences that have nothing to do with each other: where this model's scale begins. */
  readonly unrelated: number;
};

/** What is to be known of a model before its vectors are kept: one request. */
export async function probeEmbedder(embed: EmbedTexts, signal: AbortSignal): Promise<ProbedEmbedder> {
  const vectors = await embed(unrelatedSentences, signal);
  const dimensions = vectors[0]?.length ?? 0;
  if (dimensions === 0 || vectors.length !== unrelatedSentences.length) {
    throw new EmbedderError("The embedding model answered no vectors.");
  }
  const units = vectors.map((vector) => unit(vector, "The embedding model", dimensions));
  let sum = 0;
  let pairs = 0;
  for (const [index, one] of units.entries()) {
    for (const other of units.slice(index + 1)) {
      sum += one.reduce((dot, value, at) => dot + value * (other[at] ?? 0), 0);
      pairs += 1;
    }
  }
  return { dimensions, unrelated: sum / pairs };
}

const unrelatedSentences = [
  "My sister moved to Lisbon last spring.",
  "The compiler reports a type error in line forty.",
  "Water the basil twice a week in summer.",
  "Our train to Graz leaves at a quarter past nine.",
  "She plays the cello in a small orchestra.",
  "The invoice for March has not been paid yet.",
  "Penguins cannot fly but swim very well.",
  "Please translate the contract into French.",
  "He is allergic to peanuts and shellfish.",
  "The stock market fell sharply on Tuesday.",
  "Mix the flour with two eggs and some milk.",
  "The museum is closed on public holidays.",
];

function unit(vector: Float32Array, id: string, dimensions: number): Float32Array {
  if (vector.length !== dimensions) {
    throw new EmbedderError(`${id} answered ${vector.length} dimensions where ${dimensions} were expected.`);
  }
  const length = Math.hypot(...vector);
  if (!Number.isFinite(length) || length === 0) throw new EmbedderError(`${id} answered a vector without a direction.`);
  return vector.map((value) => value / length);
}

function lost(id: string): never {
  throw new EmbedderError(`${id} lost a text on the way.`);
}

async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason instanceof Error ? signal.reason : new EmbedderError("Aborted."));
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Least recently used first out. Keys are hashes: the texts themselves are not kept. */
function createCache(maxEntries: number, keepMs: number, clock: () => number) {
  const entries = new Map<string, { readonly vector: Float32Array; readonly until: number }>();
  return {
    get(key: string): Float32Array | undefined {
      const found = entries.get(key);
      if (found === undefined) return undefined;
      entries.delete(key);
      if (found.until <= clock()) return undefined;
      entries.set(key, found);
      return found.vector;
    },
    set(key: string, vector: Float32Array): void {
      entries.delete(key);
      entries.set(key, { vector, until: clock() + keepMs });
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries) break;
        entries.delete(oldest);
      }
    },
  };
}
