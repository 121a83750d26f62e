import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A real Qdrant for a test run, or why there is none. */
export type QdrantServer =
  | { readonly url: string; readonly close: () => Promise<void> }
  | { readonly url: undefined; readonly reason: string };

const START_TRIES = 300;
const TRY_EVERY_MS = 100;

/** What QDRANT_URL names, else a `qdrant` from the PATH on free loopback ports with storage of its own. */
export async function findQdrantServer(): Promise<QdrantServer> {
  const url = process.env["QDRANT_URL"];
  if (url !== undefined && url !== "") return { url, close: async () => undefined };
  const program = findProgram("qdrant");
  if (program === undefined) return { url: undefined, reason: "no QDRANT_URL and no qdrant on the PATH" };
  return await start(program);
}

async function start(program: string): Promise<QdrantServer> {
  const directory = mkdtempSync(join(tmpdir(), "throughline-qdrant-"));
  const port = await freePort();
  const child = spawn(program, ["--disable-telemetry"], {
    cwd: directory,
    stdio: "ignore",
    env: {
      ...process.env,
      QDRANT__SERVICE__HOST: "127.0.0.1",
      QDRANT__SERVICE__HTTP_PORT: String(port),
      QDRANT__SERVICE__GRPC_PORT: String(await freePort()),
      QDRANT__STORAGE__STORAGE_PATH: join(directory, "storage"),
      QDRANT__STORAGE__SNAPSHOTS_PATH: join(directory, "snapshots"),
      QDRANT__LOG_LEVEL: "ERROR",
    },
  });
  const exited = once(child, "exit");
  const close = async () => {
    if (child.exitCode === null) {
      child.kill("SIGTERM");
      await exited;
    }
    rmSync(directory, { recursive: true, force: true });
  };
  const address = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < START_TRIES && child.exitCode === null; attempt++) {
    if (await isReady(address)) return { url: address, close };
    await sleep(TRY_EVERY_MS);
  }
  await close();
  return { url: undefined, reason: `${program} did not start` };
}

async function isReady(address: string): Promise<boolean> {
  try {
    return (await fetch(`${address}/readyz`)).ok;
  } catch {
    return false; // not listening yet
  }
}

function findProgram(name: string): string | undefined {
  const candidates = (process.env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, name));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("No free port.");
  return address.port;
}
