import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { type Child, cpuSeconds, residentMegabytes, startChild } from "./child.ts";

/**
 * `npm run bench [-- --json] [-- --requests N]`: CPU of the gateway per request beside a bare forwarder in the same
 * run. Upstream, target and load are three processes; only the target's CPU is counted. The machine's speed drifts,
 * so the ratio is the figure to keep.
 */
type Measured = {
  readonly name: string;
  readonly requests: number;
  readonly cpuMicros: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssMb: number;
  readonly failed: number;
  /** CPU over the forwarder's on the same kind of request. */
  readonly ratio: number;
};

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, requests: { type: "string", default: "12000" } },
});
const requests = Number(values.requests);
if (!Number.isInteger(requests) || requests < 100 || requests > 1_000_000)
  throw new Error("--requests takes a whole number from 100 to 1000000");

const here = import.meta.dirname;
const memoryCount = 1000;
const concurrency = 16;
const streamRequests = Math.max(50, Math.floor(requests / 20));
const data = mkdtempSync(join(tmpdir(), "throughline-bench-"));

const upstream = await startChild(join(here, "upstream.ts"), []);
const forwarder = await startChild(join(here, "forwarder.ts"), [upstream.origin]);
const gateway = await startChild(join(here, "../../gateway/main.ts"), [], {
  OPENAI_API_KEY: "sk-bench",
  OPENAI_BASE_URL: `${upstream.origin}/v1`,
  THROUGHLINE_DATA: data,
  PORT: "0",
});
try {
  await seedMemories(gateway.origin);
  const floor = await measure("forwarder", forwarder, requests, {}, false);
  const streamFloor = await measure("forwarder, stream of 200 events", forwarder, streamRequests, {}, true);
  const rows = [
    floor,
    await measure("memory off", gateway, requests, { "x-throughline-memory": "off" }, false, floor),
    await measure(
      `memory read, ${memoryCount} memories`,
      gateway,
      requests,
      { "x-throughline-memory": "read" },
      false,
      floor,
    ),
    await measure(
      `memory on, ${memoryCount} memories`,
      gateway,
      Math.floor(requests / 4),
      { "x-throughline-memory": "on" },
      false,
      floor,
    ),
    streamFloor,
    await measure(
      "memory off, stream of 200 events",
      gateway,
      streamRequests,
      { "x-throughline-memory": "off" },
      true,
      streamFloor,
    ),
  ];
  print(rows);
  process.exitCode = rows.some((row) => row.failed > 0) ? 1 : 0;
} finally {
  await gateway.stop();
  await forwarder.stop();
  await upstream.stop();
  rmSync(data, { recursive: true, force: true });
}

async function measure(
  name: string,
  target: Child,
  count: number,
  headers: Record<string, string>,
  stream: boolean,
  floor?: Measured,
): Promise<Measured> {
  const task = { origin: target.origin, concurrency, stream, headers, bodies: bodies(stream) };
  await load({ ...task, requests: Math.ceil(count / 4) });
  const before = cpuSeconds(target.pid);
  const result = await load({ ...task, requests: count });
  // What the request left to do afterwards (learning from the turn) is part of its price: wait until the process rests.
  await settled(target);
  const cpuMicros = ((cpuSeconds(target.pid) - before) / count) * 1e6;
  return {
    name,
    requests: count,
    cpuMicros,
    perSecond: count / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    rssMb: residentMegabytes(target.pid),
    failed: result.failed,
    ratio: floor === undefined ? 1 : cpuMicros / floor.cpuMicros,
  };
}

/** Waits, at most a minute, for a process that uses no CPU any more. */
async function settled(target: Child): Promise<void> {
  for (let round = 0; round < 120; round += 1) {
    const before = cpuSeconds(target.pid);
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (cpuSeconds(target.pid) - before <= 0.02) return;
  }
}

async function load(task: object): Promise<{ seconds: number; failed: number; p50Ms: number; p99Ms: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(here, "load.ts"), JSON.stringify(task)], {
    timeout: 300_000,
  });
  return JSON.parse(stdout) as { seconds: number; failed: number; p50Ms: number; p99Ms: number };
}

/** Requests of about 1 KB, each asking something else, so that no cache of ours answers for it. */
function bodies(stream: boolean): string[] {
  const filler = "The team ships on Thursdays and writes its notes in plain words. ".repeat(10);
  return Array.from({ length: 64 }, (_, index) =>
    JSON.stringify({
      model: "gpt-6-luna",
      ...(stream ? { stream: true } : {}),
      messages: [
        { role: "system", content: `You help a small team. ${filler}` },
        { role: "user", content: `Question ${index}: what did I say about topic ${index % 20} and city ${index % 7}?` },
      ],
    }),
  );
}

async function seedMemories(origin: string): Promise<void> {
  for (let from = 0; from < memoryCount; from += 100) {
    const memories = Array.from({ length: 100 }, (_, offset) => {
      const index = from + offset;
      return {
        text: `Note ${index}: topic ${index % 20} was discussed in city ${index % 7} with person ${index % 31} about budget ${index * 13}.`,
      };
    });
    const response = await fetch(`${origin}/v1/memories`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ memories }),
    });
    if (!response.ok) throw new Error(`seeding failed: ${response.status} ${await response.text()}`);
  }
}

function print(rows: readonly Measured[]): void {
  if (values.json) {
    console.log(JSON.stringify({ node: process.version, concurrency, rows }));
    return;
  }
  console.log(`node ${process.version}, ${concurrency} at a time, about 1 KB a request\n`);
  console.log(["", "requests", "CPU µs", "ratio", "req/s", "p50 ms", "p99 ms", "RSS MB", "failed"].join(" | "));
  for (const row of rows) {
    console.log(
      [
        row.name,
        row.requests,
        row.cpuMicros.toFixed(0),
        `${row.ratio.toFixed(2)}x`,
        row.perSecond.toFixed(0),
        row.p50Ms.toFixed(2),
        row.p99Ms.toFixed(2),
        row.rssMb,
        row.failed,
      ].join(" | "),
    );
  }
}
