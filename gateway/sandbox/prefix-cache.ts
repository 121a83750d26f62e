import { createHash } from "node:crypto";
import { bytesPerToken } from "./tokens.ts";
import type { PromptSegment } from "./view.ts";

export type CacheUse = { readonly read: number; readonly write5m: number; readonly write1h: number };

/** OpenAI's and Gemini's caches work in steps of so many tokens. */
const blockTokens = 128;
const lifeMs = { "5m": 300_000, "1h": 3_600_000 } as const;
const mostEntries = 20_000;
/** Anthropic looks back so many pieces from a marker for an older entry. */
const lookBack = 20;
const mostBlocks = 8_192;

/**
 * The vendors' prompt cache: remembers which beginnings of a prompt a key has sent to a model before. Bounded; the
 * entry used longest ago goes first.
 */
export class PrefixCache {
  readonly #entries = new Map<string, number>();
  readonly #now: () => number;
  readonly #minTokens: number;

  constructor(options: { readonly now: () => number; readonly minTokens: number }) {
    this.#now = options.now;
    this.#minTokens = options.minTokens;
  }

  /** As OpenAI and Gemini do it: no markers, whole blocks of {@link blockTokens} from the start. */
  automatic(owner: string, segments: readonly PromptSegment[]): CacheUse {
    const keys = blockKeys(owner, segments);
    const found = keys.findIndex((key) => !this.#has(key));
    const blocks = found === -1 ? keys.length : found;
    const read = blocks * blockTokens < this.#minTokens ? 0 : blocks * blockTokens;
    const total = keys.length * blockTokens;
    if (total < this.#minTokens) return { read: 0, write5m: 0, write1h: 0 };
    for (const key of keys) this.#put(key, lifeMs["5m"]);
    return { read, write5m: total - read, write1h: 0 };
  }

  /** As Anthropic does it: up to each `cache_control` marker, read from the longest beginning still remembered. */
  marked(owner: string, segments: readonly PromptSegment[]): CacheUse {
    const ends = prefixEnds(owner, segments);
    const marks = ends.filter((end) => end.mark !== undefined && end.tokens >= this.#minTokens);
    const last = marks.at(-1);
    if (last === undefined) return { read: 0, write5m: 0, write1h: 0 };
    let read = 0;
    for (const mark of marks) {
      const near = ends.slice(Math.max(0, mark.index - lookBack), mark.index + 1).findLast((end) => this.#has(end.key));
      read = Math.max(read, near?.tokens ?? 0);
    }
    const written = { "5m": 0, "1h": 0 };
    let from = read;
    for (const mark of marks) {
      this.#put(mark.key, lifeMs[mark.mark ?? "5m"]);
      if (mark.tokens <= from) continue;
      written[mark.mark ?? "5m"] += mark.tokens - from;
      from = mark.tokens;
    }
    return { read, write5m: written["5m"], write1h: written["1h"] };
  }

  #has(key: string): boolean {
    const until = this.#entries.get(key);
    return until !== undefined && until > this.#now();
  }

  #put(key: string, life: number): void {
    const until = Math.max(this.#entries.get(key) ?? 0, this.#now() + life);
    this.#entries.delete(key);
    this.#entries.set(key, until);
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > mostEntries && oldest !== undefined) this.#entries.delete(oldest);
  }
}

function blockKeys(owner: string, segments: readonly PromptSegment[]): string[] {
  const bytes = Buffer.from(segments.map((segment) => segment.text).join("\u0000"));
  const size = blockTokens * bytesPerToken;
  const count = Math.min(Math.floor(bytes.length / size), mostBlocks);
  const keys: string[] = [];
  let previous = owner;
  for (let index = 0; index < count; index += 1) {
    const block = bytes.subarray(index * size, (index + 1) * size);
    previous = createHash("sha256").update(previous).update(block).digest("base64url");
    keys.push(previous);
  }
  return keys;
}

function prefixEnds(owner: string, segments: readonly PromptSegment[]) {
  let previous = owner;
  let tokens = 0;
  return segments.map((segment, index) => {
    previous = createHash("sha256").update(previous).update("\u0000").update(segment.text).digest("base64url");
    tokens += segment.tokens;
    return { key: previous, tokens, index, mark: segment.mark };
  });
}
