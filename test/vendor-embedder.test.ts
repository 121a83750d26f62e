import { describe, expect, it } from "vitest";
import { createVendorEmbedder, embedWithin, probeEmbedder } from "../memory/vendor-embedder.ts";
import type { EmbedTexts } from "../memory/vendor-embedder.ts";
import { anna, createKit } from "./support/memory-kit.ts";

/** A vendor in this process: remembers what it was asked, and answers when it is told to. */
function fakeVendor(dimensions = 4) {
  const asked: string[][] = [];
  const embed: EmbedTexts = async (texts) => {
    asked.push([...texts]);
    return texts.map((text) =>
      Float32Array.from({ length: dimensions }, (_, at) => 1 + ((text.charCodeAt(at) || 7) % 13)),
    );
  };
  return { asked, embed };
}

const broken: EmbedTexts = () => Promise.reject(new Error("503"));
const alike: EmbedTexts = async (texts) => texts.map((_, index) => Float32Array.of(10, index % 2, 0));
const silent: EmbedTexts = (_texts, signal) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("given up")), { once: true });
  });

const options = { id: "acme/embed-1", dimensions: 4, clock: () => 0 };
const lengthOf = (vector: Float32Array | undefined) => Math.hypot(...(vector ?? []));

describe("a vendor's embedder", () => {
  it("asks for each text once, in batches, and gives unit vectors in order", async () => {
    const vendor = fakeVendor();
    const embedder = createVendorEmbedder({ ...options, embed: vendor.embed, batch: 2 });
    const vectors = await embedder.embed(["a", "b", "a", "c"]);
    expect(vendor.asked).toEqual([["a", "b"], ["c"]]);
    expect(vectors[0]).toEqual(vectors[2]);
    for (const vector of vectors) expect(lengthOf(vector)).toBeCloseTo(1);
  });

  it("gives empty text the zero vector without asking", async () => {
    const vendor = fakeVendor();
    const [vector] = await createVendorEmbedder({ ...options, embed: vendor.embed }).embed([" \n"]);
    expect([...(vector ?? [])]).toEqual([0, 0, 0, 0]);
    expect(vendor.asked).toEqual([]);
  });

  it("serves one text to all who ask at the same time with one request, and from its cache later", async () => {
    const vendor = fakeVendor();
    const embedder = createVendorEmbedder({ ...options, embed: vendor.embed });
    await Promise.all([embedder.embed(["one"]), embedder.embed(["one"]), embedder.embed(["one", "two"])]);
    await embedder.embed(["one"]);
    expect(vendor.asked.flat().toSorted()).toEqual(["one", "two"]);
  });

  it("keeps no more than its bound, least recently used out first, and nothing for long", async () => {
    const vendor = fakeVendor();
    let now = 0;
    const bound = { maxCachedBytes: 2 * 4 * 4, keepMs: 1_000, clock: () => now };
    const embedder = createVendorEmbedder({ ...options, ...bound, embed: vendor.embed });
    for (const text of ["a", "b", "a", "c", "a", "b"]) await embedder.embed([text]);
    expect(vendor.asked.flat()).toEqual(["a", "b", "c", "b"]);
    now = 2_000;
    await embedder.embed(["b"]);
    expect(vendor.asked.flat()).toEqual(["a", "b", "c", "b", "b"]);
  });

  it.each([
    ["other dimensions", [new Float32Array(3).fill(1)], "3 dimensions where 4"],
    ["no vector", [], "0 vectors for 1"],
    ["a hole", [Float32Array.of(1, Number.NaN, 0, 0)], "without a direction"],
    ["zeros", [new Float32Array(4)], "without a direction"],
  ])("refuses an answer with %s and asks again the next time", async (_what, answer, message) => {
    let good = false;
    const embed: EmbedTexts = async () => (good ? [Float32Array.of(1, 0, 0, 0)] : answer);
    const embedder = createVendorEmbedder({ ...options, embed });
    await expect(embedder.embed(["x"])).rejects.toThrow(message);
    good = true;
    await expect(embedder.embed(["x"])).resolves.toHaveLength(1);
  });

  it("gives up a vendor that does not answer, and refuses more requests than may run", async () => {
    const embedder = createVendorEmbedder({ ...options, embed: silent, timeoutMs: 50, maxCalls: 1 });
    const slow = embedder.embed(["a"]);
    await expect(embedder.embed(["b"])).rejects.toThrow("under way already");
    await expect(slow).rejects.toThrow("given up");
  });

  it("that is waited for only so long has its answer ready for the next", async () => {
    const vendor = fakeVendor();
    const gate = Promise.withResolvers<undefined>();
    const embed: EmbedTexts = async (texts, signal) => {
      await gate.promise;
      return await vendor.embed(texts, signal);
    };
    const patient = createVendorEmbedder({ ...options, embed });
    const hurried = embedWithin(patient, 20);
    await expect(hurried.embed(["late"])).rejects.toThrow("within 20 ms");
    gate.resolve(undefined);
    await patient.embed(["late"]);
    await expect(hurried.embed(["late"])).resolves.toHaveLength(1);
    expect(vendor.asked).toEqual([["late"]]);
  });

  it("stops waiting when its caller does", async () => {
    const embedder = createVendorEmbedder({ ...options, embed: () => new Promise(() => undefined), timeoutMs: 60_000 });
    const stop = new AbortController();
    const waiting = embedder.embed(["a"], stop.signal);
    stop.abort(new Error("the client left"));
    await expect(waiting).rejects.toThrow("the client left");
  });
});

describe("probing", () => {
  it("finds the dimensions, and where the scale of unrelated sentences begins", async () => {
    const probed = await probeEmbedder(alike, AbortSignal.timeout(1_000));
    expect(probed.dimensions).toBe(3);
    expect(probed.unrelated).toBeGreaterThan(0.95);
    await expect(probeEmbedder(async () => [], AbortSignal.timeout(1_000))).rejects.toThrow("no vectors");
  });
});

describe("memory on a vendor's embedder", () => {
  it("goes by words while the vendor fails, in recall and in remembering", async () => {
    const kit = await createKit({ embedder: createVendorEmbedder({ ...options, embed: broken }) });
    await kit.say("s1", "My bicycle is called Rosinante.");
    expect(await kit.block("s2", "What is my bicycle called?")).toContain("Rosinante");
    expect(kit.failures.length).toBeGreaterThan(0);
    expect((await kit.memory.search(anna, "bicycle")).length).toBeGreaterThan(0);
    await kit.close();
  });

  it("goes by words when a vector has the wrong size", async () => {
    const vendor = fakeVendor(3);
    const kit = await createKit({ embedder: createVendorEmbedder({ ...options, embed: vendor.embed }) });
    await kit.say("s1", "My bicycle is called Rosinante.");
    const prepared = await kit.request("s2", "What is my bicycle called?");
    expect(prepared.status).toBe("hit");
    await kit.close();
  });

  it("embeds a turn once for everything that one request needs of it", async () => {
    const vendor = fakeVendor();
    const kit = await createKit({ embedder: createVendorEmbedder({ ...options, embed: vendor.embed }) });
    const question = "Which colour does my bicycle have these days?";
    await kit.request("s1", question);
    await kit.say("s1", question, { answer: "I do not know." });
    expect(vendor.asked.flat().filter((text) => text === question)).toHaveLength(1);
    await kit.close();
  });
});
