import { createServer, type ServerResponse } from "node:http";
import { Pool } from "undici";
import { whenListening } from "./child.ts";

// The floor: bare node:http and undici.Pool, bytes copied both ways, nothing read.

const upstream = process.argv[2];
if (upstream === undefined) throw new Error("usage: forwarder.ts <upstream origin>");
const pool = new Pool(upstream, { connections: 64, pipelining: 1 });

async function forward(path: string, body: Buffer, response: ServerResponse): Promise<void> {
  const answer = await pool.request({ method: "POST", path, headers: { "content-type": "application/json" }, body });
  response.writeHead(answer.statusCode, {
    "content-type": String(answer.headers["content-type"] ?? "application/json"),
  });
  answer.body.pipe(response);
}

const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", () => {
    forward(request.url ?? "/", Buffer.concat(pieces), response).catch(() => response.destroy());
  });
});
server.keepAliveTimeout = 60_000;
whenListening(server);
