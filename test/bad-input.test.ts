import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../router/json.ts";
import type { Seen } from "./conformance/dialect/answer.ts";
import {
  answered,
  type Ask,
  bodyIn,
  type DialectName,
  dialectPaths,
  dialects,
  say,
  type Turn,
} from "./conformance/dialect/ask.ts";
import { pixel } from "./conformance/dialect/scenarios.ts";
import { readSeen } from "./conformance/dialect/seen.ts";
import { startWorld, vendorRows, type World } from "./conformance/dialect/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world.close();
});

const models = vendorRows.map((row) => row.model);
const pairs = dialects.flatMap((dialect) => models.map((model) => ({ dialect, model })));

async function post(dialect: DialectName, body: JsonObject | string): Promise<Seen> {
  return readSeen(dialect, await world.gateway.fetch(dialectPaths[dialect], { body }));
}

async function ask(dialect: DialectName, model: string, asked: Ask, more: JsonObject = {}): Promise<Seen> {
  return post(dialect, { model, ...bodyIn[dialect](asked, false), ...more });
}

/** What became of a request, and whether a vendor was asked for it. */
async function outcomeOf(run: () => Promise<Seen>) {
  const before = world.sandbox.requests().length;
  const seen = await run();
  const vendorsAsked = world.sandbox.requests().length - before;
  return { status: seen.status, message: seen.error?.message, faults: seen.faults, vendorsAsked };
}

/** Refused before any vendor is asked, in the dialect's own shape, with words that name what is wrong. */
const refusal = (told: RegExp) => ({
  status: 400,
  message: expect.stringMatching(told) as string,
  faults: [],
  vendorsAsked: 0,
});

describe.each(dialects)("%s", (dialect) => {
  it.each([
    ["no JSON", '{"model": "auto", '],
    ["nothing", ""],
    ["a list", "[]"],
    ["a word", '"hello"'],
    ["null", "null"],
  ])("refuses a body that is %s", async (_what, body) => {
    const run = () => post(dialect, body);
    expect(await outcomeOf(run)).toEqual(refusal(/body|model|max_tokens/));
  });

  it("refuses a conversation without a turn", async () => {
    expect(await outcomeOf(() => ask(dialect, "auto", { turns: [] }))).toEqual(refusal(/messages|input/));
  });

  it.each([
    ["model", { model: 7 }],
    ["model", { model: "" }],
    ["temperature", { temperature: "hot" }],
    ["temperature", { temperature: 99 }],
    ["top_p", { top_p: -1 }],
    ["stream", { stream: "yes" }],
    ["tools", { tools: {} }],
    ["tools", { tools: [7] }],
    ["tool_choice", { tool_choice: 7 }],
    ["metadata", { metadata: [] }],
  ] as const)("names the field of a wrong %s", async (field, more) => {
    const run = () => ask(dialect, "auto", { turns: [say("Hello")] }, more);
    expect(await outcomeOf(run)).toEqual(refusal(new RegExp(field)));
  });

  it.each([
    "http://127.0.0.1/a.png",
    "http://localhost:8080/a.png",
    "http://10.1.2.3/a.png",
    "http://192.168.1.1/a.png",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/a.png",
    "http://[::ffff:10.0.0.1]/a.png",
    "http://2130706433/a.png",
    "http://0x7f.1/a.png",
    "http://db.internal/a.png",
    "file:///etc/passwd",
    "gopher://example.com/",
  ])("never lets anybody fetch %s", async (imageUrl) => {
    const run = () => ask(dialect, "openai/gpt-6-luna", { turns: [{ role: "user", parts: [{ imageUrl }] }] });
    expect(await outcomeOf(run)).toEqual(refusal(/private network|http/));
  });

  it("refuses two tools of one name, or leaves it to the vendor", async () => {
    const tool = { name: "twice", parameters: { type: "object", properties: {} } };
    const seen = await ask(dialect, "anthropic/claude-haiku-5-5", { turns: [say("Hello")], tools: [tool, tool] });
    expect(seen.status).toBe(400);
    expect(seen.error?.message).toMatch(/two tools|unique/);
  });

  it("refuses a body over the limit, with the status for it", async () => {
    const seen = await ask(dialect, "auto", { turns: [say("x".repeat(33 * 1024 * 1024))] });
    expect(seen.status).toBe(413);
    expect(seen.error?.message).toMatch(/limit/);
    expect(seen.faults).toEqual([]);
  });

  it.each(models.filter((model) => !model.startsWith("local/") && !model.includes("5.6")))(
    "takes an image of 20 MB to %s",
    async (model) => {
      const image = Buffer.concat([Buffer.from(pixel, "base64"), Buffer.alloc(20 * 1024 * 1024, 7)]).toString("base64");
      const seen = await ask(dialect, model, {
        turns: [{ role: "user", parts: [{ text: "What is this?" }, { image, mediaType: "image/png" }] }],
      });
      expect({ status: seen.status, message: seen.error?.message }).toEqual({ status: 200, message: undefined });
      expect(seen.text).toContain("image/png");
    },
  );
});

describe.each(pairs)("$dialect to $model", ({ dialect, model }) => {
  it("says what it does with fields that contradict each other", async () => {
    const tool = { name: "get_weather", parameters: { type: "object", properties: {} } };
    // A tool is to be called that is not among the tools, an answer is wanted that is JSON and a call at once.
    const seen = await ask(dialect, model, { turns: [say("Hello")], tools: [tool], toolChoice: { tool: "other" } });
    expect([200, 400]).toContain(seen.status);
    expect(seen.status === 200 || (seen.error?.message ?? "") !== "").toBe(true);
    const without = await ask(dialect, model, { turns: [say("Hello")], toolChoice: "required" });
    expect([200, 400]).toContain(without.status);
    expect([...seen.faults, ...without.faults]).toEqual([]);
  });

  it("takes ten thousand messages", async () => {
    const turns = Array.from({ length: 10_000 }, (_, index): Turn =>
      index % 2 === 0 ? say(`I have ${index} apples.`) : answered("Noted."),
    );
    const seen = await ask(dialect, model, { turns: [...turns, say("How many apples do I have?")] });
    expect({ status: seen.status, message: seen.error?.message }).toEqual({ status: 200, message: undefined });
    expect(seen.faults).toEqual([]);
  });
});
