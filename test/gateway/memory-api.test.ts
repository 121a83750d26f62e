import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";

type Body = {
  id: string;
  text: string;
  kind: string;
  status: string;
  version: number;
  object: string;
  score: number;
  explanation: {
    via: string;
    dense: { rank: number; score: number } | null;
    sparse: { rank: number; score: number } | null;
    words: number;
    boost: number;
  };
  data: Body[];
  has_more: boolean;
  next: string | null;
  next_offset: number | null;
  core: boolean;
  agent: string | null;
  session: string | null;
  speaker: string | null;
  expires_at: string | null;
  metadata: object;
  error: { message: string; param: string | null; code: string | null; type: string };
};

let gateway: TestGateway;
let user = "";
let users = 0;
beforeAll(async () => {
  gateway = await startGateway();
});
beforeEach(() => {
  users += 1;
  user = `api-user-${users}`;
});
afterAll(async () => {
  await gateway.close();
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await gateway.fetch(path, {
    method,
    headers: { "x-throughline-user": user, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const add = async (text: string, more: object = {}) => (await call("POST", "/v1/memories", { text, ...more })).body;
const search = async (query: string, more: object = {}) =>
  (await call("POST", "/v1/memories/search", { query, ...more })).body;
const found = async (query: string, more: object = {}) =>
  (await search(query, more)).data.map(({ text }) => text).toSorted();
const list = async (query: string) =>
  (await call("GET", `/v1/memories?${query}`)).body.data.map(({ text }) => text).toSorted();

describe("searching", () => {
  it("filters by kind, status, time and metadata", async () => {
    await add("I like figs in autumn.", { kind: "preference", metadata: { shop: "north", n: 1 } });
    await add("I bought figs at the market.", {
      metadata: { shop: "south", n: 2 },
      recorded_at: "2026-01-05T10:00:00Z",
    });
    await add("Figs were mentioned in the letter.", {
      kind: "episode",
      session: "letter",
      recorded_at: "2026-02-05T10:00:00Z",
    });
    expect(await found("figs")).toHaveLength(3);
    expect(await found("figs", { kind: "preference" })).toEqual(["I like figs in autumn."]);
    expect(await found("figs", { kinds: ["preference", "episode"] })).toHaveLength(2);
    expect(await found("figs", { session: "letter" })).toEqual(["Figs were mentioned in the letter."]);
    expect(await found("figs", { metadata: { shop: "south" } })).toEqual(["I bought figs at the market."]);
    expect(await found("figs", { metadata: { shop: "south", n: 1 } })).toEqual([]);
    expect(await found("figs", { recorded_before: "2026-01-31T00:00:00Z" })).toEqual(["I bought figs at the market."]);
    expect(await found("figs", { recorded_after: "2026-01-31T00:00:00Z", kind: "episode" })).toHaveLength(1);
    expect(await found("figs", { status: "archived" })).toEqual([]);
  });

  it("shows what was known at a time, what had not expired then included", async () => {
    const { id } = await add("I live in Lisbon.", {
      recorded_at: "2026-01-05T10:00:00Z",
      expires_at: "2026-06-01T00:00:00Z",
    });
    await call("PATCH", `/v1/memories/${id}`, { text: "I live in Porto.", expires_at: "2099-01-01T00:00:00Z" });
    expect(await found("Where do I live?")).toEqual(["I live in Porto."]);
    expect(await found("Where do I live?", { as_of: "2026-02-01T00:00:00Z" })).toEqual(["I live in Lisbon."]);
    expect(await list("as_of=2026-02-01T00:00:00Z")).toEqual(["I live in Lisbon."]);
  });

  it("explains every arm's rank and score, and the boost", async () => {
    await add("I play the cello in an orchestra.");
    await add("The orchestra meets on Mondays.");
    const { data } = await search("Which instrument do I play in the orchestra?", { explain: true });
    for (const hit of data) {
      expect(hit.explanation).toEqual({
        via: "search",
        dense: { rank: expect.any(Number), score: expect.any(Number) },
        sparse: { rank: expect.any(Number), score: expect.any(Number) },
        words: expect.any(Number),
        boost: expect.any(Number),
      });
      expect(hit.explanation.boost).toBeGreaterThanOrEqual(0.9);
      expect(hit.explanation.boost).toBeLessThanOrEqual(1.1);
    }
    expect(data[0]?.explanation.sparse?.rank).toBe(1);
    expect(data.map(({ explanation }) => explanation.dense?.rank ?? 0).toSorted((one, other) => one - other)).toEqual([
      1, 2,
    ]);
    expect((await search("orchestra")).data[0]).not.toHaveProperty("explanation");
  });

  it("goes in pages that are cut from one order", async () => {
    const texts = Array.from({ length: 25 }, (_, index) => `Note ${index} about the red bicycle.`);
    await call("POST", "/v1/memories", { memories: texts.map((text) => ({ text, kind: "summary" })) });
    const whole = (await search("red bicycle", { limit: 25 })).data.map(({ text }) => text);
    const pages: string[] = [];
    let offset: number | null = 0;
    while (offset !== null) {
      const page: Body = await search("red bicycle", { limit: 10, offset });
      pages.push(...page.data.map(({ text }) => text));
      expect(page.has_more).toBe(page.next_offset !== null);
      offset = page.next_offset;
    }
    expect(pages).toEqual(whole);
    expect(new Set(pages).size).toBe(25);
  });

  it("of nothing but stop words, punctuation or emoji is answered", async () => {
    await add("I play the cello.");
    for (const query of ["the of and", "???", "🦊", "der die das", "的"]) {
      expect((await call("POST", "/v1/memories/search", { query })).status).toBe(200);
    }
  });

  it.each([
    [{}, "query"],
    [{ query: "" }, "query"],
    [{ query: " \u200b\u2060 " }, "query"],
    [{ query: "x".repeat(1_000_000) }, "query"],
    [{ query: "x", limit: 0 }, "limit"],
    [{ query: "x", limit: 201 }, "limit"],
    [{ query: "x", offset: -1 }, "offset"],
    [{ query: "x", kinds: "fact" }, "kinds"],
    [{ query: "x", kinds: ["fakt"] }, "kind"],
    [{ query: "x", statuses: ["gone"] }, "status"],
    [{ query: "x", as_of: "yesterday" }, "as_of"],
    [{ query: "x", metadata: { a: { deep: 1 } } }, "metadata.a"],
    [{ query: "x", explain: "yes" }, "explain"],
  ])("%j is refused, and the field is named", async (body, param) => {
    const answer = await call("POST", "/v1/memories/search", body);
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
  });
});

describe("listing", () => {
  it("filters by several kinds, session, core and metadata", async () => {
    await add("I want short answers.", { kind: "procedure", core: true });
    await add("I like figs.", { kind: "preference", metadata: { shop: "north" } });
    await add("Hello there.", { kind: "episode", session: "s9" });
    expect(await list("kind=procedure,preference")).toEqual(["I like figs.", "I want short answers."]);
    expect(await list("kind=procedure&kind=preference")).toEqual(["I like figs.", "I want short answers."]);
    expect(await list("session=s9")).toEqual(["Hello there."]);
    expect(await list("core=true")).toEqual(["I want short answers."]);
    expect(await list("metadata.shop=north")).toEqual(["I like figs."]);
  });

  it("gives every memory once while others are added", async () => {
    const before = Array.from({ length: 9 }, (_, index) => `Old note ${index}.`);
    await call("POST", "/v1/memories", { memories: before.map((text) => ({ text, kind: "summary" })) });
    const seen: string[] = [];
    let after = "";
    for (let page = 0; page < 10; page += 1) {
      const { body } = await call("GET", `/v1/memories?limit=2${after}`);
      seen.push(...body.data.map(({ text }) => text));
      await add(`New note ${page}.`, { kind: "summary" });
      if (body.next === null) break;
      after = `&after=${encodeURIComponent(body.next)}`;
    }
    expect(seen.filter((text) => text.startsWith("Old")).toSorted()).toEqual(before);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it.each([
    ["kind=fact,fakt", "kind"],
    ["core=perhaps", "core"],
    ["recorded_after=never", "recorded_after"],
  ])("refuses ?%s", async (query, param) => {
    const { status, body } = await call("GET", `/v1/memories?${query}`);
    expect([status, body.error.param]).toEqual([400, param]);
  });
});

const ask = async (agent: string) => {
  const client = gateway.openai({ "x-throughline-user": user, "x-throughline-agent": agent });
  const messages = [{ role: "user", content: `When are figs deployed, ${agent}?` }] as const;
  await client.chat.completions.create({ model: "openai/gpt-6-luna", messages: [...messages] });
  return JSON.stringify(gateway.asked().at(-1)?.body);
};

describe("an agent's memories", () => {
  it("are seen by that agent, beside the user's own, and by no other", async () => {
    await add("I like figs.");
    await call("POST", "/v1/memories", { text: "Deploy figs on Fridays." }, { "x-throughline-agent": "ops" });
    const as = async (agent: string) =>
      (await call("GET", "/v1/memories", undefined, { "x-throughline-agent": agent })).body.data
        .map(({ text }) => text)
        .toSorted();
    expect(await as("ops")).toEqual(["Deploy figs on Fridays.", "I like figs."]);
    expect(await as("cook")).toEqual(["I like figs."]);
    expect(await list("")).toEqual(["I like figs."]);
    expect(await found("figs", { agent: "ops" })).toHaveLength(2);
    expect(await found("figs")).toEqual(["I like figs."]);
    expect(await ask("ops")).toContain("Deploy figs on Fridays.");
    expect(await ask("cook")).not.toContain("Deploy figs on Fridays.");
  });
});

describe("editing", () => {
  it("at the version that was read goes through, at another is a conflict that changes nothing", async () => {
    const { id, version } = await add("I live in Lisbon.");
    const first = await call("PATCH", `/v1/memories/${id}`, { metadata: { a: 1 }, version });
    expect([first.status, first.body.version]).toEqual([200, version + 1]);
    for (const change of [{ metadata: { a: 2 } }, { text: "I live in Faro." }]) {
      const { status, body } = await call("PATCH", `/v1/memories/${id}`, { ...change, version });
      expect([status, body.error.param]).toEqual([409, "version"]);
      expect(body.error.message).toContain(`version ${version + 1}`);
    }
    expect((await call("GET", `/v1/memories/${id}`)).body).toMatchObject({ metadata: { a: 1 } });
    expect(await list("")).toEqual(["I live in Lisbon."]);
    const text = await call("PATCH", `/v1/memories/${id}`, { text: "I live in Faro.", version: version + 1 });
    expect(text.status).toBe(200);
    expect(await list("")).toEqual(["I live in Faro."]);
  });

  it("by two at the same version lets exactly one through", async () => {
    const { id, version } = await add("I live in Lisbon.");
    const cities = ["Faro", "Porto", "Braga", "Évora"];
    const answers = await Promise.all(
      cities.map((city) => call("PATCH", `/v1/memories/${id}`, { text: `I live in ${city}.`, version })),
    );
    expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 409, 409, 409]);
    expect(await list("")).toHaveLength(1);
  });

  it("of what was superseded changes what it became", async () => {
    const { id } = await add("I live in Lisbon.");
    await call("PATCH", `/v1/memories/${id}`, { text: "I live in Porto." });
    await call("PATCH", `/v1/memories/${id}`, { text: "I live in Faro." });
    expect(await list("")).toEqual(["I live in Faro."]);
    const { body } = await call("GET", `/v1/memories/${id}/history`);
    expect(body.data.map(({ text }) => text)).toEqual(["I live in Lisbon.", "I live in Porto.", "I live in Faro."]);
  });

  it("many at once answers for each in its place", async () => {
    const one = await add("I like figs.");
    const two = await add("I like plums.");
    const { status, body } = await call("PATCH", "/v1/memories", {
      memories: [
        { id: one.id, text: "I like ripe figs." },
        { id: "none", text: "x" },
        { id: two.id, core: true, version: 99 },
        { id: two.id, metadata: { ok: true } },
      ],
    });
    expect(status).toBe(200);
    expect(body.data.map(({ object }) => object)).toEqual(["memory", "memory.error", "memory.error", "memory"]);
    expect(body.data[1]?.error).toMatchObject({ param: "memories[1].id", code: "not_found" });
    expect(body.data[2]?.error).toMatchObject({ param: "memories[2].version", code: "conflict" });
    expect(await list("")).toEqual(["I like plums.", "I like ripe figs."]);
  });

  it("can put a memory away and bring it back", async () => {
    const { id } = await add("I like figs.");
    await call("PATCH", `/v1/memories/${id}`, { status: "archived" });
    expect(await found("figs")).toEqual([]);
    await call("PATCH", `/v1/memories/${id}`, { status: "active" });
    expect(await found("figs")).toEqual(["I like figs."]);
  });

  it.each([
    [{ text: "" }, "text"],
    [{ text: "\u200b" }, "text"],
    [{ text: "x".repeat(20_001) }, "text"],
    [{ core: "yes" }, "core"],
    [{ status: "superseded" }, "status"],
    [{ confidence: 2 }, "confidence"],
    [{ text: "x", version: "one" }, "version"],
    [{ metadata: { a: "b".repeat(20_000) } }, "metadata"],
    [{ unknown: 1 }, "body"],
  ])("with %j is refused, and the field is named", async (body, param) => {
    const { id } = await add("I like figs.");
    const answer = await call("PATCH", `/v1/memories/${id}`, body);
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
  });

  it("of many refuses the whole when one entry makes no sense", async () => {
    const { id } = await add("I like figs.");
    const answer = await call("PATCH", "/v1/memories", { memories: [{ id, text: "I like plums." }, { id }] });
    expect([answer.status, answer.body.error.param]).toEqual([400, "memories[1]"]);
    expect(await list("")).toEqual(["I like figs."]);
  });
});

describe("adding", () => {
  it("keeps speaker, session and time of what is brought along", async () => {
    const { body } = await call("POST", "/v1/memories", {
      text: "See you on Sunday.",
      kind: "episode",
      speaker: "Mum",
      session: "letters",
      recorded_at: "2020-05-01T08:00:00Z",
    });
    expect(body).toMatchObject({ speaker: "Mum", session: "letters", recorded_at: "2020-05-01T08:00:00.000Z" });
  });

  it.each([
    ["a megabyte", { text: "word ".repeat(200_000) }, "text"],
    ["characters that nobody sees", { text: "\u200b\u2060\ufeff" }, "text"],
    ["control characters", { text: "\u0000\u0001\u0002" }, "text"],
    ["metadata without end", { text: "x", metadata: { a: "b".repeat(20_000) } }, "metadata"],
    ["a speaker without end", { text: "x", speaker: "s".repeat(300) }, "speaker"],
    ["an origin that there is not", { text: "x", origin: "god" }, "origin"],
  ])("%s is refused, and the field is named", async (_what, body, param) => {
    const answer = await call("POST", "/v1/memories", body);
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
    expect(await list("")).toEqual([]);
  });

  it("keeps lone surrogates, zero-width joiners and other scripts readable", async () => {
    const texts = ["My tag is \ud83d here.", "Family: 👩‍👩‍👧", "मैं दिल्ली में रहता हूँ", "我住在北京。"];
    for (const text of texts) expect((await call("POST", "/v1/memories", { text, kind: "summary" })).status).toBe(201);
    const kept = await list("");
    expect(kept).toHaveLength(4);
    expect(kept.join(" ")).toContain("👩‍👩‍👧");
  });
});
