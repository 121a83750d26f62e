import { createHash } from "node:crypto";
import { isJsonObject, type JsonObject } from "../../router/json.ts";
import { readDirectives, toDirective, type Delivery, type Directive } from "./directives.ts";
import { isMemoryRequest } from "./extract-memories.ts";
import { ownWords } from "./sentences.ts";
import { vendors, type RequestView, type Vendor, type Wishes } from "./view.ts";

/** One standing order from a control call; `vendor` absent means all three. */
type Rule = {
  readonly directive: Directive;
  readonly vendor?: Vendor;
  readonly model?: string;
  readonly rate: number;
  left: number;
  readonly random: () => number;
};

const mostRules = 100;
const mostCountedPrompts = 1_000;

/**
 * What the sandbox was told to do wrong, for all three vendors together: by control calls (standing orders), and by
 * directives in a prompt, whose `times` is counted per vendor and per prompt.
 */
export class FailurePlan {
  readonly #rules: Rule[] = [];
  /** How often a prompt with a `times` has failed; the oldest prompt is forgotten first. */
  readonly #counts = new Map<string, number>();

  /** Adds a standing order. Returns what is wrong with it, or undefined when it was taken. */
  add(body: unknown, addressed: Vendor): string | undefined {
    if (!isJsonObject(body)) return "The body must be a JSON object.";
    const directive = toDirective(body);
    const named = body["vendor"];
    const vendor = named === undefined ? addressed : vendors.find((name) => name === named);
    if (vendor === undefined && named !== "all") return `vendor must be one of ${vendors.join(", ")}, all.`;
    const does = ["failure", "latencyMs", "eventDelayMs", "refuse", "chunkBytes", "words"] as const;
    if (does.every((key) => directive[key] === undefined))
      return "Say what to do: status, mode, latency_ms, event_delay_ms …";
    if (this.#rules.length >= mostRules) return `There are ${mostRules} rules already: DELETE them first.`;
    this.#rules.push({
      directive,
      ...(vendor === undefined ? {} : { vendor }),
      ...(typeof body["model"] === "string" ? { model: body["model"] } : {}),
      rate: typeof body["rate"] === "number" ? body["rate"] : 1,
      left: directive.times ?? Number.POSITIVE_INFINITY,
      random: createRandom(typeof body["seed"] === "number" ? body["seed"] : 1),
    });
    return undefined;
  }

  clear(): void {
    this.#rules.length = 0;
    this.#counts.clear();
  }

  list(): JsonObject[] {
    return this.#rules.map((rule) => ({
      vendor: rule.vendor ?? "all",
      rate: rule.rate,
      ...(Number.isFinite(rule.left) ? { left: rule.left } : {}),
      ...(rule.model === undefined ? {} : { model: rule.model }),
      ...rule.directive,
    }));
  }

  /** Decides one request, and counts it. */
  take(vendor: Vendor, model: string, view: RequestView | undefined): Delivery & Wishes {
    let decided: Delivery & Wishes = {};
    for (const rule of this.#rules) {
      if (rule.vendor !== undefined && rule.vendor !== vendor) continue;
      if (rule.model !== undefined && rule.model !== model) continue;
      if (rule.left <= 0 || (rule.rate < 1 && rule.random() >= rule.rate)) continue;
      rule.left -= 1;
      decided = overlay(rule.directive, decided);
    }
    // An extraction prompt holds the user's words as material: a directive in them was meant for another request.
    if (view === undefined || isMemoryRequest(view)) return decided;
    for (const directive of readDirectives(view.turns)) {
      if (directive.vendor !== undefined && directive.vendor !== vendor) continue;
      if (directive.times !== undefined && !this.#count(vendor, ownWords(view.turns), directive.times)) continue;
      decided = overlay(decided, directive);
    }
    return decided;
  }

  #count(vendor: Vendor, prompt: string, times: number): boolean {
    const key = createHash("sha256").update(`${vendor}\n${prompt}`).digest("base64url");
    const count = this.#counts.get(key) ?? 0;
    this.#counts.delete(key);
    this.#counts.set(key, count + 1);
    const oldest = this.#counts.keys().next().value;
    if (this.#counts.size > mostCountedPrompts && oldest !== undefined) this.#counts.delete(oldest);
    return count < times;
  }
}

/** The second wins where both speak: an unset field says nothing. */
function overlay(under: Delivery & Wishes, over: Delivery & Wishes): Delivery & Wishes {
  return { ...under, ...Object.fromEntries(Object.entries(over).filter(([, value]) => value !== undefined)) };
}

/** Mulberry32: a small seeded generator, so that a failure rate strikes the same requests in every run. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
