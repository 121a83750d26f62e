import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSandbox, type Sandbox } from "../../gateway/sandbox/start-sandbox.ts";
import { type TestGateway, startGateway } from "../support/gateway.ts";
import { faultsOf } from "../support/openai-schema.ts";

async function idsOf(gateway: TestGateway): Promise<string[]> {
  const ids: string[] = [];
  for await (const model of gateway.openai().models.list()) ids.push(model.id);
  return ids;
}

describe("the list of models", () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({ yaml: "aliases: { smart: anthropic/claude-opus-5-5 }\n" });
  });
  afterAll(async () => {
    await gateway.close();
  });

  it("holds everything that can be asked for: auto, its policies, aliases, ids and provider/ids", async () => {
    const ids = await idsOf(gateway);
    expect(ids).toEqual(
      expect.arrayContaining([
        "auto",
        "auto:cheap",
        "smart",
        "gpt-6-luna",
        "openai/gpt-6-luna",
        "anthropic/claude-opus-5-5",
        "google/gemini-3.8-flash",
      ]),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(faultsOf("ListModelsResponse", await (await gateway.fetch("/v1/models")).json())).toEqual([]);
  });

  it("holds only names that are answered", async () => {
    const ids = await idsOf(gateway);
    const messages = [{ role: "user", content: "Hi" }];
    const answers = async (path: string, body: object) => (await gateway.fetch(path, { body })).status === 200;
    const unanswered: string[] = [];
    for (const model of ids) {
      if (await answers("/v1/route", { model, messages })) continue;
      if (!(await answers("/v1/embeddings", { model, input: "Hi" }))) unanswered.push(model);
    }
    expect(unanswered).toEqual([]);
  });

  it("describes one model, also one with a slash in its name", async () => {
    const model = await gateway.openai().models.retrieve("openai/gpt-6-luna");
    expect(model).toMatchObject({ id: "openai/gpt-6-luna", object: "model", owned_by: "openai" });
    expect(model.created).toBeGreaterThan(0);
    expect(faultsOf("Model", model)).toEqual([]);
  });

  it("names the nearest when there is no such model", async () => {
    await expect(gateway.openai().models.retrieve("gpt-6-lunar")).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
      message: expect.stringContaining("gpt-6-luna"),
    });
  });
});

describe("with the key of one vendor", () => {
  let vendors: Sandbox;
  let gateway: TestGateway;
  beforeAll(async () => {
    vendors = await startSandbox();
    const { apiKey, baseUrl } = vendors.anthropic;
    gateway = await startGateway({ env: { ANTHROPIC_API_KEY: apiKey, ANTHROPIC_BASE_URL: baseUrl } });
  });
  afterAll(async () => {
    await gateway.close();
    await vendors.close();
  });

  it("only that vendor's models are offered, and auto chooses among them", async () => {
    const ids = await idsOf(gateway);
    expect(ids).toContain("anthropic/claude-haiku-5-5");
    expect(ids.filter((id) => /gpt|gemini/u.test(id))).toEqual([]);
    const { response } = await gateway
      .openai()
      .chat.completions.create({ model: "auto", messages: [{ role: "user", content: "I like tea." }] })
      .withResponse();
    expect(response.headers.get("x-throughline-model")).toMatch(/^anthropic\//u);
  });

  it("a model of another vendor is refused with the variable that would bring it", async () => {
    const ask = gateway
      .openai()
      .chat.completions.create({ model: "gpt-6-luna", messages: [{ role: "user", content: "Hi" }] });
    await expect(ask).rejects.toMatchObject({ status: 404, message: expect.stringContaining("OPENAI_API_KEY") });
    expect(vendors.requests().filter(({ vendor }) => vendor === "openai")).toEqual([]);
  });
});
