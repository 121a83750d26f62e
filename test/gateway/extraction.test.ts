import { afterEach, describe, expect, it } from "vitest";
import { startSandbox } from "../../gateway/sandbox/start-sandbox.ts";
import { type TestGateway, startGateway } from "../support/gateway.ts";
import { isMemoryPrompt } from "../support/vendor-requests.ts";
import { answerJson, startVendor } from "../vendor-server.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const started of open.splice(0).toReversed()) await started.close();
});

async function start(options: Parameters<typeof startGateway>[0]): Promise<TestGateway> {
  const gateway = await startGateway(options);
  open.push(gateway);
  return gateway;
}

type Learned = { readonly text: string; readonly by: string | null };

/** The facts and preferences that were learned from what the user said. */
async function learnedFrom(gateway: TestGateway, model: string, content: string): Promise<readonly Learned[]> {
  await gateway.openai().chat.completions.create({ model, messages: [{ role: "user", content }] });
  await gateway.learned();
  const { data } = (await (await gateway.fetch("/v1/memories?limit=100")).json()) as {
    data: { text: string; kind: string; provenance: { extracted_by: string | null } }[];
  };
  return data
    .filter(({ kind }) => kind !== "episode")
    .map(({ text, provenance }) => ({ text, by: provenance.extracted_by }));
}

describe("with the key of one vendor, facts are extracted by a model of that vendor", () => {
  it.each([
    ["openai", "OPENAI_API_KEY", "OPENAI_BASE_URL"],
    ["anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"],
    ["google", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"],
  ] as const)("%s", async (provider, keyName, urlName) => {
    const vendors = await startSandbox();
    open.push(vendors);
    const { apiKey, baseUrl } = vendors[provider === "google" ? "gemini" : provider];
    const gateway = await start({ env: { [keyName]: apiKey, [urlName]: baseUrl } });
    const learned = await learnedFrom(gateway, "auto", "I work as a carpenter in Evora.");
    expect(learned).toEqual([{ text: expect.stringContaining("Evora"), by: expect.stringMatching(`^${provider}/`) }]);
    const asked = vendors.requests().filter(isMemoryPrompt);
    expect(asked.map(({ status }) => status)).toEqual([200]);
  });
});

describe("facts are extracted by rules", () => {
  it("when extraction by a model is switched off", async () => {
    const gateway = await start({ yaml: "memory: { recallDeadlineMs: 5000, extraction: { enabled: false } }\n" });
    const learned = await learnedFrom(gateway, "openai/gpt-6-luna", "I live in Evora.");
    expect(learned).toEqual([{ text: expect.stringContaining("Evora"), by: "rules" }]);
    expect(gateway.sandbox.requests().filter(isMemoryPrompt)).toEqual([]);
  });

  it.each([
    ["answers with prose", 200, "Sure! The user lives somewhere nice."],
    ["answers with JSON of another shape", 200, '{"facts": 3}'],
    ["fails", 500, ""],
  ])("when the model at hand %s", async (_what, status, content) => {
    const host = await startVendor((response, { body }) => {
      const extracts = body["response_format"] !== undefined;
      const message = { role: "assistant", content: extracts ? content : "Noted." };
      const choices = [{ index: 0, message, finish_reason: "stop" }];
      const usage = { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 };
      const answer = { id: "x", object: "chat.completion", created: 1, model: "small", choices, usage };
      answerJson(response, extracts ? status : 200, JSON.stringify(answer));
    });
    open.push(host);
    const model =
      "{ id: small, contextTokens: 32000, maxOutputTokens: 4000, price: { input: 0, output: 0 }, quality: { default: 0.9 } }";
    const gateway = await start({
      yaml: `providers: [{ id: local, baseUrl: "${host.url}/v1", models: [${model}] }]\n`,
    });
    const learned = await learnedFrom(gateway, "local/small", "I live in Evora.");
    expect(host.seen.some(({ body }) => body["response_format"] !== undefined)).toBe(true);
    expect(learned).toEqual([{ text: expect.stringContaining("Evora"), by: "rules" }]);
  });
});
