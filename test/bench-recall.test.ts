import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const script = join(import.meta.dirname, "bench/recall.ts");

/** Data of the same shape as in `../shared`, which the benchmark has never seen. */
const talk = {
  id: "talk-7",
  speakers: ["Ada", "Bo"],
  sessions: [
    {
      date: "9:05 am on 3 March, 2025",
      turns: [
        { id: "S1:1", speaker: "Ada", text: "I adopted a grey parrot called Kiwi last week." },
        { id: "S1:2", speaker: "Bo", text: "How lovely! I only have my old bicycle to talk to." },
        { id: "S1:3", speaker: "Ada", text: "Look at this.", imageCaption: "a photo of a parrot on a wooden swing" },
      ],
    },
    {
      date: "12:10 pm on 4 April, 2025",
      turns: [{ id: "S2:1", speaker: "Bo", text: "I sold the bicycle to my aunt." }],
    },
  ],
  questions: [
    { question: "Which bird did Ada adopt?", answer: "a parrot", evidence: ["S1:1"], category: 4 },
    { question: "What did Bo do with the bicycle?", answer: "sold it", evidence: ["S1:2", "S2:1"], category: 1 },
    { question: "Names a turn that is not there", answer: "?", evidence: ["S9:9"], category: 1 },
    { question: "Has no answer", answer: "?", evidence: ["S1:1"], category: 5 },
  ],
};
const chat = {
  id: "chat-3",
  messages: [
    { id: 0, role: "user", date: "June-01-2025", content: "Always include units when I ask about distances." },
    { id: 1, role: "assistant", date: "June-01-2025", content: "Understood, units it is." },
    { id: 2, role: "user", date: "June-09-2025", content: "I'm planning a hike of 18 kilometres around the lake." },
    { id: 3, role: "assistant", date: "June-09-2025", content: "Take water and start early." },
  ],
  questions: [
    { ability: "instruction_following", question: "How far is the moon?", answer: null, rubric: [], evidence: [0] },
    { ability: "information_extraction", question: "How long is my hike?", answer: "18", rubric: [], evidence: [2] },
    { ability: "abstention", question: "Who is my dentist?", answer: "unknown", rubric: [], evidence: [] },
  ],
};

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "throughline-bench-test-"));
  for (const [name, content] of Object.entries({ locomo: talk, beam: chat })) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "unseen.json"), JSON.stringify(content));
  }
  writeFileSync(join(folder, "prompts.jsonl"), `${JSON.stringify({ prompt: "Solve 3x + 7 = 22." })}\n`);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function bench(...more: readonly string[]) {
  const folders = ["--locomo", join(folder, "locomo"), "--beam", join(folder, "beam")];
  const { stdout } = await run(
    process.execPath,
    [script, ...folders, "--prompts", join(folder, "prompts.jsonl"), ...more],
    { timeout: 60_000 },
  );
  return stdout;
}

type Row = { readonly name: string; readonly questions: number; readonly found: number[]; readonly injected: number[] };
type Suite = {
  readonly suite: string;
  readonly groups: readonly Row[];
  readonly categories: readonly Row[];
  readonly unrelatedInjected: number;
};

describe("npm run bench:recall", () => {
  it("measures conversations it has never seen, as held out", async () => {
    const report = JSON.parse(await bench("--json")) as { suites: readonly Suite[]; prepareMs: { count: number } };
    const [locomo, beam] = report.suites;
    expect(locomo?.groups.map(({ name, questions }) => [name, questions])).toEqual([
      ["held out", 2],
      ["all", 2],
    ]);
    expect(locomo?.groups[0]?.found).toEqual([100, 100, 100]);
    expect(locomo?.groups[0]?.injected).toEqual([100, 100, 100]);
    expect(locomo?.unrelatedInjected).toBe(0);
    expect(beam?.categories.map(({ name }) => name)).toEqual([
      "held out: instruction_following",
      "held out: information_extraction",
    ]);
    // Nothing in the question leads to the instruction: it stands in the block all the same.
    expect(beam?.categories[0]?.injected).toEqual([100, 100, 100]);
    expect(report.prepareMs.count).toBe(4 * 3);
  }, 60_000);

  it("prints a table, and says so when there is nothing to measure", async () => {
    expect(await bench("--conversations", "chat-3")).toMatch(/held out\s+2\s/u);
    await expect(bench("--conversations", "nobody")).rejects.toThrow(/nothing to measure/u);
    await expect(bench("--store", "paper")).rejects.toThrow(/--store takes sqlite/u);
  }, 60_000);
});
