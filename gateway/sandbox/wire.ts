import type { IncomingHttpHeaders } from "node:http";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import type { Delivery } from "./directives.ts";
import type { FailurePlan } from "./failures.ts";
import type { ModelList } from "./models.ts";
import type { PrefixCache } from "./prefix-cache.ts";
import type { Vendor } from "./view.ts";

/** One request as a wire file sees it: the body is parsed, the key checked. */
export type Exchange = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: JsonObject;
  readonly apiKey: string;
};

export type Reply =
  | { readonly kind: "json"; readonly body: JsonValue; readonly delivery: Delivery; readonly headers?: Headers }
  | {
      readonly kind: "stream";
      readonly contentType: string;
      /** Each as it goes over the wire, framing included. */
      readonly frames: readonly string[];
      readonly toErrorFrames: (problem: Problem, sent: number) => readonly string[];
      readonly delivery: Delivery;
    };
type Headers = Readonly<Record<string, string>>;

/** What went wrong, in no vendor's words yet. */
export type Problem = {
  readonly status: number;
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
  readonly retryAfterSeconds?: number;
};

export type ErrorReply = { readonly status: number; readonly headers: Headers; readonly body: JsonValue };

/** A vendor's protocol: how it answers, and what its errors look like. */
export type VendorWire = {
  readonly vendor: Vendor;
  /** The key the request carries, undefined when it carries none. */
  readKey(headers: IncomingHttpHeaders, query: URLSearchParams): string | undefined;
  /** What a missing (`undefined`) or wrong key is told. */
  toKeyProblem(key: string | undefined): Problem;
  handle(exchange: Exchange): Reply;
  toError(problem: Problem): ErrorReply;
};

/** What the wire files share: one sandbox, three servers. */
export type SandboxState = {
  readonly models: ModelList;
  readonly failures: FailurePlan;
  readonly cache: PrefixCache;
  readonly now: () => number;
  /** Counts up with every answer, so that no two have one id. */
  readonly nextNumber: () => number;
};

/** Thrown by a wire file for a request its vendor would refuse. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly problem: Problem;
  constructor(status: number, message: string, details: { readonly code?: string; readonly param?: string } = {}) {
    super(message);
    this.problem = { status, message, ...details };
  }
}

export function asObjects(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

export function asText(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

export function asNumber(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

export function asTexts(value: JsonValue | undefined): string[] {
  const list = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  return list.filter((item) => typeof item === "string");
}

/** Tool arguments as a client sends them back: `""` and bad JSON are an empty object. */
export function parseArguments(text: string): JsonObject {
  try {
    const parsed: unknown = JSON.parse(text === "" ? "{}" : text);
    return isJsonObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

/** Type and size of a `data:` URL, or the address of any other. */
export function toAttachment(kind: "image" | "file" | "audio", url: string) {
  const match = /^data:([^;,]+)[^,]*,([\s\S]*)$/u.exec(url);
  if (match === null) return { kind, mediaType: kind, address: url.slice(0, 200) };
  return { kind, mediaType: match[1] ?? kind, bytes: Buffer.from(match[2] ?? "", "base64").length };
}

export const serverSentEvents = "text/event-stream; charset=utf-8";

export function toDataFrame(value: JsonValue): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
