import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Received = {
  readonly method: string;
  readonly path: string;
  readonly apiKey: string;
  readonly body: string;
};

/** A failure to answer with: a status with Qdrant's own error body, or no answer at all. */
export type Failure = "hang" | { readonly status: number; readonly error: string };

/** As much of Qdrant as it takes to fail: it keeps collections' names and metadata, and no points. */
export type FakeQdrant = {
  readonly url: string;
  readonly received: Received[];
  /** Which requests fail, by method and path, and how; `undefined` lets one through. */
  failing: (request: Received) => Failure | undefined;
  version: string;
  /** How many points it counts, whatever is asked and deleted. */
  points: number;
  readonly collections: Map<string, Record<string, unknown>>;
  /** Stops listening and cuts every connection. */
  stop(): Promise<void>;
  /** Listens again at the same address. */
  start(): Promise<void>;
};

export async function startFakeQdrant(): Promise<FakeQdrant> {
  let server: Server | undefined;
  let port = 0;
  const fake: FakeQdrant = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    received: [],
    failing: () => undefined,
    version: "1.19.0",
    points: 0,
    collections: new Map(),
    async stop() {
      if (server === undefined) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      server = undefined;
    },
    async start() {
      server = createServer((request, response) => void answer(fake, request, response));
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      port = (server.address() as AddressInfo).port;
    },
  };
  await fake.start();
  return fake;
}

async function answer(fake: FakeQdrant, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const path = (request.url ?? "").split("?")[0] ?? "";
  const apiKey = String(request.headers["api-key"] ?? "");
  const received = { method: request.method ?? "", path, apiKey, body: Buffer.concat(chunks).toString() };
  fake.received.push(received);
  const failure = fake.failing(received);
  if (failure === "hang") return;
  if (failure !== undefined) return send(response, failure.status, { status: { error: failure.error }, time: 0 });
  if (path === "/") return send(response, 200, { title: "qdrant - vector search engine", version: fake.version });
  const result = toResult(fake, received);
  if (result === undefined) return send(response, 404, { status: { error: "Not found: no such collection" }, time: 0 });
  return send(response, 200, { result, status: "ok", time: 0 });
}

function toResult(fake: FakeQdrant, { method, path, body }: Received): unknown {
  const [, , name = "", ...rest] = path.split("/");
  const known = fake.collections.get(name);
  const sent = body === "" ? {} : (JSON.parse(body) as Record<string, Record<string, unknown>>);
  if (rest.length === 0 && method === "PUT") {
    fake.collections.set(name, { ...sent["metadata"], vectors: sent["vectors"] });
    return true;
  }
  if (known === undefined) return undefined;
  if (rest.length === 0 && method === "PATCH") Object.assign(known, sent["metadata"]);
  if (rest.length === 0) {
    const { vectors, ...metadata } = known;
    return { config: { params: { vectors }, metadata }, payload_schema: {} };
  }
  if (rest[0] === "vectors" && method === "PUT") {
    known["vectors"] = { ...(known["vectors"] as object), [rest[1] ?? ""]: sent["dense"] };
  }
  const answers: Readonly<Record<string, unknown>> = {
    "points/scroll": { points: [], next_page_offset: null },
    "points/count": { count: fake.points },
    "points/query/batch": [{ points: [] }, { points: [] }],
  };
  return answers[rest.join("/")] ?? { operation_id: 1, status: "completed" };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
