import { createServer } from "node:http";
import { Pool } from "undici";
import { whenListening } from "./child.ts";

// The floor: bare node:http and undici.Pool, bytes copied both ways, nothing read.

const upstream = process.argv[2];
if (upstream === undefined) throw new Error("usage: forwarder.ts <upstream origin>");
const pool = new Pool(upstream, { connections: 64, pipelining: 1 });

const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", () => {
    pool
      .request({
        method: "POST",
        path: request.url ?? "/",
        headers: { "content-type": "application/json" },
        body: Buffer.concat(pieces),
      })
      .then(({ statusCode, headers, body }) => {
        response.writeHead(statusCode, { "content-type": String(headers["content-type"] ?? "application/json") });
        body.pipe(response);
      })
      .catch(() => response.destroy());
  });
});
server.keepAliveTimeout = 60_000;
whenListening(server);
