import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";

/** A process under measurement, reached at `origin`. */
export type Child = { readonly pid: number; readonly origin: string; stop(): Promise<void> };

/** For a child: listens on a free loopback port and tells the parent which, in one line. */
export function whenListening(server: Server): void {
  server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  process.once("SIGTERM", () => process.exit(0));
}

/** Starts a script under this Node and waits for the line that holds its address. */
export async function startChild(
  script: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Child> {
  const child = spawn(process.execPath, [script, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const origin = await firstAddress(child);
  if (child.pid === undefined) throw new Error(`${script} did not start`);
  return {
    pid: child.pid,
    origin,
    stop: async () => {
      if (child.exitCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
    },
  };
}

async function firstAddress(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the child has no output");
  const lines = createInterface({ input: child.stdout });
  // The reader goes on after the address so that a full pipe never blocks the child.
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
      if (found !== null) resolve(found[0]);
    });
    child.once("exit", (code) => reject(new Error(`a process ended with ${code} before it was listening`)));
  });
}

/** CPU seconds a process has used, user and system. Linux counts in ticks of 10 ms: measure over thousands of requests. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the name in parentheses and may hold spaces: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function residentMegabytes(pid: number): number {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(found?.[1] ?? 0) / 1024);
}
