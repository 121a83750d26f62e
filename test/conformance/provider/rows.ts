import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ChatRequest, Protocol } from "../../../router/chat.ts";
import type { FailureCode } from "../../../router/errors.ts";
import type { CreateProvider } from "../../../router/providers.ts";
import { providers } from "../../../router/providers.ts";

/** One provider of the registry over one protocol: how its vendor frames a stream, and how it says what went wrong. */
export type ProviderRow = {
  readonly name: string;
  readonly provider: string;
  readonly create: CreateProvider;
  readonly protocol: Protocol;
  /** Below the fake vendor's own address. */
  readonly basePath: string;
  readonly request: Partial<ChatRequest>;
  /** One event of the stream, from its JSON. */
  readonly frame: (json: string) => string;
  /** What follows the last event. */
  readonly ending: string;
  readonly heartbeat: string;
  /** What comes before an event that can come any number of times. */
  readonly opening: string;
  readonly endless: string;
  /** The error body that goes with a status. */
  readonly errorBody: (message: string, type: string) => string;
  /** An error inside a 200, whole and as an event of a stream, and what it is. */
  readonly embedded: { readonly whole: string; readonly event: string; readonly code: FailureCode };
  /** Refusals of this vendor that a status alone does not tell. */
  readonly refusals: readonly (readonly [status: number, body: string, code: FailureCode])[];
  readonly fixtures: string;
  readonly recordings: string;
};

const openAiError = (message: string, type: string): string =>
  JSON.stringify({ error: { message, type, param: null, code: null } });
const openAiRefusals: ProviderRow["refusals"] = [
  [
    429,
    '{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}',
    "quota_exhausted",
  ],
  [
    400,
    '{"error":{"message":"Too long","type":"invalid_request_error","code":"context_length_exceeded"}}',
    "context_overflow",
  ],
  [
    400,
    '{"error":{"message":"This model\'s maximum context length is 8192 tokens.","type":"invalid_request_error"}}',
    "context_overflow",
  ],
  [
    400,
    '{"error":{"message":"Flagged","type":"invalid_request_error","code":"content_policy_violation"}}',
    "content_policy",
  ],
  [400, '{"error":{"message":"No such value","code":"unsupported_value","param":"temperature"}}', "unsupported"],
  [404, '{"error":{"message":"The model does not exist","code":"model_not_found"}}', "provider_not_found"],
];
const data = (json: string): string => `data: ${json}\n\n`;

const chatChunk = { id: "c", object: "chat.completion.chunk", created: 1, model: "m" };
const chatRow = {
  protocol: "openai-chat",
  basePath: "/v1",
  request: { dialect: "openai-chat", raw: { model: "auto", messages: [{ role: "user", content: "Hello" }] } },
  frame: data,
  ending: "data: [DONE]\n\n",
  heartbeat: ": OPENROUTER PROCESSING\n\n",
  opening: "",
  endless: data(JSON.stringify({ ...chatChunk, choices: [{ index: 0, delta: { content: "again and " } }] })),
  errorBody: openAiError,
  embedded: {
    whole: '{"error":{"message":"Provider returned error","code":503}}',
    event: data('{"error":{"message":"Provider returned error","code":503},"choices":[]}'),
    code: "overloaded",
  },
  refusals: openAiRefusals,
  fixtures: "openai-chat",
  recordings: "openai-chat",
} as const;

const responsesRow = {
  ...chatRow,
  protocol: "openai-responses",
  request: { dialect: "openai-responses", raw: { model: "auto", input: "Hello" } },
  ending: "",
  heartbeat: data('{"type":"keepalive","sequence_number":3}'),
  frame: (json: string): string => {
    const [, type] = /"type":\s*"([a-z_.]+)"/.exec(json) ?? [];
    return `event: ${type ?? "message"}\n${data(json)}`;
  },
  opening:
    data('{"type":"response.created","response":{"id":"r","status":"in_progress","model":"m"}}') +
    data('{"type":"response.output_item.added","output_index":0,"item":{"type":"message","role":"assistant"}}'),
  endless: data('{"type":"response.output_text.delta","output_index":0,"delta":"again and "}'),
  embedded: {
    whole: '{"id":"r","status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"Slow down"}}',
    event: data('{"type":"error","code":"rate_limit_exceeded","message":"Slow down","param":null,"sequence_number":1}'),
    code: "rate_limited",
  },
  fixtures: "openai-responses",
  recordings: "openai-responses",
} as const;

