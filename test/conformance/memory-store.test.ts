import { assert as assertProperty, asyncProperty, string, uuid } from "fast-check";
import { QdrantClient } from "@qdrant/js-client-rest";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IndexedMemory, MemoryFilter, MemoryStore } from "../../memory/memory-store.ts";
import { MemoryStoreError } from "../../memory/memory-store-error.ts";
import type { Memory, Owner } from "../../memory/memory.ts";
import { createQdrantStore } from "../../memory/qdrant-store.ts";
import { createSqliteStore } from "../../memory/sqlite-store.ts";
import { openDatabase } from "../../memory/sqlite/database.ts";
import { findQdrantServer } from "../support/qdrant-server.ts";

const qdrant = await findQdrantServer();
afterAll(async () => {
  if (qdrant.url !== undefined) await qdrant.close();
});

/** Every store the project has. Each entry gives an empty store for vectors of 8 dimensions, and its end. */
const stores: Readonly<Record<string, () => Promise<{ store: MemoryStore; end: () => Promise<void> }>>> = {
  sqlite: async () => {
    const directory = mkdtempSync(join(tmpdir(), "throughline-"));
    const database = openDatabase(join(directory, "throughline.sqlite"));
    const store = createSqliteStore(database, { dimensions: 8, embedderId: "test" });
    const end = async () => {
      await store.close();
      database.close();
      rmSync(directory, { recursive: true });
    };
    return { store, end };
  },
  ...(qdrant.url === undefined ? {} : { qdrant: () => createQdrant(qdrant.url) }),
};

/** A collection of its own for every test, dropped at its end. */
async function createQdrant(url: string) {
  const collection = `test_${randomUUID()}`;
  const options = { url, collection, dimensions: 8, embedderId: "test", timeoutMs: 30_000, clock: Date.now };
  const store = await createQdrantStore(options);
  const end = async () => {
    await store.close();
    await new QdrantClient({ url, checkCompatibility: false }).deleteCollection(collection);
  };
  return { store, end };
}

const anna: Owner = { tenant: "acme", user: "anna" };
const ben: Owner = { tenant: "acme", user: "ben" };
const otherAnna: Owner = { tenant: "globex", user: "anna" };

function memory(id: string, text: string, parts: Partial<Memory> = {}, owner: Owner = anna): Memory {
  return {
    id,
    scope: { ...owner },
    kind: "fact",
    text,
    status: "active",
    confidence: 0.9,
    provenance: { origin: "user" },
    recordedAt: "2026-03-01T10:00:00.000Z",
    confirmations: 1,
    version: 1,
    ...parts,
  };
}

