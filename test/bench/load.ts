import { Pool } from "undici";

// The load: a fixed number of requests at a fixed concurrency against one origin; prints one JSON line and ends.

type Task = {
  origin: string;
  requests: number;
  concurrency: number;
  stream: boolean;
  headers: Record<string, string>;
  bodies: string[];
};

const task = JSON.parse(process.argv[2] ?? "{}") as Task;
const pool = new Pool(task.origin, { connections: task.concurrency, pipelining: 1 });
const latencies: number[] = [];
let failed = 0;
let sent = 0;

async function worker(): Promise<void> {
  while (sent < task.requests) {
    const body = task.bodies[sent % task.bodies.length] ?? "{}";
    sent += 1;
    const startedAt = performance.now();
    const { statusCode, body: answer } = await pool.request({
      method: "POST",
      path: "/v1/chat/completions",
      headers: { "content-type": "application/json", ...task.headers },
      body,
    });
    const text = await answer.text();
    latencies.push(performance.now() - startedAt);
    if (statusCode !== 200 || (task.stream && !text.includes("[DONE]"))) failed += 1;
  }
}

const startedAt = performance.now();
await Promise.all(Array.from({ length: task.concurrency }, worker));
const seconds = (performance.now() - startedAt) / 1000;
await pool.close();
latencies.sort((a, b) => a - b);
const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
console.log(JSON.stringify({ seconds, failed, p50Ms: at(0.5), p99Ms: at(0.99) }));
