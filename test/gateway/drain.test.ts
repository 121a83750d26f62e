import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type GatewayProcess, startGatewayProcess } from "../demo/gateway-process.ts";
import { newDirectory, removeDirectory, send } from "../support/gateway.ts";

// A process start takes a second of a free core, and many on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const data = newDirectory();
let gateway: GatewayProcess;
beforeAll(restart);
afterAll(async () => {
  await gateway.stop("SIGKILL");
  removeDirectory(data);
});

function client(): OpenAI {
  return new OpenAI({ apiKey: "x", baseURL: `${gateway.origin}/v1`, maxRetries: 0 });
}

const say = (content: string) => [{ role: "user" as const, content }];
const model = "openai/gpt-6-luna";

async function restart(): Promise<void> {
  gateway = await startGatewayProcess({ THROUGHLINE_DATA: data });
}

async function textOf(content: string): Promise<string> {
  const answer = await client().chat.completions.create({
    model: "anthropic/claude-haiku-5-5",
    messages: say(content),
  });
  return answer.choices[0]?.message.content ?? "";
}

/** Waits, by asking, until nothing waits to be remembered. */
async function learned(): Promise<void> {
  for (let round = 0; round < 400; round += 1) {
    const states = ["ready", "running"].map(async (state) => {
      const response = await send(`${gateway.origin}/v1/memory-jobs?state=${state}`);
      return ((await response.json()) as { data: unknown[] }).data.length;
    });
    if ((await Promise.all(states)).every((length) => length === 0)) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
  throw new Error("The memory queue did not empty.");
}

describe("SIGTERM", () => {
  it("lets a slow answer finish, takes no new connections, keeps what waits to be remembered, and ends with 0", async () => {
    const stream = await client().chat.completions.create({
      model,
      stream: true,
      messages: say("[[sandbox:words=60 event_delay_ms=15]] Count."),
    });
    let text = "";
    let ended: Promise<number | null> | undefined;
    let refused: Promise<unknown> | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (ended !== undefined || text === "") continue;
      await client().chat.completions.create({ model, messages: say("My tortoise is called Speedy.") });
      ended = gateway.stop("SIGTERM");
      refused = newConnectionRefused(gateway.origin);
    }
    expect(text).toMatch(/word1 .*word60$/u);
    await refused;
    expect(await ended).toBe(0);
    await restart();
    await learned();
    expect(await textOf("What is my tortoise called?")).toContain("Speedy");
  });

  it("twice ends at once", async () => {
    const answer = client().chat.completions.create({ model, messages: say("[[sandbox:fail=hang]] Wait.") });
    const outcome = answer.then(
      () => "answered",
      () => "cut",
    );
    await inFlight();
    const ended = gateway.stop("SIGTERM");
    await newConnectionRefused(gateway.origin);
    process.kill(gateway.pid, "SIGTERM");
    expect(await ended).toBe(130);
    expect(await outcome).toBe("cut");
    await restart();
  });
});

describe("SIGKILL right after an answer", () => {
  it("loses nothing that was said, whole or streamed: it is known after the restart", async () => {
    await client().chat.completions.create({ model, messages: say("My sister is called Ines.") });
    const stream = client().chat.completions.stream({ model, messages: say("My boat is called Nautilus.") });
    await stream.finalContent();
    await gateway.stop("SIGKILL");
    await restart();
    await learned();
    expect(await textOf("What is my sister called?")).toContain("Ines");
    expect(await textOf("What is my boat called?")).toContain("Nautilus");
  });
});

async function inFlight(): Promise<void> {
  for (let round = 0; round < 400; round += 1) {
    const text = await (await send(`${gateway.origin}/metrics`, { headers: { connection: "close" } })).text();
    if (/^throughline_requests_in_flight 1$/mu.test(text)) return;
  }
  throw new Error("No request came to be in flight.");
}

/** Asks on connections of its own until one is refused. */
async function newConnectionRefused(origin: string): Promise<void> {
  for (let round = 0; round < 400; round += 1) {
    const answered = await send(`${origin}/healthz`, { headers: { connection: "close" } }).then(
      () => true,
      () => false,
    );
    if (!answered) return;
  }
  throw new Error("New connections are still taken.");
}