function axis(...values: readonly number[]): Float32Array {
  const vector = new Float32Array(8);
  vector.set(values);
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

const item = (stored: Memory, vector?: Float32Array): IndexedMemory =>
  vector === undefined ? { memory: stored } : { memory: stored, vector };
const ids = (memories: readonly Memory[]) => memories.map((found) => found.id);
const hitIds = (hits: readonly { memory: Memory }[]) => hits.map((hit) => hit.memory.id);

const day = (index: number) => new Date(Date.UTC(2026, 0, 1 + (index % 7))).toISOString();

const episode = (session: string, position: number, parts: Partial<Memory> = {}) =>
  memory(`${session}-${position}`, `turn ${position}`, {
    kind: "episode",
    position,
    provenance: { origin: "user", session },
    ...parts,
  });

const turn = (id: string, position: number, text: string, indexText: string): IndexedMemory => ({
  memory: memory(id, text, { kind: "episode", position, provenance: { origin: "user", session: "s1" } }),
  indexText,
});

const missing = qdrant.url === undefined ? ` (skipped: ${qdrant.reason})` : "";
describe.skipIf(missing !== "")(`memory store qdrant${missing}`, () => {
  it("stands in the suite beside the embedded one", () => {
    expect(Object.keys(stores)).toContain("qdrant");
  });
});

/** A server on a busy machine takes a second for a collection with its indexes. */
const timeout = 30_000;

describe.each(Object.entries(stores))("memory store %s", { timeout }, (_name, create) => {
  let store: MemoryStore;
  let end: () => Promise<void>;

  beforeEach(async () => {
    ({ store, end } = await create());
  }, timeout);
  afterEach(async () => {
    await end();
  }, timeout);

  const add = (...memories: readonly Memory[]) =>
    store.add(
      anna,
      memories.map((stored) => item(stored)),
    );
  const words = async (text: string, filter: MemoryFilter = {}, owner = anna, limit = 10) =>
    hitIds((await store.search(owner, { text, filter, limit })).sparse);

  describe("keeping", () => {
    it("gives a memory back exactly as it was added", async () => {
      const full = memory("m1", "Anna lives in Köln.", {
        scope: { ...anna, team: "design", agent: "helper", session: "s1" },
        provenance: { origin: "user", session: "s1", turn: 3, quote: "I live in Köln", extractedBy: "rules" },
        validFrom: "2025-01-01T00:00:00Z",
        validTo: "2027-01-01T00:00:00Z",
        expiresAt: "2030-01-01T00:00:00Z",
        sensitivity: "location",
        core: true,
        metadata: { tags: ["a", { deep: null }], n: 1.5, "": "" },
      });
      await add(full);
      expect(await store.get(anna, ["m1"])).toEqual([full]);
    });

    it("keeps any text, also NUL, lone surrogates and a megabyte", async () => {
      const texts = ["a\0b", "lone \ud800 and \udfff", "👩‍👩‍👧 é é 猫", "", "word ".repeat(200_000)];
      await add(...texts.map((text, index) => memory(`m${index}`, text)));
      const found = await store.get(
        anna,
        texts.map((_text, index) => `m${index}`),
      );
      expect(found.map((stored) => stored.text)).toEqual(texts);
    });

    it("adds a memory once, whatever comes with the same id later", async () => {
      await add(memory("m1", "The first."));
      await add(memory("m1", "The second."), memory("m2", "Another."));
      expect(await store.count(anna)).toBe(2);
      expect((await store.get(anna, ["m1"]))[0]?.text).toBe("The first.");
      expect(await words("second")).toEqual([]);
    });

    it("adds a memory once when the same batch names it twice", async () => {
      await add(memory("m1", "The first."), memory("m1", "The second."));
      expect(ids((await store.list(anna, {}, { limit: 10 })).memories)).toEqual(["m1"]);
    });

    it("keeps all of many adds that run at the same time", async () => {
      await Promise.all(Array.from({ length: 200 }, (_, index) => add(memory(`m${index}`, `Note number ${index}`))));
      expect(await store.count(anna)).toBe(200);
    });

    it("refuses the whole batch when one memory cannot be kept, and nothing of it is there", async () => {
      const bad = [
        memory("bad", "No time.", { recordedAt: "yesterday" }),
        memory("bad", "Somebody else's.", {}, ben),
        memory("", "No id."),
      ];
      for (const wrong of bad) {
        await expect(add(memory("good", "Fine."), wrong)).rejects.toThrow(MemoryStoreError);
      }
      await expect(
        store.add(anna, [item(memory("good", "Fine.")), item(memory("bad", "Two dimensions"), new Float32Array(2))]),
      ).rejects.toThrow("dimensions");
      expect(await store.count(anna)).toBe(0);
    });

    it("answers an empty batch, unknown ids and an unknown owner with nothing", async () => {
      await store.add(anna, []);
      expect(await store.get(anna, ["nothing"])).toEqual([]);
      expect(await store.list(anna, {}, { limit: 5 })).toEqual({ memories: [] });
      expect(await store.search(anna, { text: "x", vector: axis(1), filter: {}, limit: 5 })).toEqual({
        dense: [],
        sparse: [],
      });
      expect(await store.forget(anna, ["nothing"])).toBe(0);
      expect(await store.erase(anna)).toBe(0);
      expect(await store.change(anna, "nothing", 1, { status: "archived" })).toBeUndefined();
    });

    it("refuses an owner without a name rather than sharing a nameless one", async () => {
      await expect(store.count({ tenant: "acme", user: "" })).rejects.toThrow(MemoryStoreError);
      await expect(store.add({ tenant: "", user: "anna" }, [])).rejects.toThrow(MemoryStoreError);
      await expect(store.count({ tenant: "acme", user: "\ud800" })).rejects.toThrow(MemoryStoreError);
    });
  });

  describe("isolation", () => {
    it("shows an owner nothing of another, on any method", async () => {
      const secret = memory("m1", "The canary sings at midnight.", {
        kind: "episode",
        position: 1,
        provenance: { origin: "user", session: "s1" },
        core: true,
      });
      await store.add(anna, [item(secret, axis(1))]);
      for (const reader of [ben, otherAnna, { tenant: "anna", user: "acme" }]) {
        expect(await store.get(reader, ["m1"])).toEqual([]);
        expect((await store.list(reader, {}, { limit: 10 })).memories).toEqual([]);
        expect(await store.search(reader, { text: "canary", vector: axis(1), filter: {}, limit: 10 })).toEqual({
          dense: [],
          sparse: [],
        });
        expect(await store.neighbours(reader, { session: "s1", position: 0 }, 5, 5)).toEqual([]);
        expect(await store.change(reader, "m1", 1, { status: "archived" })).toBeUndefined();
        expect(await store.forget(reader, ["m1"])).toBe(0);
        expect(await store.erase(reader)).toBe(0);
        expect(await store.count(reader)).toBe(0);
      }
      expect(await store.get(anna, ["m1"])).toEqual([secret]);
    });

    it("lets two owners use the same id, and changes and forgets only the one named", async () => {
      await add(memory("m1", "Anna's."));
      await store.add(ben, [item(memory("m1", "Ben's.", {}, ben))]);
      await store.change(ben, "m1", 1, { confidence: 0.1 });
      expect((await store.get(anna, ["m1"]))[0]).toMatchObject({ text: "Anna's.", confidence: 0.9 });
      await store.forget(ben, ["m1"]);
      expect(ids(await store.get(anna, ["m1"]))).toEqual(["m1"]);
    });

    it("does not continue another owner's list from its cursor", async () => {
      await add(memory("m1", "One."), memory("m2", "Two."), memory("m3", "Three."));
      const { next } = await store.list(anna, {}, { limit: 1 });
      expect(next).toBeDefined();
      expect((await store.list(ben, {}, { limit: 10, cursor: next ?? "" })).memories).toEqual([]);
    });

    it("does not let one owner's words weigh in another's search", async () => {
      const text = "The blue kettle whistles.";
      await add(memory("m1", text), memory("m2", "A red door."));
      const alone = await store.search(anna, { text: "kettle", filter: {}, limit: 5 });
      await store.add(
        ben,
        Array.from({ length: 50 }, (_, index) => item(memory(`b${index}`, text, {}, ben))),
      );
      const beside = await store.search(anna, { text: "kettle", filter: {}, limit: 5 });
      expect(beside.sparse).toEqual(alone.sparse);
    });
  });

  describe("searching by words", () => {
    it("puts the memory that answers the question first", async () => {
      await add(
        memory("cat", "My cat Mila is allergic to chicken."),
        memory("job", "I work as a nurse at the children's hospital."),
        memory("trip", "We are planning a trip to Lisbon in October."),
        memory("car", "The car needs new brakes before winter."),
        memory("tea", "I prefer green tea to coffee in the morning."),
      );
      expect((await words("what is my cat allergic to?"))[0]).toBe("cat");
      expect((await words("Which hospital do I work at?"))[0]).toBe("job");
      expect((await words("When is the trip to Lisbon planned?"))[0]).toBe("trip");
      expect((await words("brake for the cars"))[0]).toBe("car");
      expect((await words("MORNING COFFEE!"))[0]).toBe("tea");
    });

    it("prefers a rare word to a frequent one, and gives higher scores to better hits", async () => {
      await add(
        ...Array.from({ length: 20 }, (_, index) => memory(`m${index}`, `A note about work, number ${index}.`)),
        memory("rare", "A note about the lighthouse."),
      );
      const { sparse } = await store.search(anna, { text: "work lighthouse", filter: {}, limit: 5 });
      expect(sparse[0]?.memory.id).toBe("rare");
      const scores = sparse.map((hit) => hit.score);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      expect(scores[0]).toBeGreaterThan(scores[1] ?? 0);
    });

    it("goes by what a question is about, not by the words it is asked with", async () => {
      await add(
        memory("kettle", "The kettle stands in the blue cupboard."),
        memory("echo", "What did I do with it? I did what I could do with it."),
        memory("other", "Nothing else."),
      );
      expect((await words("What did I do with the kettle?"))[0]).toBe("kettle");
    });

    it("finds endings, accents and width alike", async () => {
      await add(memory("m1", "Planning two trips to the cafés of Ｔｏｋｙｏ."), memory("m2", "Nothing of the kind."));
      for (const query of ["trip", "planned", "CAFE", "Tokyo", "tokyo’s"]) expect(await words(query)).toEqual(["m1"]);
    });

    it("finds Chinese, Japanese, Korean and Thai, by one character and by several", async () => {
      await add(
        memory("zh", "我住在北京，喜欢吃饺子。"),
        memory("ja", "私の猫の名前はタマです。"),
        memory("ko", "저는 서울에서 고양이를 키워요."),
        memory("th", "ฉันชอบกินข้าวผัด"),
      );
      expect((await words("北京的饺子"))[0]).toBe("zh");
      expect((await words("猫は元気？"))[0]).toBe("ja");
      expect((await words("タマ"))[0]).toBe("ja");
      expect((await words("고양이 이름"))[0]).toBe("ko");
      expect((await words("ข้าวผัด"))[0]).toBe("th");
    });

    it("does not take a text in one of these scripts for every other", async () => {
      await add(memory("zh1", "我住在北京。"), memory("zh2", "他喜欢音乐。"), memory("zh3", "天气很冷。"));
      expect(await words("音乐")).toEqual(["zh2"]);
    });

    it("finds a German compound by its parts and parts by the compound", async () => {
      await add(
        memory("m1", "Wir haben eine neue Geschirrspülmaschine gekauft."),
        memory("m2", "Die Versicherung zahlt den Schaden nicht."),
        memory("m3", "Am Sonntag gehen wir wandern."),
      );
      expect((await words("welche Spülmaschine?"))[0]).toBe("m1");
      expect((await words("Haftpflichtversicherung"))[0]).toBe("m2");
      expect((await words("GESCHIRRSPÜLMASCHINE"))[0]).toBe("m1");
    });

    it("finds an emoji", async () => {
      await add(memory("m1", "Feeling 🦊 today"), memory("m2", "Feeling fine today"), memory("m3", "❤️"));
      expect(await words("🦊")).toEqual(["m1"]);
      expect(await words("❤")).toEqual(["m3"]);
    });

    it("takes any query without harm: operators, quotes, NUL, stop words, a megabyte", async () => {
      await add(memory("m1", "The quick brown fox."));
      for (const query of ['"', "NEAR(", "fox* AND NOT", "text:fox", "-", "(", "\0", "\ud800", "!!! ???", "", " \n "]) {
        await expect(words(query)).resolves.toBeDefined();
      }
      expect(await words('"fox" OR -brown)')).toEqual(["m1"]);
      expect(await words(`${"lorem ipsum dolor ".repeat(60_000)} what about the fox`)).toBeDefined();
      await expect(words("the of and")).resolves.toEqual(["m1"]);
    });

    it("never fails on any text, and finds a memory by its own words", async () => {
      await assertProperty(
        asyncProperty(string({ unit: "binary", maxLength: 60 }), uuid(), async (text, id) => {
          await add(memory(id, `${text} zebra${id.slice(0, 8)}`));
          expect(await words(`zebra${id.slice(0, 8)} ${text}`)).toContain(id);
        }),
        { numRuns: 50 },
      );
    });

    it("searches the index text where one is given, and shows the memory's own", async () => {
      const stored = memory("m1", "Yes, that one.");
      await store.add(anna, [{ memory: stored, indexText: "Do you mean the red bicycle? Yes, that one." }]);
      expect((await store.search(anna, { text: "bicycle", filter: {}, limit: 5 })).sparse[0]?.memory).toEqual(stored);
    });
  });

  describe("searching by vector", () => {
    it("orders by cosine and says it", async () => {
      await store.add(anna, [
        item(memory("far", "far"), axis(0, 1)),
        item(memory("near", "near"), axis(4, 3)),
        item(memory("same", "same"), axis(1)),
        item(memory("against", "against"), axis(-1)),
      ]);
      const { dense } = await store.search(anna, { vector: axis(1), filter: {}, limit: 3 });
      expect(hitIds(dense)).toEqual(["same", "near", "far"]);
      expect(dense[0]?.score).toBeCloseTo(1, 2);
      expect(dense[1]?.score).toBeCloseTo(0.8, 2);
      expect(dense[2]?.score).toBeCloseTo(0, 2);
    });

    it("leaves out what has no vector, and finds nothing by the zero vector", async () => {
      await store.add(anna, [
        item(memory("m1", "words only")),
        item(memory("m2", "zero"), new Float32Array(8)),
        item(memory("m3", "some"), axis(1)),
      ]);
      expect(hitIds((await store.search(anna, { vector: axis(1), filter: {}, limit: 5 })).dense)).toEqual(["m3"]);
      expect((await store.search(anna, { vector: new Float32Array(8), filter: {}, limit: 5 })).dense).toEqual([]);
    });

    it("leaves an arm without input empty", async () => {
      await store.add(anna, [item(memory("m1", "tea"), axis(1))]);
      const byWords = await store.search(anna, { text: "tea", filter: {}, limit: 5 });
      expect([byWords.dense.length, byWords.sparse.length]).toEqual([0, 1]);
      const byVector = await store.search(anna, { vector: axis(1), filter: {}, limit: 5 });
      expect([byVector.dense.length, byVector.sparse.length]).toEqual([1, 0]);
    });

    it("refuses a vector of other dimensions, or one with a hole", async () => {
      const bad = [new Float32Array(3), axis(1).fill(Number.NaN)];
      for (const vector of bad) {
        await expect(store.search(anna, { vector, filter: {}, limit: 5 })).rejects.toThrow(MemoryStoreError);
      }
    });
  });

  describe("searching as every store does", () => {
    const places = ["Lisbon", "Köln", "北京", "Reykjavík", "New York"];
    const things = ["a bicycle", "green tea", "Versicherungsschein", "猫", "the lighthouse keeper's daughter", "🦊"];
    const crowd = Array.from({ length: 60 }, (_, index) => {
      const said = `${things[index % 6]} and ${things[(index * 5 + 1) % 6]}`;
      const more = "and then we talked about it again ".repeat(index % 4);
      const text = `In ${places[index % 5]} I saw ${said}, number ${index} of ${index % 7}. ${more}`;
      return item(memory(`m${index}`, text), axis(Math.sin(index), Math.cos(index * 3), Math.sin(index * 7), 0.3));
    });
    const asked = [
      "the bicycle in Lisbon",
      "北京的猫",
      "Versicherung number 17",
      "talked about the lighthouse",
      "🦊 tea",
    ];

    it("finds the same in the same order, with the same scores", async () => {
      const reference = await stores["sqlite"]?.();
      if (reference === undefined) throw new Error("There is no embedded store to compare with.");
      await store.add(anna, crowd);
      await reference.store.add(anna, crowd);
      for (const [index, text] of asked.entries()) {
        const query = { text, vector: axis(Math.cos(index), 1, Math.sin(index)), filter: {}, limit: 100 };
        const [found, expected] = [await store.search(anna, query), await reference.store.search(anna, query)];
        for (const arm of ["dense", "sparse"] as const) {
          expect(expected[arm].length).toBeGreaterThan(3);
          expect(hitIds(found[arm]).toSorted()).toEqual(hitIds(expected[arm]).toSorted());
          const scores = new Map(expected[arm].map((hit) => [hit.memory.id, hit.score] as const));
          for (const [place, hit] of found[arm].entries()) {
            // Place by place, for memories with equal scores may change places.
            expect(hit.score).toBeCloseTo(scores.get(hit.memory.id) ?? Number.NaN, 3);
            expect(hit.score).toBeCloseTo(expected[arm][place]?.score ?? Number.NaN, 3);
          }
        }
      }
      await reference.end();
    });
  });

  describe("filtering", () => {
    const rare: readonly (readonly [string, MemoryFilter, Partial<Memory>])[] = [
      ["kind", { kinds: ["preference", "procedure"] }, { kind: "preference" }],
      ["status", { statuses: ["review"] }, { status: "review" }],
      ["session", { session: "s9" }, { provenance: { origin: "user", session: "s9" } }],
      ["session scope", { session: "s9" }, { scope: { ...anna, session: "s9" } }],
      ["agent", { agent: "coder" }, { scope: { ...anna, agent: "coder" } }],
      ["core", { core: true }, { core: true }],
      ["recordedAfter", { recordedAfter: "2026-04-01T00:00:00Z" }, { recordedAt: "2026-05-01T00:00:00Z" }],
      ["recordedBefore", { recordedBefore: "2026-02-01T00:00:00Z" }, { recordedAt: "2026-01-01T00:00:00Z" }],
      ["asOf", { asOf: "2026-02-01T00:00:00Z" }, { recordedAt: "2026-01-01T00:00:00Z" }],
    ];

    it.each(rare)("finds the one among many that %s asks for, on every method", async (_what, filter, parts) => {
      const crowd = Array.from({ length: 60 }, (_, index) => item(memory(`m${index}`, "green tea"), axis(1)));
      const one = memory("one", "green tea, but long and with many other words around it", parts);
      await store.add(anna, [...crowd.slice(0, 30), item(one, axis(1, 3)), ...crowd.slice(30)]);
      const { dense, sparse } = await store.search(anna, { text: "green tea", vector: axis(1), filter, limit: 3 });
      expect([hitIds(dense), hitIds(sparse)]).toEqual([["one"], ["one"]]);
      expect(ids((await store.list(anna, filter, { limit: 5 })).memories)).toEqual(["one"]);
      expect(await store.count(anna, filter)).toBe(1);
    });

    it("lets nothing through an empty list of kinds", async () => {
      await add(memory("m1", "tea"));
      expect(await words("tea", { kinds: [] })).toEqual([]);
      expect(await store.count(anna, { statuses: [] })).toBe(0);
    });

    it("leaves out what had expired, at that time exactly", async () => {
      await add(memory("m1", "tea", { expiresAt: "2026-06-01T00:00:00.000Z" }), memory("m2", "tea"));
      expect((await words("tea", { notExpiredAt: "2026-05-31T23:59:59.999Z" })).toSorted()).toEqual(["m1", "m2"]);
      expect(await words("tea", { notExpiredAt: "2026-06-01T00:00:00Z" })).toEqual(["m2"]);
      expect(await store.count(anna, { notExpiredAt: "2026-06-01T02:00:00+02:00" })).toBe(1);
    });

    it("shows what was known at a time: the old value before it was superseded, the new one after", async () => {
      await add(memory("old", "lives in Rome", { recordedAt: "2026-01-01T00:00:00Z" }));
      await store.change(anna, "old", 1, {
        status: "superseded",
        supersededAt: "2026-03-01T00:00:00Z",
        supersededBy: "new",
      });
      await add(memory("new", "lives in Oslo", { recordedAt: "2026-03-01T00:00:00Z" }));
      expect(await words("lives", { asOf: "2026-02-01T00:00:00Z" })).toEqual(["old"]);
      expect(await words("lives", { asOf: "2026-03-01T00:00:00Z" })).toEqual(["new"]);
      expect(await words("lives", { asOf: "2025-12-31T00:00:00Z" })).toEqual([]);
    });

    it("refuses a filter whose time is no time", async () => {
      await expect(store.list(anna, { asOf: "soon" }, { limit: 1 })).rejects.toThrow(MemoryStoreError);
      await expect(words("tea", { recordedAfter: "" })).rejects.toThrow(MemoryStoreError);
    });
  });

  describe("listing", () => {
    it("pages through everything once, newest recorded first, also while memories are added", async () => {
      await add(...Array.from({ length: 25 }, (_, index) => memory(`m${index}`, "x", { recordedAt: day(index) })));
      const seen: Memory[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.list(anna, {}, cursor === undefined ? { limit: 4 } : { limit: 4, cursor });
        seen.push(...page.memories);
        cursor = page.next;
        if (seen.length === 8) await add(memory("late", "x", { recordedAt: "2026-09-01T00:00:00Z" }));
      } while (cursor !== undefined);
      expect(new Set(ids(seen)).size).toBe(25);
      expect(seen).toHaveLength(25);
      const times = seen.map((found) => found.recordedAt);
      expect(times).toEqual(times.toSorted().toReversed());
    });

    it("ends without a cursor when a page is exactly full", async () => {
      await add(memory("m1", "x"), memory("m2", "y"));
      const page = await store.list(anna, {}, { limit: 2 });
      expect([page.memories.length, page.next]).toEqual([2, undefined]);
    });

    it("refuses a cursor that it did not give", async () => {
      await expect(store.list(anna, {}, { limit: 2, cursor: "1 OR 1=1" })).rejects.toThrow(MemoryStoreError);
    });
  });

  describe("neighbours", () => {
    it("gives the episodes around one, in order, without itself", async () => {
      await add(...[3, 0, 4, 1, 5, 2].map((position) => episode("s1", position)), episode("s2", 2));
      const around = await store.neighbours(anna, { session: "s1", position: 3 }, 1, 2);
      expect(ids(around)).toEqual(["s1-2", "s1-4", "s1-5"]);
    });

    it("stops at the ends of the session and skips what is no longer there", async () => {
      await add(episode("s1", 0), episode("s1", 1), episode("s1", 2));
      await store.forget(anna, ["s1-1"]);
      expect(ids(await store.neighbours(anna, { session: "s1", position: 0 }, 3, 3))).toEqual(["s1-2"]);
      expect(await store.neighbours(anna, { session: "none", position: 0 }, 3, 3)).toEqual([]);
      expect(await store.neighbours(anna, { session: "s1", position: 0 }, 0, 0)).toEqual([]);
    });
  });

  describe("changing", () => {
    it("applies a patch to the version it names, and grows the version", async () => {
      await add(memory("m1", "tea"));
      const changed = await store.change(anna, "m1", 1, { status: "archived", confidence: 0.2, metadata: { a: 1 } });
      expect(changed).toMatchObject({
        version: 2,
        status: "archived",
        confidence: 0.2,
        metadata: { a: 1 },
        text: "tea",
      });
      expect(await store.get(anna, ["m1"])).toEqual([changed]);
    });

    it("refuses a version that is not the stored one", async () => {
      await add(memory("m1", "tea"));
      await store.change(anna, "m1", 1, { confidence: 0.5 });
      expect(await store.change(anna, "m1", 1, { confidence: 0.1 })).toBeUndefined();
      expect((await store.get(anna, ["m1"]))[0]).toMatchObject({ version: 2, confidence: 0.5 });
    });

    it("lets exactly one of many simultaneous changes through", async () => {
      await add(memory("m1", "tea"));
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, index) => store.change(anna, "m1", 1, { confirmations: index + 2 })),
      );
      expect(all.filter((changed) => changed !== undefined)).toHaveLength(1);
    });

    it("is seen by the next search, in its filters and in its hits", async () => {
      await store.add(anna, [item(memory("m1", "tea"), axis(1)), item(memory("m2", "tea"), axis(1))]);
      const active: MemoryFilter = { statuses: ["active"] };
      expect(await words("tea", active)).toHaveLength(2);
      await store.change(anna, "m1", 1, { status: "superseded", supersededAt: "2026-05-01T00:00:00Z" });
      await store.change(anna, "m2", 1, { confirmations: 7 });
      const { dense, sparse } = await store.search(anna, { text: "tea", vector: axis(1), filter: active, limit: 5 });
      expect([hitIds(dense), hitIds(sparse)]).toEqual([["m2"], ["m2"]]);
      expect(sparse[0]?.memory).toMatchObject({ confirmations: 7, version: 2 });
    });
  });

  describe("forgetting", () => {
    it("takes a memory out of every method", async () => {
      const parts: Partial<Memory> = { kind: "episode", position: 1, provenance: { origin: "user", session: "s1" } };
      await store.add(anna, [
        item(memory("m1", "a secret recipe", parts), axis(1)),
        item(memory("m2", "other"), axis(0, 1)),
      ]);
      expect(await words("recipe")).toEqual(["m1"]);
      expect(await store.forget(anna, ["m1", "m1", "none"])).toBe(1);
      expect(await store.get(anna, ["m1"])).toEqual([]);
      expect(ids((await store.list(anna, {}, { limit: 5 })).memories)).toEqual(["m2"]);
      expect(await words("recipe")).toEqual([]);
      expect(hitIds((await store.search(anna, { vector: axis(1), filter: {}, limit: 5 })).dense)).toEqual(["m2"]);
      expect(await store.neighbours(anna, { session: "s1", position: 0 }, 5, 5)).toEqual([]);
      expect(await store.count(anna)).toBe(1);
    });

    it("leaves the forgotten words in no neighbour's index", async () => {
      await store.add(anna, [
        turn("m0", 0, "How do I say it?", "How do I say it? My password is swordfish."),
        turn("m1", 1, "My password is swordfish.", "How do I say it? My password is swordfish. Noted."),
        turn("m2", 2, "Noted.", "My password is swordfish. Noted."),
      ]);
      await store.forget(anna, ["m1"]);
      expect(await words("swordfish")).toEqual([]);
      expect((await words("noted"))[0]).toBe("m2");
    });

    it("erases everything of an owner and lets the owner begin anew", async () => {
      await add(memory("m1", "tea"), memory("m2", "coffee"));
      await store.add(ben, [item(memory("b1", "tea", {}, ben))]);
      expect(await words("tea")).toEqual(["m1"]);
      expect(await store.erase(anna)).toBe(2);
      expect(await store.count(anna)).toBe(0);
      expect(await words("tea")).toEqual([]);
      await add(memory("m3", "tea again"));
      expect(await words("tea coffee")).toEqual(["m3"]);
      expect(await store.count(ben)).toBe(1);
    });
  });

  it("answers a ping while open, and refuses everything once closed", async () => {
    await expect(store.ping()).resolves.toBeUndefined();
    await store.close();
    await expect(store.ping()).rejects.toThrow(MemoryStoreError);
    await expect(add(memory("m1", "tea"))).rejects.toThrow(MemoryStoreError);
    await expect(words("tea")).rejects.toThrow(MemoryStoreError);
  });
});
