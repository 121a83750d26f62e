import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";

type Body = {
  id: string;
  text: string;
  kind: string;
  status: string;
  version: number;
  score?: number;
  data: Body[];
  has_more: boolean;
  next: string | null;
  deleted: number;
  memories: number;
  error: { message: string; param: string | null; code: string | null };
};

let gateway: TestGateway;
let user = "";
let users = 0;
beforeAll(async () => {
  gateway = await startGateway();
});
beforeEach(() => {
  users += 1;
  user = `user-${users}`;
});
afterAll(async () => {
  await gateway.close();
});

async function call(method: string, path: string, body?: unknown, who = user) {
  const response = await gateway.fetch(path, {
    method,
    headers: { "x-throughline-user": who },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const add = async (text: string, more: object = {}) => (await call("POST", "/v1/memories", { text, ...more })).body;
const texts = async (who = user) =>
  (await call("GET", "/v1/memories", undefined, who)).body.data.map(({ text }) => text).toSorted();

describe("adding", () => {
  it("keeps one or many, which are listed and found from then on", async () => {
    const one = await call("POST", "/v1/memories", {
      text: "I play the cello.",
      kind: "fact",
      metadata: { from: "form" },
    });
    expect(one).toMatchObject({
      status: 201,
      body: { object: "memory", kind: "fact", metadata: { from: "form" }, user },
    });
    const many = await call("POST", "/v1/memories", {
      memories: [{ text: "I like figs." }, { text: "I swim on Mondays." }],
    });
    expect(many.body.data).toHaveLength(2);
    expect(await texts()).toEqual(["I like figs.", "I play the cello.", "I swim on Mondays."]);
    const found = await call("POST", "/v1/memories/search", { query: "Which instrument do I play?", limit: 1 });
    expect(found.body.data[0]).toMatchObject({ text: "I play the cello.", score: expect.any(Number) });
  });

  it("is used in the very next request", async () => {
    await add("My locker number is 88.");
    const answer = await gateway.openai({ "x-throughline-user": user }).chat.completions.create({
      model: "anthropic/claude-haiku-5-5",
      messages: [{ role: "user", content: "What is my locker number?" }],
    });
    expect(answer.choices[0]?.message.content).toContain("88");
  });

  it.each([
    [{ text: "" }, "text"],
    [{ text: 5 }, "text"],
    [{ text: "x", kind: "fakt" }, "kind"],
    [{ text: "x", expires_at: "soon" }, "expires_at"],
    [{ memories: [{ text: "fine" }, { text: [] }] }, "memories[1].text"],
    [{ memories: [] }, "memories"],
  ])("refuses %j and names the field", async (body, param) => {
    const { status, body: answer } = await call("POST", "/v1/memories", body);
    expect(status).toBe(400);
    expect(answer.error.param).toBe(param);
    expect(await texts()).toEqual([]);
  });
});

describe("listing", () => {
  it("goes in pages, each memory once, and by kind", async () => {
    const all = Array.from({ length: 7 }, (_, index) => `I own book number ${index}.`);
    await call("POST", "/v1/memories", { memories: all.map((text) => ({ text, kind: "fact" })) });
    await add("I want short answers.", { kind: "preference" });
    const seen: string[] = [];
    let next: string | null = "";
    for (let page = 0; page < 10 && next !== null; page += 1) {
      const after: string = next === "" ? "" : `&after=${encodeURIComponent(next)}`;
      const { body } = await call("GET", `/v1/memories?limit=3${after}`);
      seen.push(...body.data.map(({ text }) => text));
      expect(body.has_more).toBe(body.next !== null);
      next = body.next;
    }
    expect(seen.toSorted()).toEqual([...all, "I want short answers."].toSorted());
    const preferences = await call("GET", "/v1/memories?kind=preference");
    expect(preferences.body.data.map(({ text }) => text)).toEqual(["I want short answers."]);
  });

  it.each([
    ["limit=0", "limit"],
    ["limit=many", "limit"],
    ["kind=fakt", "kind"],
    ["status=gone", "status"],
  ])("refuses ?%s", async (query, param) => {
    const { status, body } = await call("GET", `/v1/memories?${query}`);
    expect([status, body.error.param]).toEqual([400, param]);
  });

  it("refuses a cursor that is none", async () => {
    const { status, body } = await call("GET", "/v1/memories?after=nonsense");
    expect([status, body.error.param]).toEqual([400, "after"]);
  });
});

describe("editing", () => {
  it("supersedes the text and keeps its history", async () => {
    const { id } = await add("I live in Lisbon.");
    const edited = await call("PATCH", `/v1/memories/${id}`, { text: "I live in Porto." });
    expect(edited).toMatchObject({ status: 200, body: { text: "I live in Porto." } });
    expect(await texts()).toEqual(["I live in Porto."]);
    const { body } = await call("GET", `/v1/memories/${edited.body.id}/history`);
    expect(body.data.map(({ text, status }) => [text, status])).toEqual([
      ["I live in Lisbon.", "superseded"],
      ["I live in Porto.", "active"],
    ]);
  });

  it("refuses a change of nothing", async () => {
    const { id } = await add("I live in Lisbon.");
    expect((await call("PATCH", `/v1/memories/${id}`, {})).status).toBe(400);
  });
});

describe("forgetting", () => {
  it("deletes one, which is then nowhere", async () => {
    const { id } = await add("I am afraid of geese.");
    expect(await call("DELETE", `/v1/memories/${id}`)).toMatchObject({ status: 200, body: { deleted: true } });
    expect((await call("GET", `/v1/memories/${id}`)).status).toBe(404);
    expect((await call("DELETE", `/v1/memories/${id}`)).status).toBe(404);
    const { body } = await call("POST", "/v1/memories/search", { query: "geese" });
    expect(body.data).toEqual([]);
  });

  it("deletes many by their ids, and nothing without ids", async () => {
    const kept = await add("I like rain.");
    const gone = [await add("I like hail."), await add("I like snow.")];
    expect((await call("DELETE", "/v1/memories", {})).status).toBe(400);
    expect((await call("DELETE", "/v1/memories")).status).toBe(400);
    const { body } = await call("DELETE", "/v1/memories", { ids: gone.map(({ id }) => id) });
    expect(body.deleted).toBe(2);
    expect(await texts()).toEqual([kept.text]);
  });

  it("takes the words a fact was learned from with it", async () => {
    const client = gateway.openai({ "x-throughline-user": user });
    await client.chat.completions.create({
      model: "openai/gpt-6-luna",
      messages: [{ role: "user", content: "My blood type is AB negative." }],
    });
    await gateway.learned();
    const found = await call("POST", "/v1/memories/search", { query: "blood type", limit: 50 });
    const facts = found.body.data.filter(({ kind }) => kind === "fact");
    expect(facts.length).toBeGreaterThan(0);
    await call("DELETE", "/v1/memories", { ids: facts.map(({ id }) => id) });
    expect((await texts()).join("\n")).not.toContain("AB negative");
  });

  it("erases a user and no one else", async () => {
    await add("I like rain.");
    const other = `${user}-other`;
    await call("POST", "/v1/memories", { text: "I like wind." }, other);
    const erased = await call("DELETE", `/v1/users/${user}`);
    expect(erased.body).toMatchObject({ object: "user.erased", memories: 1 });
    expect(await texts()).toEqual([]);
    expect(await texts(other)).toEqual(["I like wind."]);
  });
});

describe("another user's memory", () => {
  it("cannot be read, changed or forgotten by its id", async () => {
    const { id } = await add("I keep a diary.");
    const thief = `${user}-thief`;
    const tries = [
      await call("GET", `/v1/memories/${id}`, undefined, thief),
      await call("GET", `/v1/memories/${id}/history`, undefined, thief),
      await call("PATCH", `/v1/memories/${id}`, { text: "stolen" }, thief),
      await call("DELETE", `/v1/memories/${id}`, undefined, thief),
    ];
    expect(tries.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
    expect((await call("DELETE", "/v1/memories", { ids: [id] }, thief)).body.deleted).toBe(0);
    expect(await texts()).toEqual(["I keep a diary."]);
  });
});
