import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";

type Mem0 = {
  id: string;
  memory: string;
  event: string;
  score: number;
  metadata: object | null;
  [key: string]: unknown;
};
type Answer = { results: Mem0[]; detail: string; message: string };

let gateway: TestGateway;
let user = "";
let users = 0;
beforeAll(async () => {
  gateway = await startGateway({ yaml: "memory: { recallDeadlineMs: 5000, mem0Api: true }\n" });
});
beforeEach(() => {
  users += 1;
  user = `mem0 user ${users}`;
});
afterAll(async () => {
  await gateway.close();
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, of = gateway) {
  const response = await of.fetch(path, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: response.status, body: (await response.json()) as Answer & Mem0 };
}

const raw = async (text: string, more: object = {}) => {
  const { body } = await call("POST", "/memories", {
    messages: [{ role: "user", content: text }],
    user_id: user,
    infer: false,
    ...more,
  });
  return body.results[0]?.id ?? "none";
};
const query = (fields: Record<string, string>) => new URLSearchParams({ user_id: user, ...fields }).toString();
const listed = async (fields: Record<string, string> = {}) =>
  (await call("GET", `/memories?${query(fields)}`)).body.results.map(({ memory }) => memory).toSorted();

const say = (content: string) => call("POST", "/memories", { messages: [{ role: "user", content }], user_id: user });
const search = async (more: object) =>
  (await call("POST", "/search", { query: "Who is my dentist?", user_id: user, ...more })).body.results;
const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");

describe("adding as mem0 does", () => {
  it("learns from messages and answers with what came of it", async () => {
    const { status, body } = await call("POST", "/memories", {
      messages: [
        { role: "user", content: "Hi, my name is Paula and I live in Porto." },
        { role: "assistant", content: "Nice to meet you, Paula! I live in a computer." },
      ],
      user_id: user,
      metadata: { channel: "web" },
      expiration_date: "2099-01-31",
    });
    expect(status).toBe(200);
    expect(body.results.length).toBeGreaterThan(0);
    for (const result of body.results) expect(result).toMatchObject({ event: "ADD", id: expect.any(String) });
    expect(body.results.map(({ memory }) => memory).join(" ")).toContain("Porto");
    const all = (await call("GET", `/memories?${query({})}`)).body.results;
    expect(all.map(({ memory }) => memory).join(" ")).not.toContain("computer");
    expect(all[0]).toMatchObject({ user_id: user, metadata: { channel: "web" }, expiration_date: "2099-01-31" });
  });

  it("answers a change with UPDATE and what it replaced", async () => {
    await say("I live in Lisbon.");
    const { body } = await say("I moved to Porto last week. I live in Porto now.");
    const update = body.results.find(({ event }) => event === "UPDATE");
    expect(update?.memory).toContain("Porto");
    expect(update?.["previous_memory"]).toContain("Lisbon");
  });

  it("with infer false keeps each message as it is", async () => {
    const { body } = await call("POST", "/memories", {
      messages: [
        { role: "user", content: "Sam prefers the window seat." },
        { role: "assistant", content: "Noted: window seat." },
      ],
      user_id: user,
      infer: false,
    });
    expect(body.results.map(({ memory, event }) => [memory, event])).toEqual([
      ["Sam prefers the window seat.", "ADD"],
      ["Noted: window seat.", "ADD"],
    ]);
    expect(await listed()).toEqual(["Noted: window seat.", "Sam prefers the window seat."]);
  });

  it.each([
    [{ messages: [{ role: "user", content: "x" }] }, "user_id"],
    [{ messages: [], user_id: "u" }, "messages"],
    [{ messages: [{ role: "user", content: 5 }], user_id: "u" }, "messages[0].content"],
    [{ messages: [{ role: "robot", content: "x" }], user_id: "u" }, "messages[0].role"],
    [{ messages: [{ role: "user", content: " " }], user_id: "u", infer: false }, "messages[0].content"],
    [{ messages: [{ role: "user", content: "x" }], user_id: "u", expiration_date: "soon" }, "expiration_date"],
  ])("%j is refused in mem0's shape", async (body, field) => {
    const answer = await call("POST", "/memories", body);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body)).toEqual(["detail"]);
    expect(answer.body.detail).toContain(`'${field}'`);
  });
});

