import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { NewResponse } from "../gateway/responses/response-store.ts";
import { SqliteResponseStore } from "../gateway/responses/sqlite-response-store.ts";
import { openDatabase, type Database } from "../memory/sqlite/database.ts";
import { newDirectory, removeDirectory } from "./support/gateway.ts";

const owner = { tenant: "t", user: "u" };
const day = 24 * 60 * 60 * 1000;
const entry = (id: string, parts: Partial<NewResponse> = {}): NewResponse => ({
  id,
  response: { id, object: "response" },
  input: [{ item: { id: `in_${id}`, type: "message", role: "user", content: `said in ${id}` } }],
  output: [{ item: { id: `out_${id}`, type: "message", role: "assistant", content: [] } }],
  session: `session of ${id}`,
  after: undefined,
  conversation: undefined,
  ...parts,
});

let directory: string;
let database: Database;
let now: number;
const open = (limits: { maxResponses?: number; maxBytes?: number } = {}) =>
  new SqliteResponseStore(database, { clock: () => now, ...limits });

beforeEach(() => {
  directory = newDirectory();
  database = openDatabase(`${directory}/responses.sqlite`);
  now = 1_000 * day;
});
afterEach(() => {
  database.close();
  removeDirectory(directory);
});

/** The ids of the items of a chain, in order. */
async function chainOf(store: SqliteResponseStore, response: string): Promise<unknown[]> {
  return ((await store.thread(owner, { response }))?.items ?? []).map(({ item }) => item["id"]);
}

async function follow(store: SqliteResponseStore, id: string, previous: string): Promise<void> {
  const before = await store.thread(owner, { response: previous });
  await store.keep(owner, entry(id, { after: before?.place, session: "another" }));
}

async function onDisk(phrase: string): Promise<boolean> {
  const files = await Promise.all(["", "-wal"].map((end) => readFile(`${directory}/responses.sqlite${end}`, "latin1")));
  return files.join("").includes(phrase);
}

describe("kept responses", () => {
  it("form a chain, all in the session of the first", async () => {
    const store = open();
    await store.keep(owner, entry("a"));
    await follow(store, "b", "a");
    await follow(store, "c", "b");
    expect(await chainOf(store, "c")).toEqual(["in_a", "out_a", "in_b", "out_b", "in_c", "out_c"]);
    expect((await store.thread(owner, { response: "c" }))?.session).toBe("session of a");
  });

  it("carry what their vendor needs back", async () => {
    const store = open();
    const state = { protocol: "anthropic-messages", value: { signature: "s" } } as const;
    await store.keep(owner, entry("a", { output: [{ item: { id: "out_a", type: "reasoning", summary: [] }, state }] }));
    expect((await store.thread(owner, { response: "a" }))?.items[1]?.state).toEqual(state);
    expect((await store.findItem(owner, "out_a"))?.state).toEqual(state);
    expect(await store.findItem({ ...owner, user: "other" }, "out_a")).toBeUndefined();
  });

  it("are gone 30 days after their conversation was last used, before anyone has cleaned up", async () => {
    const store = open();
    await store.keep(owner, entry("a"));
    now += 29 * day;
    await follow(store, "b", "a");
    now += 29 * day;
    expect(await chainOf(store, "b")).toHaveLength(4);
    now += 2 * day;
    expect(await store.get(owner, "a")).toBeUndefined();
    expect(await store.thread(owner, { response: "b" })).toBeUndefined();
    expect(await store.findItem(owner, "out_a")).toBeUndefined();
    expect(await store.prune()).toBe(1);
    expect(database.prepare("SELECT count(*) FROM response_item").get()).toEqual([0]);
  });

  it("give way to newer conversations when there are too many, the longest unused first", async () => {
    const store = open({ maxResponses: 2 });
    for (const id of ["a", "b", "c"]) {
      now += 1;
      await store.keep(owner, entry(id));
    }
    now += 1;
    await follow(store, "a2", "a");
    await store.prune();
    expect(await store.get(owner, "b")).toBeUndefined();
    expect(await store.get(owner, "c")).toBeUndefined();
    expect(await chainOf(store, "a2")).toHaveLength(4);
  });

  it("give way when they are too large together", async () => {
    const store = open({ maxBytes: 10_000 });
    await store.keep(owner, entry("large", { input: [{ item: { content: "x".repeat(9_000) } }] }));
    now += 1;
    await store.keep(owner, entry("small", { input: [{ item: { content: "x".repeat(2_000) } }] }));
    await store.prune();
    expect(await store.get(owner, "large")).toBeUndefined();
    expect(await store.get(owner, "small")).toBeDefined();
  });

  it("are pruned by themselves while they are written", async () => {
    const store = open({ maxResponses: 10 });
    for (let index = 0; index < 128; index += 1) await store.keep(owner, entry(`r${index}`));
    const [count] = database.prepare("SELECT count(*) FROM response").get() as unknown as [number];
    expect(count).toBeLessThanOrEqual(10);
  });

  it("begin a conversation anew when it has expired, or was erased in the meantime", async () => {
    const store = open();
    await store.keep(owner, entry("a", { conversation: "diary" }));
    now += 31 * day;
    await store.keep(owner, entry("b", { conversation: "diary" }));
    const items = (await store.thread(owner, { conversation: "diary" }))?.items;
    expect(items?.map(({ item }) => item["id"])).toEqual(["in_b", "out_b"]);
    const before = await store.thread(owner, { response: "b" });
    expect(await store.erase(owner)).toBeGreaterThan(0);
    await store.keep(owner, entry("c", { after: before?.place }));
    expect(await chainOf(store, "c")).toEqual(["in_c", "out_c"]);
  });

  it("keep both of two answers that were given to one conversation at once", async () => {
    const store = open();
    await store.keep(owner, entry("a", { conversation: "diary" }));
    const place = (await store.thread(owner, { conversation: "diary" }))?.place;
    await Promise.all(["b", "c"].map((id) => store.keep(owner, entry(id, { conversation: "diary", after: place }))));
    const items = (await store.thread(owner, { conversation: "diary" }))?.items;
    expect(items?.map(({ item }) => item["id"])).toEqual(["in_a", "out_a", "in_b", "out_b", "in_c", "out_c"]);
  });

  it("with an id that a host gave twice are the newest, and are deleted together", async () => {
    const store = open();
    await store.keep(owner, entry("same"));
    await follow(store, "same", "same");
    expect(await chainOf(store, "same")).toHaveLength(4);
    expect(await store.delete(owner, "same")).toBe(true);
    expect(await store.get(owner, "same")).toBeUndefined();
    expect(await store.delete(owner, "same")).toBe(false);
  });

  it("keep lone surrogates and every other character as they came", async () => {
    const store = open();
    const text = "half \ud83d, whole 🌊, zero \u0000";
    await store.keep(owner, entry("a", { input: [{ item: { id: "in_a", content: text } }] }));
    expect((await store.inputItems(owner, "a"))?.[0]?.["content"]).toBe(text);
  });

  it("leave no byte on the disk when they are deleted", async () => {
    const store = open();
    await store.keep(owner, entry("a", { input: [{ item: { content: "a-very-telling-phrase" } }] }));
    expect(await onDisk("a-very-telling-phrase")).toBe(true);
    await store.delete(owner, "a");
    expect(await onDisk("a-very-telling-phrase")).toBe(false);
  });
});
