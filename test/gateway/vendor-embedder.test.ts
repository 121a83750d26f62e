import { describe, expect, it } from "vitest";
import { newDirectory, removeDirectory, startGateway, type TestGateway } from "../support/gateway.ts";

const vendors = "memory: { recallDeadlineMs: 5000, embedder: openai/text-embedding-3-small }\n";

async function remember(gateway: TestGateway, text: string): Promise<void> {
  const response = await gateway.fetch("/v1/memories", { body: { text } });
  expect(response.status).toBe(201);
}

type Hit = { text: string; explanation: { dense: { rank: number; score: number } | null } };

async function search(gateway: TestGateway, query: string): Promise<readonly Hit[]> {
  const response = await gateway.fetch("/v1/memories/search", { body: { query, explain: true } });
  return ((await response.json()) as { data: readonly Hit[] }).data;
}

const embedded = (gateway: TestGateway) =>
  gateway.sandbox
    .requests()
    .filter(({ path }) => path.includes("embeddings"))
    .flatMap(({ body }) => (body as { input: string[] }).input);

describe("a vendor's embedder by configuration", () => {
  it("gives memories and questions their vectors, each text once", async () => {
    const gateway = await startGateway({ yaml: vendors });
    await remember(gateway, "I play the cello.");
    const hits = await search(gateway, "Which instrument do I play?");
    expect(hits[0]?.explanation.dense).toMatchObject({ rank: 1 });
    await search(gateway, "Which instrument do I play?");
    const texts = embedded(gateway).filter((text) => text === "Which instrument do I play?");
    expect(texts).toHaveLength(1);
    await gateway.close();
  });

  it("that is changed renews every vector in the background, and words find meanwhile", async () => {
    const data = newDirectory();
    const local = await startGateway({ data });
    await remember(local, "I play the cello.");
    await local.close();
    const changed = await startGateway({ data, yaml: vendors });
    expect((await search(changed, "cello"))[0]?.text).toBe("I play the cello.");
    await expect
      .poll(async () => (await search(changed, "cello"))[0]?.explanation.dense, { timeout: 10_000 })
      .not.toBeNull();
    await changed.close();
    const back = await startGateway({ data });
    await expect
      .poll(async () => (await search(back, "cello"))[0]?.explanation.dense, { timeout: 10_000 })
      .not.toBeNull();
    await back.close();
    removeDirectory(data);
  });
});
