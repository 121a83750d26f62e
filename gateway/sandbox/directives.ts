import { ownWords } from "./sentences.ts";
import { vendors, type Turn, type Vendor, type Wishes } from "./view.ts";

/** Every way a sandbox vendor can fail. A number is an HTTP status in the vendor's own error shape. */
const failureModes = ["hang", "cut", "malformed", "200-error", "html", "empty", "quota", "context"] as const;
type FailureMode = (typeof failureModes)[number];
export type Failure = { readonly mode: FailureMode } | { readonly mode: "status"; readonly status: number };

/** How the answer is delivered. `after` counts the stream events sent before a failure strikes. */
export type Delivery = {
  readonly failure?: Failure | undefined;
  readonly after?: number | undefined;
  readonly latencyMs?: number | undefined;
  readonly eventDelayMs?: number | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** Writes the stream in pieces of so many bytes, through the middle of characters and events. */
  readonly chunkBytes?: number | undefined;
};

export type Directive = Delivery &
  Wishes & {
    readonly vendor?: Vendor | undefined;
    readonly times?: number | undefined;
  };

const longestWaitMs = 600_000;
const mostWords = 20_000;
const mostChunkBytes = 65_536;
const directivePattern = /\[\[\s*sandbox\s*:([^\]]{0,400})\]\]/giu;

export function withoutDirectives(text: string): string {
  return text.includes("[[")
    ? text
        .replaceAll(directivePattern, "")
        .replaceAll(/[ \t]{2,}/gu, " ")
        .trim()
    : text;
}

/**
 * The directives in the last user turn's own words: earlier turns are history, and words inside tags (a recalled memory, a
 * transcript handed to an extraction prompt) are quoted, not asked for.
 */
export function readDirectives(turns: readonly Turn[]): Directive[] {
  const text = ownWords(turns);
  return [...text.matchAll(directivePattern)].map((match) => parseDirective(match[1] ?? ""));
}

/** `key=value` pairs, separated by spaces, commas or semicolons. What it does not know it ignores. */
function parseDirective(text: string): Directive {
  const pairs = text.split(/[\s,;]+/u).filter((pair) => pair !== "");
  return toDirective(Object.fromEntries(pairs.map((pair) => [pair.split("=")[0] ?? "", pair.split("=")[1] ?? "true"])));
}

export function toDirective(fields: Readonly<Record<string, unknown>>): Directive {
  const directive: Directive = {
    failure: toFailure(fields["fail"] ?? fields["status"] ?? fields["mode"]),
    vendor: vendors.find((name) => name === fields["vendor"]),
    times: toCount(fields["times"], Number.MAX_SAFE_INTEGER),
    after: toCount(fields["after"], mostWords),
    latencyMs: toCount(fields["latency_ms"], longestWaitMs),
    eventDelayMs: toCount(fields["event_delay_ms"], longestWaitMs),
    retryAfterSeconds: toCount(fields["retry_after"], longestWaitMs),
    chunkBytes: toCount(fields["chunk_bytes"], mostChunkBytes),
    words: toCount(fields["words"], mostWords),
    refuse: isTrue(fields["refuse"]) || fields["fail"] === "refusal" || undefined,
  };
  return directive;
}

function isTrue(value: unknown): boolean {
  return value === true || value === "true";
}

function toCount(value: unknown, most: number): number | undefined {
  const number =
    typeof value === "number" ? value : typeof value === "string" && value !== "" ? Number(value) : Number.NaN;
  return Number.isFinite(number) && number >= 0 ? Math.min(number, most) : undefined;
}

function toFailure(value: unknown): Failure | undefined {
  const mode = failureModes.find((name) => name === value);
  if (mode !== undefined) return { mode };
  const status = toCount(value, 599);
  return status !== undefined && Number.isInteger(status) && status >= 400 ? { mode: "status", status } : undefined;
}
