import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryStoreError } from "../memory/memory-store-error.ts";
import type { Memory, Owner } from "../memory/memory.ts";
import { createQdrantStore } from "../memory/qdrant-store.ts";
import type { QdrantStoreOptions } from "../memory/qdrant-store.ts";
import { startFakeQdrant } from "./support/fake-qdrant.ts";
import type { FakeQdrant } from "./support/fake-qdrant.ts";
import { startGateway } from "./support/gateway.ts";

const anna: Owner = { tenant: "acme", user: "anna" };
const memory: Memory = {
  id: "m1",
  scope: anna,
  kind: "fact",
  text: "Anna drinks tea.",
  status: "active",
  confidence: 1,
  provenance: { origin: "user" },
  recordedAt: "2026-03-01T10:00:00.000Z",
  confirmations: 1,
  version: 1,
};
const vector = Float32Array.of(1, 0, 0, 0);
const query = { text: "tea", vector, filter: {}, limit: 5 };

let fake: FakeQdrant;
let now = 0;

beforeEach(async () => {
  fake = await startFakeQdrant();
  now = 1_000;
});
afterEach(async () => {
  await fake.stop();
});

const open = (options: Partial<QdrantStoreOptions> = {}) =>
  createQdrantStore({
    url: fake.url,
    dimensions: 4,
    embedderId: "test",
    timeoutMs: 10_000,
    clock: () => now,
    ...options,
  });
const onPoints = (failure: { status: number; error: string } | "hang") => (request: { path: string }) =>
  request.path.includes("/points") ? failure : undefined;

async function failureOf(work: Promise<unknown>): Promise<MemoryStoreError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof MemoryStoreError)) throw new Error(`Not a store's failure: ${String(error)}`);
  return error;
}

describe("opening", () => {
  it("makes the collection once, with every index before the first memory", async () => {
    const store = await open();
    await store.add(anna, [{ memory, vector }]);
    await open();
    const wrote = fake.received.filter(({ method }) => method === "PUT").map(({ path }) => path);
    const made = "/collections/throughline_memories";
    expect(wrote.filter((path) => path === made)).toHaveLength(1);
    expect(wrote.indexOf(`${made}/points`)).toBeGreaterThan(wrote.indexOf(`${made}/index`));
    const creation = fake.received.find(({ method, path }) => method === "PUT" && path === made);
    expect(JSON.parse(creation?.body ?? "")).toMatchObject({
      hnsw_config: { m: 0, payload_m: 16 },
      sparse_vectors: { bm25: { modifier: "idf" } },
      strict_mode_config: { enabled: true, unindexed_filtering_retrieve: false, unindexed_filtering_update: false },
    });
    const owner = fake.received.find(({ body }) => body.includes('"field_name":"owner"'));
    expect(JSON.parse(owner?.body ?? "")).toMatchObject({ field_schema: { type: "keyword", is_tenant: true } });
  });

  it.each([
    ["1.15.2", "is version 1.15.2; memories need 1.18 or newer"],
    ["0.9.0", "is version 0.9.0; memories need 1.18 or newer"],
    ["", "is no Qdrant"],
  ])("refuses version '%s' and says which it needs", async (version, message) => {
    fake.version = version;
    const failure = await failureOf(open());
    expect([failure.code, failure.message]).toEqual(["unavailable", expect.stringContaining(message)]);
  });

  it("counts a term's rarity within the owner where the server can", async () => {
    for (const version of ["1.18.2", "1.19.0", "2.0.0"]) {
      fake.version = version;
      await (await open()).search(anna, query);
    }
    const searches = fake.received.filter(({ path }) => path.endsWith("/query/batch")).map(({ body }) => body);
    expect(searches.map((body) => body.includes('"idf":{"corpus":'))).toEqual([false, true, true]);
  });

  it("leaves a collection alone that it did not make, or that a newer program made", async () => {
    fake.collections.set("throughline_memories", { vectors: {} });
    expect((await failureOf(open())).code).toBe("corrupt");
    fake.collections.set("throughline_memories", { vectors: {}, schema: 2 });
    expect((await failureOf(open())).code).toBe("newer_schema");
    expect(fake.received.filter(({ method }) => method !== "GET")).toEqual([]);
  });

  it("keeps the vectors of each embedder under their own name and says whose they are", async () => {
    await open({ embedderId: "First/Model" });
    await open({ embedderId: "first model" });
    await open({ embedderId: "First/Model", dimensions: 8 });
    const { vectors, ...metadata } = fake.collections.get("throughline_memories") ?? {};
    expect(Object.keys(vectors as object)).toHaveLength(3);
    expect(Object.values(metadata)).toEqual([
      1,
      { embedder: "First/Model", dimensions: 4 },
      { embedder: "first model", dimensions: 4 },
      { embedder: "First/Model", dimensions: 8 },
    ]);
  });

  it("refuses a vector whose size is not the embedder's", async () => {
    await open();
    const collection = fake.collections.get("throughline_memories") ?? {};
    const [name = ""] = Object.keys(collection["vectors"] as object);
    collection["vectors"] = { [name]: { size: 3, distance: "Cosine" } };
    expect((await failureOf(open())).message).toContain("has 3 dimensions instead of 4");
  });

  it("refuses what is no address, and shows no password of one", async () => {
    expect((await failureOf(open({ url: "localhost:6333" }))).code).toBe("bad_input");
    await fake.stop();
    const store = await open({ url: fake.url.replace("//", "//me:hunter2@"), apiKey: "qd-secret" });
    const failure = await failureOf(store.ping());
    expect(failure.message).not.toMatch(/hunter2|qd-secret/u);
  });

  it("sends the key, and keeps the path of an address behind a proxy", async () => {
    await open({ url: `${fake.url}/vectors/`, apiKey: "qd-secret" }).catch(() => undefined);
    expect(fake.received[0]).toMatchObject({ path: "/vectors/", apiKey: "qd-secret" });
  });
});

