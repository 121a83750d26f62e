import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { startGatewayProcess } from "./gateway-process.ts";
import { createStory, type Turn } from "./story.ts";

/**
 * `npm run demo`: one memory across three vendors, told with the official `openai` client against a gateway of its own
 * on the sandbox vendors. Ends with 1 when an expectation of the story is not met.
 */
const data = mkdtempSync(join(tmpdir(), "throughline-demo-"));
// No vendor keys are passed on: the demonstration costs nothing and needs no network.
let gateway = await startGatewayProcess({ THROUGHLINE_DATA: data });
let failures = 0;

try {
  console.log(`Throughline, on the sandbox vendors: their answers are made up, the memory is real.\n`);
  for (const step of createStory()) {
    switch (step.do) {
      case "restart":
        console.log(`\n     -- the gateway is stopped and started again --\n`);
        await gateway.stop();
        gateway = await startGatewayProcess({ THROUGHLINE_DATA: data });
        break;
      case "forget":
        await forget(step.query);
        break;
      case "say":
        await say(step);
        break;
    }
  }
} finally {
  await gateway.stop();
  rmSync(data, { recursive: true, force: true });
}
console.log(
  failures === 0
    ? "\nEvery expectation of the story was met."
    : `\n${failures} expectations of the story were not met.`,
);
process.exitCode = failures === 0 ? 0 : 1;

async function say(turn: Turn): Promise<void> {
  const client = new OpenAI({ apiKey: "none-needed", baseURL: `${gateway.origin}/v1`, maxRetries: 0 });
  const user = turn.user ?? "ada";
  const { data: answer, response } = await client.chat.completions
    .create(
      { model: turn.model, messages: [...turn.messages] },
      { headers: { "x-throughline-user": user, ...turn.headers } },
    )
    .withResponse();
  const text = answer.choices[0]?.message.content ?? "";
  const header = (name: string) => response.headers.get(`x-throughline-${name}`) ?? "?";
  const asked = turn.messages.at(-1)?.content;
  console.log(`${user} → ${turn.model}: ${typeof asked === "string" ? asked : ""}`);
  console.log(`     ${text.replaceAll("\n", " ").slice(0, 160)}`);
  console.log(
    `     ${header("model")} · class ${header("class")} · $${header("cost-usd")} · memory ${header("memory")} · attempts ${header("attempts")}`,
  );
  for (const problem of turn.expect({ text, header })) {
    failures += 1;
    console.log(`     NOT MET: ${problem}`);
  }
  await remembered(user);
}

/** Waits until the turn has been learned from, by asking the gateway: a story has no use for a race. */
async function remembered(user: string): Promise<void> {
  for (let round = 0; round < 200; round += 1) {
    const response = await fetch(`${gateway.origin}/v1/memory-jobs?state=ready`, {
      headers: { "x-throughline-user": user },
    });
    const running = await fetch(`${gateway.origin}/v1/memory-jobs?state=running`, {
      headers: { "x-throughline-user": user },
    });
    const waiting = [
      ...((await response.json()) as { data: unknown[] }).data,
      ...((await running.json()) as { data: unknown[] }).data,
    ];
    if (waiting.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("The memory queue did not empty.");
}

async function forget(query: string): Promise<void> {
  const headers = { "content-type": "application/json", "x-throughline-user": "ada" };
  const search = await fetch(`${gateway.origin}/v1/memories/search`, {
    method: "POST",
    headers,
    body: JSON.stringify({ query, limit: 50 }),
  });
  const { data: hits } = (await search.json()) as { data: { id: string; text: string }[] };
  const ids = hits.filter((hit) => hit.text.toLowerCase().includes(query.toLowerCase())).map((hit) => hit.id);
  const response = await fetch(`${gateway.origin}/v1/memories`, {
    method: "DELETE",
    headers,
    body: JSON.stringify({ ids }),
  });
  const { deleted } = (await response.json()) as { deleted: number };
  console.log(`ada forgets '${query}': ${deleted} memories deleted`);
  if (!response.ok || deleted === 0) failures += 1;
}