describe("one memory", () => {
  it("is read, changed and looked back at by the id it was given, after a change too", async () => {
    const id = await raw("I live in Lisbon.", { metadata: { tag: "home" } });
    const first = await call("GET", `/memories/${id}`);
    expect(first.body).toMatchObject({
      id,
      memory: "I live in Lisbon.",
      hash: createHash("md5").update("I live in Lisbon.").digest("hex"),
      metadata: { tag: "home" },
      user_id: user,
    });
    const changed = await call("PUT", `/memories/${id}`, { text: "I live in Porto." });
    expect(changed.body).toEqual({ message: "Memory updated successfully!" });
    expect((await call("GET", `/memories/${id}`)).body).toMatchObject({ id, memory: "I live in Porto." });
    const { body } = await call("GET", `/memories/${id}/history`);
    const history = body as unknown as { old_memory: string | null; new_memory: string; event: string }[];
    expect(history.map((entry) => [entry.event, entry.old_memory, entry.new_memory])).toEqual([
      ["ADD", null, "I live in Lisbon."],
      ["UPDATE", "I live in Lisbon.", "I live in Porto."],
    ]);
  });

  it("is deleted with its earlier versions and nothing else", async () => {
    const id = await raw("I live in Lisbon.");
    await raw("I like figs.");
    await call("PUT", `/memories/${id}`, { text: "I live in Porto." });
    expect((await call("DELETE", `/memories/${id}`)).body).toEqual({ message: "Memory deleted successfully!" });
    expect(await call("GET", `/memories/${id}`)).toEqual({ status: 404, body: { detail: "Memory not found" } });
    expect((await call("DELETE", `/memories/${id}`)).status).toBe(404);
    expect(await listed()).toEqual(["I like figs."]);
  });

  it("that nobody knows is not found", async () => {
    for (const id of ["none", "a.b", "%00.%00", `x.${Buffer.from("someone").toString("base64url")}`]) {
      expect([400, 404]).toContain((await call("GET", `/memories/${id}`)).status);
    }
  });
});

describe("agents and runs", () => {
  it("filter what is listed, searched and deleted; a user alone sees all of it", async () => {
    await raw("I like figs.");
    await raw("I like plums.", { agent_id: "cook" });
    await raw("I like pears.", { agent_id: "cook", run_id: "monday" });
    expect(await listed()).toEqual(["I like figs.", "I like pears.", "I like plums."]);
    expect(await listed({ agent_id: "cook" })).toEqual(["I like pears.", "I like plums."]);
    expect(await listed({ agent_id: "cook", run_id: "monday" })).toEqual(["I like pears."]);
    await call("DELETE", `/memories?${query({ run_id: "monday" })}`);
    expect(await listed()).toEqual(["I like figs.", "I like plums."]);
    const found = await call("POST", "/search", {
      query: "what do I like?",
      filters: { user_id: user, agent_id: "cook" },
    });
    expect(found.body.results.map(({ memory, agent_id: agent }) => [memory, agent])).toEqual([
      ["I like plums.", "cook"],
    ]);
  });

  it("may own memories without a user", async () => {
    const agent = `agent-of-${users}`;
    await call("POST", "/memories", {
      messages: [{ role: "user", content: "Deploys are on Friday." }],
      agent_id: agent,
      infer: false,
    });
    const { body } = await call("GET", `/memories?agent_id=${agent}`);
    expect(body.results.map(({ memory }) => memory)).toEqual(["Deploys are on Friday."]);
    expect(await listed()).toEqual([]);
  });
});

describe("deleting all", () => {
  it("without an identifier deletes nothing and says so", async () => {
    await raw("I like figs.");
    for (const path of ["/memories", "/memories?user_id=", "/memories?user=x", "/memories?user_id=None"]) {
      const { status, body } = await call("DELETE", path);
      expect([status, body.detail.includes("user_id")]).toEqual([400, true]);
    }
    expect(await listed()).toEqual(["I like figs."]);
  });

  it("of one user leaves every other", async () => {
    await raw("I like figs.");
    await raw("I like wind.", { user_id: `${user} too` });
    await call("DELETE", `/memories?${query({})}`);
    expect(await listed()).toEqual([]);
    expect(await listed({ user_id: `${user} too` })).toEqual(["I like wind."]);
  });

  it("by reset is refused", async () => {
    await raw("I like figs.");
    const { status, body } = await call("POST", "/reset");
    expect([status, body.detail.includes("DELETE /memories?user_id=")]).toEqual([403, true]);
    expect(await listed()).toEqual(["I like figs."]);
  });
});

