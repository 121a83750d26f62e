import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { baseEnvironment } from "../demo/gateway-process.ts";

const endWithinMs = 60_000;

/** Starts the gateway as a person would, for a start that is to fail: its exit code and what it said. */
export async function runGateway(
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../gateway/main.ts")], {
    env: { ...baseEnvironment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: endWithinMs,
    killSignal: "SIGKILL",
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  return { code: child.exitCode, output: Buffer.concat(chunks).toString("utf8") };
}
