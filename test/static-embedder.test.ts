import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { createStaticEmbedder } from "../memory/static-embedder.ts";

const embedder = await createStaticEmbedder();

function similarity(one: string, other: string): number {
  const [a, b] = [embedder.embedOne(one), embedder.embedOne(other)];
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

describe("the default embedder", () => {
  it("puts texts of one meaning nearer than texts of another", () => {
    expect(similarity("I love dogs", "My puppy is great")).toBeGreaterThan(
      similarity("I love dogs", "The stock market fell"),
    );
  });

  it("gives unit vectors of its dimensions, and the zero vector for nothing", async () => {
    const [text, empty] = await embedder.embed(["a cup of tea", ""]);
    expect(text).toHaveLength(embedder.dimensions);
    expect(Math.hypot(...(text ?? []))).toBeCloseTo(1, 6);
    expect(empty).toEqual(new Float32Array(embedder.dimensions));
  });

  it("refuses weights that are not the ones it was built with", async () => {
    const folder = await mkdtemp(join(tmpdir(), "weights-"));
    await cp(new URL("../memory/static-embedder/", import.meta.url), folder, { recursive: true });
    await writeFile(join(folder, "vocabulary.txt"), "the\nof\n");
    await expect(createStaticEmbedder(pathToFileURL(`${folder}/`))).rejects.toThrow(
      /vocabulary.txt is not the file it was built with/,
    );
    await rm(folder, { recursive: true });
  });
});
