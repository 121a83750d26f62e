import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IndexedMemory } from "../memory/memory-store.ts";
import { MemoryStoreError } from "../memory/memory-store-error.ts";
import type { Memory, Owner } from "../memory/memory.ts";
import { createSqliteLedger } from "../memory/sqlite-ledger.ts";
import { createSqliteQueue } from "../memory/sqlite-queue.ts";
import { createSqliteStore } from "../memory/sqlite-store.ts";
import { openDatabase } from "../memory/sqlite/database.ts";
import type { Database } from "../memory/sqlite/database.ts";

const run = promisify(execFile);
const anna: Owner = { tenant: "acme", user: "anna" };
const ben: Owner = { tenant: "acme", user: "ben" };

function memory(id: string, text: string, parts: Partial<Memory> = {}): Memory {
  return {
    id,
    scope: { ...anna },
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

const unit = (...values: readonly number[]) => new Float32Array(4).map((_value, index) => values[index] ?? 0);

const store = (database: Database, embedderId = "first", dimensions = 4) =>
  createSqliteStore(database, { dimensions, embedderId });

const failure = (work: () => unknown): MemoryStoreError => {
  try {
    work();
  } catch (error) {
    if (error instanceof MemoryStoreError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

const words = async (from: ReturnType<typeof store>, text: string) =>
  (await from.search(anna, { text, filter: { statuses: ["active"] }, limit: 5 })).sparse.map((hit) => hit.memory.id);

const nearest = async (from: ReturnType<typeof store>, vector: Float32Array) =>
  (await from.search(anna, { vector, filter: {}, limit: 5 })).dense.map((hit) => hit.memory.id);

const item = (id: string, vector: Float32Array): IndexedMemory => ({ memory: memory(id, `note ${id}`), vector });

describe("the SQLite file", () => {
  let place: string;
  let path: string;
  let databases: Database[];

  const open = () => {
    const database = openDatabase(path);
    databases.push(database);
    return database;
  };
  /** Every byte that the directory holds, as text. */
  const bytes = () =>
    readdirSync(place)
      .map((name) => readFileSync(join(place, name), "latin1"))
      .join("");

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), "throughline-"));
    path = join(place, "throughline.sqlite");
    databases = [];
  });
  afterEach(() => {
    for (const database of databases) database.close();
    rmSync(place, { recursive: true });
  });

  describe("opening", () => {
    it("creates the directory and its files for this user only", async () => {
      path = join(place, "deep", "data", "throughline.sqlite");
      await store(open()).add(anna, [{ memory: memory("m1", "tea") }]);
      const files = ["", "throughline.sqlite", "throughline.sqlite-wal"].map((name) =>
        join(place, "deep", "data", name),
      );
      expect(files.map((file) => statSync(file).mode & 0o077)).toEqual([0, 0, 0]);
    });

    it("says which file it cannot open", () => {
      mkdirSync(path);
      const error = failure(open);
      expect([error.code, error.message.includes(path)]).toEqual(["unavailable", true]);
    });

    it("names a file that is no database, and leaves it as it was", () => {
      const content = "These are my notes, not a database. ".repeat(100);
      writeFileSync(path, content);
      const error = failure(open);
      expect(error.code).toBe("corrupt");
      expect(error.message).toContain(path);
      expect(readFileSync(path, "utf8")).toBe(content);
    });

    it("notices a damaged file, and leaves it as it was", async () => {
      const database = open();
      const memories = Array.from({ length: 200 }, (_, index) => ({ memory: memory(`m${index}`, "word ".repeat(50)) }));
      await store(database).add(anna, memories);
      database.close();
      const damaged = readFileSync(path);
      damaged.fill(0xa5, 12_288, 12_288 + 40_960);
      writeFileSync(path, damaged);
      const error = failure(open);
      expect(error.code).toBe("corrupt");
      expect(error.message).toContain("backup");
      expect(readFileSync(path)).toEqual(damaged);
    });

    it("refuses a file of a newer version, and leaves it as it was", () => {
      open().close();
      const raw = new DatabaseSync(path);
      raw.exec("PRAGMA user_version = 999");
      raw.close();
      const error = failure(open);
      expect(error.code).toBe("newer_schema");
      expect(error.message).toContain("999");
    });

    it("says which directory it cannot use", () => {
      writeFileSync(join(place, "occupied"), "");
      path = join(place, "occupied", "throughline.sqlite");
      const error = failure(open);
      expect(error.code).toBe("unavailable");
      expect(error.message).toContain("occupied");
    });

    it.skipIf(process.getuid?.() === 0)(
      "says which directory it may not write (skipped: root may write anywhere)",
      () => {
        chmodSync(place, 0o500);
        const error = failure(open);
        chmodSync(place, 0o700);
        expect([error.code, error.message.includes(place)]).toEqual(["unavailable", true]);
      },
    );

    it("is migrated once by processes that open it at the same time", async () => {
      const script = join(import.meta.dirname, "fixtures/open-database.ts");
      const answers = await Promise.all(
        Array.from({ length: 4 }, async () => (await run(process.execPath, [script, path])).stdout),
      );
      expect(answers).toEqual(["[1]", "[1]", "[1]", "[1]"]);
    });

    it("runs an area's new steps only, and refuses an area of a newer version", () => {
      const database = open();
      database.migrate("audit", ["CREATE TABLE trail (id INTEGER PRIMARY KEY)"]);
      database.migrate("audit", ["CREATE TABLE trail (id INTEGER PRIMARY KEY)", "INSERT INTO trail VALUES (7)"]);
      database.migrate("audit", ["CREATE TABLE trail (id INTEGER PRIMARY KEY)", "INSERT INTO trail VALUES (7)"]);
      expect(database.prepare("SELECT id FROM trail").all()).toEqual([[7]]);
      expect(failure(() => database.migrate("audit", ["CREATE TABLE x (y)"])).code).toBe("newer_schema");
    });

    it("undoes all of a migration when one step fails", () => {
      const database = open();
      expect(() => database.migrate("audit", ["CREATE TABLE trail (id)", "NOT SQL"])).toThrow("syntax error");
      database.migrate("audit", ["CREATE TABLE trail (id)"]);
      expect(database.prepare("SELECT count(*) FROM trail").get()).toEqual([0]);
    });
  });

  describe("writing", () => {
    it("commits the writes of one tick together, and undoes only the one that fails", async () => {
      const database = open();
      database.migrate("test", ["CREATE TABLE note (id INTEGER PRIMARY KEY)"]);
      const insert = (id: number) => database.write(() => database.prepare("INSERT INTO note VALUES (?)").run(id));
      const results = await Promise.allSettled([
        insert(1),
        database.write(() => {
          database.prepare("INSERT INTO note VALUES (2)").run();
          throw new Error("changed my mind");
        }),
        insert(1),
        insert(3),
      ]);
      expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
      expect(database.prepare("SELECT id FROM note").all()).toEqual([[1], [3]]);
    });

    it("waits for another process's lock without stopping the event loop, and says so when it lasts", async () => {
      const database = openDatabase(path, { lockTimeoutMs: 60 });
      databases.push(database);
      const other = new DatabaseSync(path);
      other.exec("BEGIN IMMEDIATE");
      let ticks = 0;
      const timer = setInterval(() => {
        ticks += 1;
      }, 1);
      await expect(database.write(() => 1)).rejects.toMatchObject({ code: "busy" });
      clearInterval(timer);
      expect(ticks).toBeGreaterThan(0);
      const write = database.write(() => 2);
      other.exec("COMMIT");
      expect(await write).toBe(2);
      other.close();
    });

    it("says that the disk is full, keeps what was committed, and goes on when there is room", async () => {
      const database = open();
      const memories = store(database);
      await memories.add(anna, [{ memory: memory("before", "tea") }]);
      const pages = Number(Object.values(database.prepare("PRAGMA page_count").get() ?? {})[0]);
      database.prepare(`PRAGMA max_page_count = ${pages}`).get();
      const large = memories.add(anna, [{ memory: memory("large", "word ".repeat(100_000)) }]);
      const beside = memories.add(anna, [{ memory: memory("beside", "coffee") }]);
      const [first] = await Promise.allSettled([large, beside]);
      expect(first).toMatchObject({ status: "rejected", reason: { code: "disk_full" } });
      expect(await memories.get(anna, ["before", "large"])).toMatchObject([{ id: "before" }]);
      database.prepare("PRAGMA max_page_count = 1000000").get();
      await memories.add(anna, [{ memory: memory("after", "tea") }]);
      expect((await memories.get(anna, ["after"])).length).toBe(1);
    });

    it("commits what waits when it is closed", async () => {
      const database = open();
      const added = store(database).add(anna, [{ memory: memory("m1", "tea") }]);
      database.close();
      await added;
      expect(await store(open()).count(anna)).toBe(1);
    });

    it("refuses writes once it is closed", async () => {
      const database = open();
      database.close();
      await expect(database.write(() => 1)).rejects.toMatchObject({ code: "closed" });
    });
  });

  describe("two processes", () => {
    it("see each other's memories, changes and forgetting in their next search", async () => {
      const mine = store(open());
      const theirs = store(open());
      await mine.add(anna, [{ memory: memory("m1", "tea") }, { memory: memory("m2", "tea") }]);
      expect(await words(theirs, "tea")).toEqual(["m2", "m1"]);
      await theirs.add(anna, [{ memory: memory("m3", "tea") }]);
      expect(await words(mine, "tea")).toEqual(["m3", "m2", "m1"]);
      await mine.change(anna, "m2", 1, { status: "archived" });
      expect(await words(theirs, "tea")).toEqual(["m3", "m1"]);
      await theirs.forget(anna, ["m1"]);
      expect(await words(mine, "tea")).toEqual(["m3"]);
      await mine.erase(anna);
      expect(await words(theirs, "tea")).toEqual([]);
      await theirs.add(anna, [{ memory: memory("m9", "tea") }]);
      expect(await words(mine, "tea")).toEqual(["m9"]);
    });

    it("let one of two simultaneous changes through", async () => {
      const mine = store(open());
      const theirs = store(open());
      await mine.add(anna, [{ memory: memory("m1", "tea") }]);
      const changes = await Promise.all([mine, theirs].map((one) => one.change(anna, "m1", 1, { confidence: 0.1 })));
      expect(changes.filter((changed) => changed !== undefined)).toHaveLength(1);
    });
  });

  it("searches an owner again after its index made room for another's", async () => {
    const database = open();
    const small = createSqliteStore(database, { dimensions: 4, embedderId: "first", maxIndexBytes: 1 });
    await small.add(anna, [{ memory: memory("m1", "tea"), vector: unit(1) }]);
    await small.add(ben, [{ memory: { ...memory("b1", "tea"), scope: { ...ben } }, vector: unit(1) }]);
    for (const [owner, id] of [
      [anna, "m1"],
      [ben, "b1"],
      [anna, "m1"],
    ] as const) {
      const { dense, sparse } = await small.search(owner, { text: "tea", vector: unit(1), filter: {}, limit: 5 });
      expect([dense[0]?.memory.id, sparse[0]?.memory.id]).toEqual([id, id]);
    }
  });

  describe("another embedder", () => {
    it("never meets the first one's vectors, also of the same dimensions", async () => {
      const database = open();
      await store(database, "first").add(anna, [item("m1", unit(1))]);
      const second = store(database, "second");
      expect(await nearest(second, unit(1))).toEqual([]);
      await second.add(anna, [item("m2", unit(0, 1))]);
      expect(await nearest(second, unit(1))).toEqual(["m2"]);
      expect(await nearest(store(database, "first"), unit(1))).toEqual(["m1"]);
    });

    it("finds everything again once it was indexed anew, with other dimensions too, words all the while", async () => {
      const database = open();
      await store(database, "first").add(anna, [item("m1", unit(1)), item("m2", unit(0, 1))]);
      const wide = store(database, "wide", 6);
      const vector = new Float32Array([0, 0, 0, 0, 0, 1]);
      expect((await wide.search(anna, { text: "note", filter: {}, limit: 5 })).sparse).toHaveLength(2);
      const seen: string[] = [];
      const renewed = await wide.reindex(
        async (memories) => {
          seen.push(...memories.map((found) => found.text));
          return memories.map(() => vector);
        },
        { batch: 1 },
      );
      expect([renewed, seen]).toEqual([2, ["note m1", "note m2"]]);
      expect(await nearest(wide, vector)).toEqual(["m2", "m1"]);
      expect(await wide.reindex(async () => [])).toBe(0);
    });

    it("goes on where a stopped indexing left off", async () => {
      const database = open();
      await store(database, "first").add(anna, [item("m1", unit(1)), item("m2", unit(0, 1))]);
      const second = store(database, "second");
      const stop = new AbortController();
      const once = second.reindex(
        async (memories) => {
          stop.abort();
          return memories.map(() => unit(1));
        },
        { batch: 1, signal: stop.signal },
      );
      await expect(once).rejects.toThrow("aborted");
      expect(await second.reindex(async (memories) => memories.map(() => unit(1)))).toBe(1);
    });
  });

  describe("forgetting", () => {
    it("leaves no trace of a forgotten memory in any byte of any file, while the store stays open", async () => {
      const database = open();
      const memories = store(database);
      const filler = Array.from({ length: 300 }, (_, index) => ({
        memory: memory(`f${index}`, `filler ${index} `.repeat(1 + (index % 40))),
      }));
      const secrets = Array.from({ length: 20 }, (_, index) => ({
        memory: memory(`xyzzy-${index}`, `plugh-${index} `.repeat(1 + index * 60), {
          metadata: { note: "frobozz" },
          provenance: { origin: "user", quote: "frobozz", session: "grue-session" },
        }),
        vector: unit(1),
      }));
      await memories.add(anna, filler.slice(0, 150));
      for (const [index, secret] of secrets.entries()) {
        await memories.add(anna, [secret, ...filler.slice(150 + index * 7, 157 + index * 7)]);
        await memories.change(anna, secret.memory.id, 1, { metadata: { note: "frobozz again" } });
      }
      expect(bytes()).toMatch(/plugh/u);
      expect(
        await memories.forget(
          anna,
          secrets.map((secret) => secret.memory.id),
        ),
      ).toBe(20);
      for (const trace of [/plugh/u, /xyzzy/u, /frobozz/u, /grue-session/u]) expect(bytes()).not.toMatch(trace);
      expect(bytes()).toMatch(/filler/u);
    });

    it("leaves no trace either once another process has stopped reading what was forgotten", async () => {
      const memories = store(open());
      await memories.add(anna, [{ memory: memory("m1", "plugh") }]);
      const reader = new DatabaseSync(path);
      reader.exec("BEGIN; SELECT count(*) FROM memory");
      await memories.forget(anna, ["m1"]);
      expect(bytes()).toMatch(/plugh/u);
      reader.exec("COMMIT");
      await expect.poll(bytes, { timeout: 10_000 }).not.toMatch(/plugh/u);
      reader.close();
    });

    it("leaves no trace of an erased owner in memories, jobs and sessions", async () => {
      const database = open();
      const zork: Owner = { tenant: "acme", user: "zork-user" };
      const memories = store(database);
      const queue = createSqliteQueue(database, { maxJobs: 10, maxAttempts: 1, clock: () => 0 });
      const ledger = createSqliteLedger(database, { clock: () => 0 });
      await memories.add(zork, [{ memory: { ...memory("m1", "plugh"), scope: { ...zork } } }]);
      await queue.push({ id: "job-frobozz", owner: zork, kind: "turn", payload: '"plugh"' });
      await ledger.put(zork, "grue-session", "turn-1", "plugh");
      await memories.add(anna, [{ memory: memory("kept", "filler") }]);
      expect(bytes()).toMatch(/zork-user/u);
      await memories.erase(zork);
      await queue.erase(zork);
      await ledger.erase(zork);
      for (const trace of [/plugh/u, /zork-user/u, /frobozz/u, /grue-session/u]) expect(bytes()).not.toMatch(trace);
    });
  });
});
