import { array, assert, asyncProperty, constantFrom, nat } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Seen } from "../conformance/dialect/answer.ts";
import { bodyIn, type DialectName, dialectPaths, dialects, say } from "../conformance/dialect/ask.ts";
import { readSeen } from "../conformance/dialect/seen.ts";
import { type FakeVendor, startFakeVendor } from "../conformance/provider/fake-vendor.ts";
import { fixtureSamples, rows } from "../conformance/provider/rows.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { runs } from "./arbitraries.ts";

const wires = [
  { name: "Chat Completions", row: "openai-compatible over openai-chat", model: "local/local-model" },
  { name: "Responses", row: "openai over openai-responses", model: "openai/gpt-5.6-luna" },
  { name: "Messages", row: "anthropic over anthropic-messages", model: "anthropic/claude-haiku-5-5" },
  { name: "generateContent", row: "google over gemini-generate", model: "google/gemini-3.8-flash" },
] as const;

let vendor: FakeVendor;
let gateway: TestGateway;

beforeAll(async () => {
  vendor = await startFakeVendor();
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: `${vendor.url}/v1`,
      ANTHROPIC_API_KEY: "k",
      ANTHROPIC_BASE_URL: vendor.url,
      GEMINI_API_KEY: "k",
      GOOGLE_GEMINI_BASE_URL: vendor.url,
    },
    yaml: `memory: { enabled: false }
limits: { maxAttempts: 1 }
providers: [{ id: local, baseUrl: "${vendor.url}/v1", models: [{ id: local-model, efforts: [none, low] }] }]
`,
  });
});
afterAll(async () => {
  await gateway.close();
  await vendor.stop();
});

/** What a client of a dialect makes of the vendor's bytes, sent in these pieces. */
async function seenOf(dialect: DialectName, model: string, chunks: readonly Uint8Array[]): Promise<Seen> {
  vendor.reply = { headers: { "content-type": "text/event-stream" }, chunks };
  const tools = [{ name: "spare_tool", parameters: { type: "object", properties: {} } }];
  const body = { model, ...bodyIn[dialect]({ turns: [say("Hello")], tools, effort: "low" }, true) };
  return readSeen(dialect, await gateway.fetch(dialectPaths[dialect], { body }));
}

/** The same stream as another server would write it. */
const spellings = {
  plainly: (text: string) => text,
  "with CRLF": (text: string) => text.replaceAll("\n", "\r\n"),
  "with CR alone": (text: string) => text.replaceAll("\n", "\r"),
  "with comments and a BOM": (text: string) => `\uFEFF: hello\n\n${text.replaceAll("\n\n", "\n\n: still here\n\n")}`,
  "with its data on several lines": (text: string) => text.replaceAll(/^data: \{/gm, "data: {\ndata: "),
  "with fields nobody knows": (text: string) => text.replaceAll(/^data:/gm, "id: 7\nretry: 10\ndata:"),
};

/** What does not depend on when it was asked. */
const meaning = ({ text, thinking, refusal, calls, finish, usage, error, faults }: Seen) => {
  return {
    text,
    thinking,
    refusal,
    calls: calls.map((call) => [call.name, call.arguments]),
    finish,
    usage,
    error,
    faults,
  };
};

describe.each(dialects)("a client of %s", (dialect) => {
  it.each(wires)(
    "sees the same of $name wherever its bytes are cut and however they are spelt",
    async ({ name, row, model }) => {
      const found = rows.find((one) => one.name === row);
      const sample = found === undefined ? undefined : fixtureSamples(found)[0];
      if (found === undefined || sample?.stream === undefined) throw new Error(`no fixture for ${row}`);
      const text = sample.stream.map((event) => found.frame(event)).join("") + found.ending;
      const expected = meaning(await seenOf(dialect, model, [Buffer.from(text)]));
      // The vendor's own events go to a client of its own wire as they are, and our fixtures are shorter than life.
      expect(name === "Responses" && dialect === "openai-responses" ? [] : expected.faults).toEqual([]);
      expect(expected.finish).not.toBe("");
      await assert(
        asyncProperty(
          array(nat(10_000), { maxLength: 10 }),
          constantFrom(...Object.values(spellings)),
          async (cuts, spell) => {
            const bytes = Buffer.from(spell(text));
            const edges = [0, ...cuts.map((cut) => cut % bytes.length).toSorted((a, b) => a - b), bytes.length];
            const pieces = edges.slice(1).map((end, place) => bytes.subarray(edges[place], end));
            const seen = await seenOf(
              dialect,
              model,
              pieces.filter((piece) => piece.length > 0),
            );
            expect(meaning(seen)).toEqual(expected);
          },
        ),
        { numRuns: Math.min(runs(12), 300) },
      );
    },
  );
});
