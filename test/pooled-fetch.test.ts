import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PooledFetch, PooledFetchOptions } from "../router/pooled-fetch.ts";
import { bodyOf, cancelBody, createPooledFetch, readWhole, releaseBody } from "../router/pooled-fetch.ts";
import { vendorFetch } from "../router/vendor-call.ts";

let server: Server;
let pooled: PooledFetch;
let url: string;
let connections: number;
let handle: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  connections = 0;
  pooled = createPooledFetch();
  server = createServer((request, response) => handle(request, response));
  server.on("connection", () => (connections += 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  url = typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : "";
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await pooled.close();
});

async function withOptions(options: PooledFetchOptions): Promise<void> {
  await pooled.close();
  pooled = createPooledFetch(options);
}

describe("the shared fetch", () => {
  it("sends method, path, headers and body", async () => {
    handle = (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () =>
        response.end(
          JSON.stringify([request.method, request.url, request.headers["x-a"], Buffer.concat(parts).toString()]),
        ),
      );
    };
    for (const headers of [{ "x-a": "1" }, new Headers({ "x-a": "1" }), [["x-a", "1"]] as [string, string][]]) {
      const response = await pooled.fetch(`${url}/v1/x?y=%20z`, { method: "POST", headers, body: "grüß" });
      expect(await response.json()).toEqual(["POST", "/v1/x?y=%20z", "1", "grüß"]);
    }
  });

  it("answers as the SDKs expect a Response to", async () => {
    handle = (_request, response) => {
      response.writeHead(418, { "x-request-id": "r1", "set-cookie": ["a", "b"], "content-type": "text/plain" });
      response.end("short and stout 🫖");
    };
    const response = await pooled.fetch(url);
    expect([response.status, response.ok, response.url]).toEqual([418, false, `${url}/`]);
    expect(response.headers.get("X-Request-Id")).toBe("r1");
    expect(response.headers.get("set-cookie")).toBe("a, b");
    expect(response.headers.get("none")).toBeNull();
    expect(Object.fromEntries(response.headers.entries())).toMatchObject({ "content-type": "text/plain" });
    const seen: string[] = [];
    // oxlint-disable-next-line unicorn/no-array-for-each -- it is this method that the SDKs call
    response.headers.forEach((value, name) => seen.push(`${name}=${value}`));
    expect(seen).toContain("x-request-id=r1");
    expect(await response.text()).toBe("short and stout 🫖");
    expect(response.bodyUsed).toBe(true);
    expect((await (await pooled.fetch(url)).arrayBuffer()).byteLength).toBe(20);
  });

  it("streams through the web stream and past it", async () => {
    handle = (_request, response) => {
      response.write("one ");
      setImmediate(() => response.end("two"));
    };
    const viaWeb = await pooled.fetch(url);
    expect(viaWeb.body).toBe(viaWeb.body);
    expect(await new Response(viaWeb.body).text()).toBe("one two");
    const raw: Uint8Array[] = [];
    // The SDKs look at `body`; that must not take the bytes from whoever reads past it.
    const pastWeb = await pooled.fetch(url);
    expect(pastWeb.body).not.toBeNull();
    for await (const chunk of bodyOf(pastWeb)) raw.push(chunk);
    expect(Buffer.concat(raw).toString()).toBe("one two");
  });

  it("works under the openai SDK's own stream parser", async () => {
    handle = (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end('data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n');
    };
    const client = new OpenAI({ apiKey: "k", baseURL: url, maxRetries: 0, fetch: pooled.fetch });
    const stream = await client.chat.completions.create({ model: "m", stream: true, messages: [] });
    const texts: unknown[] = [];
    for await (const chunk of stream) texts.push(chunk.choices[0]?.delta.content);
    expect(texts).toEqual(["hi"]);
  });

  it("keeps connections for the next request", async () => {
    handle = (_request, response) => response.end("x");
    for (let turn = 0; turn < 10; turn += 1) await readWhole(await pooled.fetch(url));
    // undici counts a connection as busy for a moment after the body's end, so the next request may open one more.
    expect(connections).toBeLessThanOrEqual(2);
  });

  it("gives a streamed answer's connection back once its last bytes are in", async () => {
    handle = (_request, response) => {
      response.write("last event");
      setImmediate(() => response.end());
    };
    for (let turn = 0; turn < 10; turn += 1) {
      const response = await pooled.fetch(url);
      for await (const chunk of bodyOf(response, { keepOpen: true })) if (chunk.length > 0) break;
      releaseBody(response);
      await closeOf(response);
    }
    expect(connections).toBeLessThanOrEqual(2);
  });

  it("gives up a connection whose vendor goes on sending after the end", async () => {
    const gone = goneFrom((response) => void writeForever(response));
    const response = await pooled.fetch(url);
    for await (const chunk of bodyOf(response, { keepOpen: true })) if (chunk.length > 0) break;
    releaseBody(response);
    await expect(gone).resolves.toBe("gone");
  });

  it("reads no faster than its reader", async () => {
    let written = 0;
    handle = (_request, response) => void writeForever(response, (bytes) => (written += bytes));
    const iterator = bodyOf(await pooled.fetch(url))[Symbol.asyncIterator]();
    await iterator.next();
    let before = -1;
    while (written !== before) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // What the two sockets and the stream hold between them, and no more.
    expect(written).toBeLessThan(32 * 1024 * 1024);
    await iterator.return?.();
  });

  it("closes the vendor's connection when the reader stops, through every way of reading", async () => {
    const ways: ((response: Response) => Promise<unknown> | void)[] = [
      async (response) => {
        for await (const chunk of bodyOf(response)) if (chunk.length > 0) break;
      },
      (response) => response.body?.cancel(),
      (response) => cancelBody(response),
    ];
    for (const stop of ways) {
      const gone = goneFrom((response) => void writeForever(response));
      await stop(await pooled.fetch(url));
      await expect(gone).resolves.toBe("gone");
    }
  });

  it("honours its signal before the headers and while the body streams", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const goneEarly = goneFrom(() => controller.abort(reason));
    await expect(pooled.fetch(url, { signal: controller.signal })).rejects.toBe(reason);
    await goneEarly;
    await expect(pooled.fetch(url, { signal: controller.signal })).rejects.toBe(reason);

    const second = new AbortController();
    const goneLate = goneFrom((response) => response.write("x"));
    const response = await pooled.fetch(url, { signal: second.signal });
    const reading = response.text();
    second.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await expect(goneLate).resolves.toBe("gone");
  });

  it("survives an abort that nobody is reading for", async () => {
    const controller = new AbortController();
    const gone = goneFrom((response) => response.write("x"));
    await pooled.fetch(url, { signal: controller.signal });
    controller.abort(new Error("nobody listens"));
    await expect(gone).resolves.toBe("gone");
  });

  it("refuses a whole body over its bound", async () => {
    const gone = goneFrom((response) => void writeForever(response));
    await expect(readWhole(await pooled.fetch(url), 100_000)).rejects.toMatchObject({ code: "bad_answer" });
    await expect(gone).resolves.toBe("gone");
  });

  it("refuses more requests than may wait for a connection", async () => {
    await withOptions({ maxConnectionsPerOrigin: 1, maxWaitingPerOrigin: 1 });
    handle = () => undefined;
    const controller = new AbortController();
    const waiting = [1, 2].map(() => pooled.fetch(url, { signal: controller.signal }).catch(() => "aborted"));
    await expect(pooled.fetch(url)).rejects.toMatchObject({ code: "overloaded" });
    controller.abort();
    expect(await Promise.all(waiting)).toEqual(["aborted", "aborted"]);
  });

  it("closes for good though an answer goes on", async () => {
    await withOptions({ closeTimeoutMs: 20 });
    const gone = goneFrom((response) => response.write("x"));
    await pooled.fetch(url);
    await pooled.close();
    await expect(gone).resolves.toBe("gone");
    await expect(pooled.fetch(url)).rejects.toThrow("destroyed");
  });

  it("times out on headers that never come, and on a body that falls silent", async () => {
    await withOptions({ headersTimeoutMs: 50, bodyIdleTimeoutMs: 50 });
    const fetch = vendorFetch(pooled, "acme", { codes: {} });
    handle = () => undefined;
    await expect(fetch(url)).rejects.toMatchObject({ code: "timeout" });
    handle = (_request, response) => response.write("x");
    await expect((await fetch(url)).text()).rejects.toMatchObject({ code: "UND_ERR_BODY_TIMEOUT" });
  });
});

/** Answers with `answer`; resolves when the client has gone away from it. */
function goneFrom(answer: (response: ServerResponse) => unknown): Promise<"gone"> {
  return new Promise((resolve) => {
    handle = (_request, response) => {
      response.on("close", () => resolve("gone"));
      answer(response);
    };
  });
}

async function writeForever(
  response: ServerResponse,
  wrote: (bytes: number) => unknown = () => undefined,
): Promise<void> {
  const chunk = Buffer.alloc(64 * 1024, "x");
  while (!response.destroyed) {
    wrote(chunk.length);
    if (!response.write(chunk)) await Promise.race([once(response, "drain"), once(response, "close")]);
  }
}

async function closeOf(response: Response): Promise<void> {
  const stream = bodyOf(response);
  if (stream instanceof Readable && !stream.closed) await once(stream, "close");
}
