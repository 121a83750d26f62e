import { QdrantClient } from "@qdrant/js-client-rest";
import { randomUUID } from "node:crypto";
import { afterAll, expect, it } from "vitest";
import type { Memory, Owner } from "../memory/memory.ts";
import { createQdrantStore } from "../memory/qdrant-store.ts";
import { findQdrantServer } from "./support/qdrant-server.ts";

const qdrant = await findQdrantServer();
const missing = qdrant.url === undefined ? ` (skipped: ${qdrant.reason})` : "";
const url = qdrant.url ?? "";
afterAll(async () => {
  if (qdrant.url !== undefined) await qdrant.close();
});

const anna: Owner = { tenant: "acme", user: "anna" };
const ben: Owner = { tenant: "acme", user: "ben" };
const vector = Float32Array.of(1, 0, 0, 0);

function memory(id: string, owner: Owner): Memory {
  const parts = { kind: "fact", status: "active", confidence: 1, provenance: { origin: "user" } } as const;
  const recordedAt = "2026-03-01T10:00:00.000Z";
  return { id, scope: owner, text: `${owner.user}'s ${id}`, ...parts, recordedAt, confirmations: 1, version: 1 };
}

it.skipIf(missing !== "")(
  `a new embedder's vectors take the place of the old one's${missing}`,
  async () => {
    const collection = `test_${randomUUID()}`;
    const open = (embedderId: string, dimensions: number) =>
      createQdrantStore({ url, collection, dimensions, embedderId, timeoutMs: 30_000, clock: Date.now });
    const vectorNames = async () => {
      const { config } = await new QdrantClient({ url, checkCompatibility: false }).getCollection(collection);
      return Object.keys(config.params.vectors ?? {});
    };
    const old = await open("old", 4);
    await old.add(anna, [
      { memory: memory("m1", anna), vector },
      { memory: memory("m2", anna), vector },
    ]);
    await old.add(anna, [{ memory: memory("m3", anna) }]);
    await old.add(ben, [{ memory: memory("m1", ben), vector }]);

    const store = await open("new", 2);
    const query = { vector: Float32Array.of(0, 1), text: "m1", filter: {}, limit: 10 };
    const before = await store.search(anna, query);
    expect([before.dense.length, before.sparse.length]).toEqual([0, 1]);

    const seen: string[] = [];
    const renewed = await store.reindex(
      async (memories) => {
        seen.push(...memories.map(({ text }) => text));
        // One is forgotten while its vector is being made, and one has no meaning.
        await store.forget(anna, ["m2"]);
        return memories.map(({ id }) => Float32Array.of(0, id === "m3" ? 0 : 1));
      },
      { batch: 10 },
    );
    expect(seen.toSorted()).toEqual(["anna's m1", "anna's m2", "anna's m3", "ben's m1"]);
    expect(renewed).toBe(3);
    expect((await store.search(anna, query)).dense.map((hit) => hit.memory.text)).toEqual(["anna's m1"]);
    expect((await store.search(ben, query)).dense.map((hit) => hit.memory.text)).toEqual(["ben's m1"]);
    expect(await vectorNames()).toHaveLength(2);

    expect(await store.reindex(async () => [])).toBe(0);
    expect(await vectorNames()).toEqual([expect.stringContaining("dense_new_2_")]);
    expect((await store.search(anna, query)).dense).toHaveLength(1);
    await new QdrantClient({ url, checkCompatibility: false }).deleteCollection(collection);
  },
  60_000,
);