describe("every request", () => {
  it("names the owner, in its filter or in the ids of its points", async () => {
    const store = await open();
    fake.received.length = 0;
    await store.add(anna, [{ memory, vector }]);
    await store.get(anna, ["m1"]);
    await store.list(anna, { core: true }, { limit: 3 });
    await store.list(anna, {}, { limit: 3, cursor: "q1772359200000001.0f92d70d-891b-86d6-830b-569a3faeba40" });
    await store.search(anna, { ...query, filter: { kinds: ["fact"], asOf: "2026-01-01T00:00:00Z" } });
    await store.neighbours(anna, { session: "s1", position: 3 }, 2, 2);
    await store.count(anna);
    await store.erase(anna);
    const points = fake.received.filter(({ path }) => path.includes("/points"));
    expect(points.length).toBeGreaterThanOrEqual(9);
    const own = { key: "owner", match: { value: "4:acme:anna" } };
    for (const { path, body } of points) {
      const sent = JSON.parse(body) as { filter?: unknown; searches?: { filter: unknown }[]; points?: unknown[] };
      const parts = path.endsWith("/query/batch") ? (sent.searches ?? []) : path.endsWith("/points") ? [] : [sent];
      for (const { filter } of parts) expect(filter).toMatchObject({ must: expect.arrayContaining([own]) });
      for (const point of sent.points ?? []) expect(point).toMatchObject({ payload: { owner: "4:acme:anna" } });
    }
    const corpus = points.flatMap(({ body }) => body.match(/"corpus":\{"must":\[.*?"owner"/gu) ?? []);
    expect(corpus).toHaveLength(1);
  });

  it("adds durably and without touching what is there", async () => {
    const store = await open();
    let written = "";
    fake.failing = ({ method, path, body }) => {
      if (method === "PUT" && path.endsWith("/points")) written = body;
      return undefined;
    };
    await store.add(anna, [{ memory, vector }]);
    expect(JSON.parse(written)).toMatchObject({ update_mode: "insert_only" });
  });
});

describe("a server that fails", () => {
  it.each([
    [{ status: 507, error: "Quota: disk" }, "disk_full", "full"],
    [{ status: 500, error: "Service internal error: No space left on device (os error 28)" }, "disk_full", "No space"],
    [{ status: 403, error: "Forbidden: Write access is required" }, "unavailable", "may only read"],
    [{ status: 401, error: "Must provide an API key" }, "unavailable", "QDRANT_API_KEY"],
    [{ status: 429, error: "Rate limiting exceeded" }, "busy", "limits"],
    [{ status: 413, error: "Payload too large" }, "bad_input", "larger"],
    [{ status: 500, error: "Service internal error: shard failed" }, "unavailable", "shard failed"],
    [{ status: 503, error: "" }, "unavailable", "It answered 503"],
    [{ status: 400, error: "Wrong input" }, "unavailable", "Wrong input"],
  ])("becomes a defined error: %o", async (failure, code, words) => {
    const store = await open();
    fake.failing = onPoints(failure);
    const works = [() => store.add(anna, [{ memory }]), () => store.search(anna, query), () => store.erase(anna)];
    for (const work of works) {
      const error = await failureOf(work());
      expect([error.code, error.message]).toEqual([code, expect.stringContaining(words)]);
      expect(error.message).toContain(fake.url);
    }
  });

  it("is given up when it does not answer in time", async () => {
    const store = await open({ timeoutMs: 50 });
    fake.failing = onPoints("hang");
    const error = await failureOf(store.search(anna, query));
    expect([error.code, error.message]).toEqual(["unavailable", expect.stringContaining("did not answer in time")]);
  });

  it("is left alone for two seconds after four failures, and asked again then", async () => {
    const store = await open();
    fake.failing = onPoints({ status: 500, error: "down" });
    for (let attempt = 0; attempt < 4; attempt++) await failureOf(store.count(anna));
    const asked = fake.received.length;
    expect((await failureOf(store.count(anna))).message).toContain("did not answer lately");
    expect(fake.received).toHaveLength(asked);
    fake.failing = () => undefined;
    now += 2_000;
    expect(await store.count(anna)).toBe(0);
  });

  it("does not stop the start, and serves once it answers", async () => {
    await fake.stop();
    const store = await open();
    const error = await failureOf(store.search(anna, query));
    expect([error.code, error.message]).toEqual(["unavailable", expect.stringContaining("cannot be reached")]);
    await fake.start();
    expect(await store.search(anna, query)).toEqual({ dense: [], sparse: [] });
    expect(fake.collections.has("throughline_memories")).toBe(true);
  });

  it("is found again after a restart, over connections that were kept open", async () => {
    const store = await open();
    expect(await store.count(anna)).toBe(0);
    await fake.stop();
    await fake.start();
    expect(await store.count(anna)).toBe(0);
  });

  it("gets its collection back when it lost it", async () => {
    const store = await open();
    fake.collections.clear();
    expect((await failureOf(store.count(anna))).code).toBe("unavailable");
    expect(await store.count(anna)).toBe(0);
    expect(fake.collections.size).toBe(1);
  });

  it("says so when what was to be forgotten is still there", async () => {
    fake.points = 3;
    const store = await open();
    expect((await failureOf(store.erase(anna))).message).toContain("still has them");
  });
});

describe("a chat request", () => {
  const ask = { model: "auto", messages: [{ role: "user", content: "What do I drink in the morning?" }] };
  const failures = [
    ["is down", { status: 503, error: "down" }],
    ["is out of disk", { status: 507, error: "disk" }],
    ["may only be read", { status: 403, error: "Forbidden" }],
    ["does not answer", "hang"],
  ] as const;

  it.each(failures)("is answered all the same when Qdrant %s", async (_what, failure) => {
    const gateway = await startGateway({
      env: { QDRANT_URL: fake.url },
      yaml: "memory: { recallDeadlineMs: 300 }\n",
    });
    fake.failing = onPoints(failure);
    const response = await gateway.fetch("/v1/chat/completions", { method: "POST", body: ask });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-throughline-memory")).toMatch(/^degraded/u);
    fake.failing = () => undefined;
    await gateway.close();
  });
});
