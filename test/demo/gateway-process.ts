import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A gateway started as a person starts it: its own process, its own data directory, told by its environment alone. */
export type GatewayProcess = {
  readonly origin: string;
  readonly pid: number;
  /** Everything it has printed, for errors. */
  readonly output: () => string;
  /** Ends it in order (SIGTERM), or at once (SIGKILL). Resolves with its exit code. */
  stop(signal?: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number | null>;
};

const startWithinMs = 60_000;

/** Nothing of the machine's own settings or keys. Compiled code is kept between starts: most of a start is compiling. */
export const baseEnvironment: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "",
  PORT: "0",
  NODE_COMPILE_CACHE: join(tmpdir(), "throughline-compile-cache"),
};

export async function startGatewayProcess(env: Readonly<Record<string, string>>): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../gateway/main.ts")], {
    env: { ...baseEnvironment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const origin = await address(child, lines);
  return {
    origin,
    pid: child.pid ?? 0,
    output: () => lines.join("\n"),
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const gone = once(child, "exit");
      child.kill(signal);
      await gone;
      return child.exitCode;
    },
  };
}

async function address(child: ChildProcess, lines: string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(() => {
    child.kill("SIGKILL");
    reject(new Error(`The gateway was not listening after ${startWithinMs} ms.\n${lines.join("\n")}`));
  }, startWithinMs);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      // Bounded: a long run logs a line per request.
      if (lines.length < 5_000) lines.push(line);
      const found = /^Throughline\s+(http:\/\/\S+)\/v1/.exec(line);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
  }
  child.once("exit", (code) =>
    reject(new Error(`The gateway ended with ${code} before it was listening.\n${lines.join("\n")}`)),
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