describe("searching as mem0 does", () => {
  beforeEach(async () => {
    await raw("My dentist is Dr. Silva.", { metadata: { topic: "health", n: 3 } });
    await raw("My barber is called Nuno.", { metadata: { topic: "hair", n: 5 } });
  });
  it("finds the best first, with a score from 0 to 1", async () => {
    const [best] = await search({ top_k: 1 });
    expect(best).toMatchObject({ memory: "My dentist is Dr. Silva.", metadata: { topic: "health", n: 3 } });
    expect(best?.score).toBeGreaterThan(0);
    expect(best?.score).toBeLessThanOrEqual(1);
    expect(await search({ threshold: 1 })).toEqual([]);
    expect((await search({ explain: true }))[0]).toHaveProperty("score_details.bm25_rank", 1);
  });

  it.each([
    [{ topic: "hair" }, ["Nuno"]],
    [{ topic: { in: ["hair", "x"] } }, ["Nuno"]],
    [{ topic: { ne: "hair" } }, ["Silva"]],
    [{ n: { gte: 4 } }, ["Nuno"]],
    [{ n: { lt: 4 } }, ["Silva"]],
    [{ topic: { icontains: "HEAL" } }, ["Silva"]],
    [{ OR: [{ topic: "hair" }, { n: 3 }] }, ["Nuno", "Silva"]],
    [{ NOT: [{ topic: "hair" }] }, ["Silva"]],
    [{ AND: [{ topic: "*" }, { created_at: { gte: "2020-01-01" } }] }, ["Nuno", "Silva"]],
    [{ topic: { nin: ["hair", "health"] } }, []],
  ])("takes the filter %j", async (filters, names) => {
    const found = (await search({ filters })).map(({ memory }) => (memory.includes("Silva") ? "Silva" : "Nuno"));
    expect(found.toSorted()).toEqual(names);
  });

  it("refuses operators that it does not know, and filters without end", async () => {
    const unknown = await call("POST", "/search", { query: "x", user_id: user, filters: { n: { near: 4 } } });
    expect([unknown.status, unknown.body.detail.includes("near")]).toEqual([400, true]);
    let deep: object = { topic: "x" };
    for (let level = 0; level < 20; level += 1) deep = { AND: [deep] };
    expect((await call("POST", "/search", { query: "x", user_id: user, filters: deep })).status).toBe(400);
  });
});

describe("keys", () => {
  it("are sent as X-API-Key or as a bearer, and fix the user where they are bound", async () => {
    const yaml = `memory: { mem0Api: true }\nkeys:\n  - { name: app, key: "sha256:${sha256("app-key")}", tenant: acme }\n  - { name: ann, key: "sha256:${sha256("ann-key")}", tenant: acme, user: ann }\n`;
    const locked = await startGateway({ yaml });
    const as = (method: string, path: string, headers: Record<string, string>, body?: unknown) =>
      call(method, path, body, headers, locked);
    const message = { messages: [{ role: "user", content: "I like figs." }], infer: false };
    expect((await as("GET", "/memories?user_id=ann", {})).status).toBe(401);
    const added = await as("POST", "/memories", { "x-api-key": "app-key" }, { ...message, user_id: "bob" });
    expect(added.status).toBe(200);
    const id = added.body.results[0]?.id ?? "";
    expect((await as("GET", `/memories/${id}`, { authorization: "Bearer app-key" })).status).toBe(200);
    expect((await as("GET", `/memories/${id}`, { "x-api-key": "ann-key" })).status).toBe(404);
    expect((await as("GET", "/memories?user_id=bob", { "x-api-key": "ann-key" })).status).toBe(403);
    expect((await as("DELETE", "/memories?user_id=bob", { "x-api-key": "ann-key" })).status).toBe(403);
    await locked.close();
  });

  it("of this API answer only where the option is on", async () => {
    const plain = await startGateway();
    expect((await call("GET", "/memories?user_id=x", undefined, {}, plain)).status).toBe(404);
    await plain.close();
  });
});