const anthropicRow = {
  protocol: "anthropic-messages",
  basePath: "",
  request: {},
  frame: responsesRow.frame,
  ending: "",
  heartbeat: 'event: ping\ndata: {"type":"ping"}\n\n',
  opening:
    responsesRow.frame(
      '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}',
    ) + responsesRow.frame('{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'),
  endless: responsesRow.frame(
    '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"again and "}}',
  ),
  errorBody: (message: string, type: string): string => JSON.stringify({ type: "error", error: { type, message } }),
  embedded: {
    whole: '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    event: responsesRow.frame('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'),
    code: "overloaded",
  },
  refusals: [
    [
      400,
      '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}',
      "context_overflow",
    ],
    [404, '{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}', "provider_not_found"],
  ],
  fixtures: "anthropic",
  recordings: "anthropic",
} as const;

const geminiRow = {
  protocol: "gemini-generate",
  basePath: "",
  request: {},
  frame: data,
  ending: "",
  heartbeat: ": ping\n\n",
  opening: "",
  endless: data('{"candidates":[{"content":{"role":"model","parts":[{"text":"again and "}]},"index":0}]}'),
  errorBody: (message: string): string => JSON.stringify({ error: { code: 400, message } }),
  embedded: {
    whole: '{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}',
    event: data('{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}'),
    code: "overloaded",
  },
  refusals: [
    [
      400,
      '{"error":{"code":400,"message":"The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}',
      "context_overflow",
    ],
    [404, '{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}', "provider_not_found"],
  ],
  fixtures: "gemini",
  recordings: "google",
} as const;

/** Rows of the providers with a protocol of their own; any other speaks Chat Completions. */
const ownRows: Readonly<Record<string, readonly Omit<ProviderRow, "name" | "provider" | "create">[]>> = {
  openai: [chatRow, responsesRow],
  anthropic: [anthropicRow],
  google: [geminiRow],
};

export const rows: readonly ProviderRow[] = Object.entries(providers).flatMap(([provider, create]) =>
  (ownRows[provider] ?? [chatRow]).map((row) =>
    Object.assign({ name: `${provider} over ${row.protocol}`, provider, create }, row),
  ),
);

/** One answer as its vendor sends it: `stream` in events' JSON, `whole` as the body. */
export type Sample = { readonly name: string; readonly stream?: readonly string[]; readonly whole?: string };

/** Recorded answers of the real vendor; `undefined` where they are not on this machine. */
export function recordedSamples(row: ProviderRow): readonly Sample[] | undefined {
  return samplesIn(fileURLToPath(new URL(`../../../../shared/wire/${row.recordings}/`, import.meta.url)));
}

/** Our own pairs: the stream and the whole of the same answer. */
export function fixtureSamples(row: ProviderRow): readonly Sample[] {
  return samplesIn(fileURLToPath(new URL(`../../fixtures/${row.fixtures}/`, import.meta.url))) ?? [];
}

function samplesIn(folder: string): readonly Sample[] | undefined {
  if (!existsSync(folder)) return undefined;
  const samples = new Map<string, { name: string; stream?: string[]; whole?: string }>();
  for (const file of readdirSync(folder)) {
    const [, name, kind] = /^(.+?)\.(chunks\.txt|json)$/.exec(file) ?? [];
    if (name === undefined) continue;
    const content = readFileSync(`${folder}${file}`, "utf8");
    const sample = samples.get(name) ?? { name };
    samples.set(name, sample);
    if (kind === "json") sample.whole = content;
    else sample.stream = content.split("\n").filter((line) => line.trim() !== "");
  }
  return [...samples.values()];
}
