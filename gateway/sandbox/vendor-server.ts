import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isJsonObject, type JsonObject } from "../../router/json.ts";
import { deliver, sendError } from "./deliver.ts";
import type { FailurePlan } from "./failures.ts";
import type { Vendor } from "./view.ts";
import { Refusal, type VendorWire } from "./wire.ts";

/** What one vendor was asked, as tests want to see it. Keys are left out of `headers`. */
export type RecordedRequest = {
  readonly vendor: Vendor;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
  /** Undefined until the answer has begun. */
  readonly status: number | undefined;
  /** The client left before the answer was complete. */
  readonly aborted: boolean;
};
type Recording = { -readonly [Key in keyof RecordedRequest]: RecordedRequest[Key] };

const maxBodyBytes = 32 * 1024 * 1024;
const mostRecorded = 1_000;
const mostRecordedBytes = 64 * 1024 * 1024;
const secretHeaders = new Set(["authorization", "x-api-key", "x-goog-api-key", "cookie"]);

/** The last requests, bounded in number and in size: a long-running gateway must not keep every body it saw. */
export class RequestLog {
  readonly #entries: { readonly entry: Recording; readonly bytes: number }[] = [];
  #bytes = 0;

  add(entry: Recording, bytes: number): void {
    this.#entries.push({ entry, bytes });
    this.#bytes += bytes;
    while (this.#entries.length > mostRecorded || (this.#bytes > mostRecordedBytes && this.#entries.length > 1)) {
      this.#bytes -= this.#entries.shift()?.bytes ?? 0;
    }
  }

  list(): readonly RecordedRequest[] {
    return this.#entries.map(({ entry }) => Object.assign({}, entry));
  }
}

export function createVendorServer(options: {
  readonly wire: VendorWire;
  readonly apiKey: string;
  readonly failures: FailurePlan;
  readonly log: RequestLog;
}): Server {
  return createServer((request, response) => {
    response.setHeader("x-sandbox", "true");
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    void serve({ ...options, request, response, signal: gone.signal });
  });
}

type Served = Parameters<typeof createVendorServer>[0] & {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
};

async function serve(served: Served): Promise<void> {
  const { request, response, wire } = served;
  try {
    const body = await readBody(request);
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    if (url.pathname === "/_sandbox/fail") control(served, body);
    else await answerRequest(served, url, body);
  } catch (error) {
    if (response.destroyed || served.signal.aborted) return;
    // Not a Refusal: a fault of the sandbox itself, told as the vendor would tell one of its own.
    const problem = error instanceof Refusal ? error.problem : { status: 500, message: `[sandbox] ${String(error)}` };
    if (response.headersSent) response.destroy();
    else sendError(response, wire.toError(problem));
  }
}

async function answerRequest(served: Served, url: URL, text: string): Promise<void> {
  const { request, response, wire, signal } = served;
  const method = request.method ?? "GET";
  const key = wire.readKey(request.headers, url.searchParams);
  const body = key === served.apiKey && method === "POST" ? parseBody(text) : {};
  const cut = record(served, url, body, text.length);
  if (key !== served.apiKey) {
    sendError(response, wire.toError(wire.toKeyProblem(key)));
    return;
  }
  const reply = wire.handle({
    method,
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body,
    apiKey: key,
  });
  await deliver({ reply, wire, response, signal, cut });
}

/** Returns how to break the connection from this side, which is not the client leaving. */
function record(served: Served, url: URL, body: JsonObject, bytes: number): () => void {
  const { request, response, wire, log } = served;
  const headers = Object.entries(request.headers).filter(([name]) => !secretHeaders.has(name));
  const query = new URLSearchParams(url.searchParams);
  query.delete("key");
  const entry: Recording = {
    vendor: wire.vendor,
    method: request.method ?? "GET",
    path: query.size === 0 ? url.pathname : `${url.pathname}?${query.toString()}`,
    headers: Object.fromEntries(headers.map(([name, value]) => [name, String(value)])),
    body,
    status: undefined,
    aborted: false,
  };
  log.add(entry, bytes);
  let isCut = false;
  response.once("close", () => {
    entry.status = response.headersSent ? response.statusCode : undefined;
    entry.aborted = !response.writableFinished && !isCut;
  });
  return () => {
    isCut = true;
    response.destroy();
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > maxBodyBytes) throw new Refusal(413, `Request exceeds the maximum size of ${maxBodyBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseBody(text: string): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Refusal(400, "We could not parse the JSON body of your request.");
  }
  if (!isJsonObject(parsed)) throw new Refusal(400, "The body of the request must be a JSON object.");
  return parsed;
}

/** `POST` adds a failure, `GET` lists them, `DELETE` clears them; see docs/sandbox.md. */
function control(served: Served, text: string): void {
  const { request, response, failures, wire } = served;
  let wrong: string | undefined;
  if (request.method === "POST") wrong = failures.add(parseBody(text), wire.vendor);
  else if (request.method === "DELETE") failures.clear();
  else if (request.method !== "GET") wrong = "Use GET, POST or DELETE.";
  response.writeHead(wrong === undefined ? 200 : 400, { "content-type": "application/json" });
  response.end(JSON.stringify(wrong === undefined ? { failures: failures.list() } : { error: wrong }));
}
