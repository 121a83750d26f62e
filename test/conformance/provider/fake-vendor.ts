import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";

export type Received = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

export type Reply = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Written one by one, each a TCP write of its own. An endless iterable is read only as fast as it is sent. */
  readonly chunks?: Iterable<string | Uint8Array>;
  /** What happens after the chunks: the answer ends, at once or in a packet of its own, the connection breaks, or it stays open with heartbeats. */
  readonly after?: "end" | "late-end" | "break" | "heartbeats";
  readonly heartbeat?: string;
};

/** A vendor on loopback that answers every request with the reply it was last given. */
export type FakeVendor = {
  readonly url: string;
  readonly received: Received[];
  reply: Reply | "nothing";
  connections: number;
  /** Answers that were sent to their end, or given up. */
  closed: number;
  /** Resolves when the client has gone away from an answer that was not over. */
  gone(): Promise<"gone">;
  /** Resolves when so many answers are `closed`. */
  answered(count: number): Promise<void>;
  /** Called when a request is here whole. */
  onRequest: () => void;
  stop(): Promise<void>;
};

const heartbeatMs = 20;
const lateMs = 5;

export async function startFakeVendor(): Promise<FakeVendor> {
  const goneWaiters: ((gone: "gone") => void)[] = [];
  let goneCount = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      vendor.received.push({
        method: request.method ?? "",
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(parts).toString("utf8"),
      });
      response.on("close", () => {
        vendor.closed += 1;
        if (response.writableFinished) return;
        goneCount += 1;
        for (const resolve of goneWaiters.splice(0)) resolve("gone");
      });
      vendor.onRequest();
      if (vendor.reply !== "nothing") void send(response, vendor.reply);
    });
  });
  const vendor: FakeVendor = {
    url: "",
    received: [],
    reply: "nothing",
    connections: 0,
    closed: 0,
    onRequest: () => undefined,
    gone: () => (goneCount > 0 ? Promise.resolve("gone") : new Promise((resolve) => goneWaiters.push(resolve))),
    answered: async (count) => {
      while (vendor.closed < count) await new Promise((resolve) => setImmediate(resolve));
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("connection", (socket) => {
    vendor.connections += 1;
    socket.setNoDelay(true);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return Object.assign(vendor, { url: `http://127.0.0.1:${address.port}` });
}

async function send(response: ServerResponse, reply: Reply): Promise<void> {
  response.writeHead(reply.status ?? 200, reply.headers);
  for (const chunk of reply.chunks ?? []) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await Promise.race([once(response, "drain"), once(response, "close")]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  switch (reply.after ?? "end") {
    case "end":
      response.end();
      break;
    case "late-end":
      setTimeout(() => response.end(), lateMs);
      break;
    case "break":
      response.destroy();
      break;
    case "heartbeats": {
      const timer = setInterval(() => response.write(reply.heartbeat ?? ": ping\n\n"), heartbeatMs);
      response.on("close", () => clearInterval(timer));
      break;
    }
  }
}
