import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";

const firstOf = {
  gpt: ["openai/gpt-6-luna", "google/gemini-3.8-flash"],
  claude: ["anthropic/claude-haiku-5-5", "openai/gpt-6-luna"],
  gemini: ["google/gemini-3.8-flash", "anthropic/claude-haiku-5-5"],
} as const;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => {
  await gateway.close();
});

type Explained = {
  chosen: string;
  task_class: string;
  policy: string;
  candidates: { model: string; reason: string; cost_usd: string | null }[];
  rejected: { model: string; reason: string }[];
};

const say = (content: string) => [{ role: "user" as const, content }];

async function ask(model: string, content: string, headers: Record<string, string> = {}) {
  const client = gateway.openai({ "x-throughline-memory": "off", ...headers });
  const { data, response } = await client.chat.completions.create({ model, messages: say(content) }).withResponse();
  const header = (name: string) => response.headers.get(`x-throughline-${name}`);
  return { text: data.choices[0]?.message.content ?? "", header };
}

async function explain(body: object, headers: Record<string, string> = {}): Promise<Explained> {
  return (await (await gateway.fetch("/v1/route", { body, headers })).json()) as Explained;
}

describe("auto", () => {
  it("classifies the request and says what was chosen and what it cost", async () => {
    const { header } = await ask("auto", "Write a Python function that merges two sorted lists, with tests.");
    expect(header("class")).toBe("coding");
    expect(header("model")).toMatch(/^(openai|anthropic|google)\/./u);
    expect(header("policy")).toBe("balanced");
    expect(header("attempts")).toBe("1");
    expect(header("cost-usd")).toMatch(/^0\.\d*[1-9]$/u);
    expect(header("trace")).toMatch(/^tl-[0-9a-f]{32}$/u);
    expect(header("memory")).toBe("off");
  });

  it("follows the policy in the model's name, and the one in the header", async () => {
    const cheap = await ask("auto:cheap", "I like tea.");
    const best = await ask("auto", "I like tea.", { "x-throughline-policy": "best" });
    expect([cheap.header("policy"), best.header("policy")]).toEqual(["cheap", "best"]);
    expect(Number(cheap.header("cost-usd"))).toBeLessThan(Number(best.header("cost-usd")));
  });

  it("chooses only models that can do what the request needs", async () => {
    const audio = { type: "input_audio" as const, input_audio: { data: "UklGRg==", format: "wav" as const } };
    const { chosen, rejected } = await explain({
      model: "auto",
      messages: [{ role: "user", content: [{ type: "text", text: "What is said here?" }, audio] }],
    });
    expect(chosen).toMatch(/^google\//u);
    expect(rejected.find(({ model }) => model.startsWith("anthropic/"))?.reason).toMatch(/audio/u);
  });
});

describe("POST /v1/route", () => {
  it("prices every candidate and calls nobody", async () => {
    const before = gateway.sandbox.requests().length;
    const plan = await explain({
      model: "auto:cheap",
      messages: say("Translate into German: the train leaves at noon."),
    });
    expect(plan.task_class).toBe("translation");
    expect(plan.policy).toBe("cheap");
    expect(plan.chosen).toBe(plan.candidates[0]?.model);
    expect(plan.candidates.length).toBeGreaterThan(5);
    expect(plan.candidates.every(({ reason }) => reason !== "")).toBe(true);
    expect(plan.candidates.filter(({ cost_usd }) => cost_usd !== null).length).toBeGreaterThan(5);
    expect(gateway.sandbox.requests()).toHaveLength(before);
  });

  it("says what the answer itself then says", async () => {
    const content = "Prove that the square root of two is irrational.";
    const plan = await explain({ model: "auto", messages: say(content) }, { "x-throughline-user": "explained" });
    const { header } = await ask("auto", content, { "x-throughline-user": "explained" });
    expect([header("model"), header("class")]).toEqual([plan.chosen, plan.task_class]);
  });
});

describe("a failure before the first byte", () => {
  it("is tried again at the same model", async () => {
    const { text, header } = await ask("openai/gpt-6-luna", "I like tea. [[sandbox:fail=500 times=1]]");
    expect(text).toContain("I like tea");
    expect([header("attempts"), header("model")]).toEqual(["2", "openai/gpt-6-luna"]);
  });

  it("falls back to another vendor when it stays, and the trace tells the way", async () => {
    const { chosen } = await explain({ model: "auto", messages: say("I like green tea.") });
    const vendor = { openai: "openai", anthropic: "anthropic", google: "gemini" }[chosen.split("/")[0] ?? ""];
    const { text, header } = await ask("auto", `I like green tea. [[sandbox:fail=503 vendor=${vendor}]]`);
    expect(text).toContain("I like green tea");
    expect(header("model")?.split("/")[0]).not.toBe(chosen.split("/")[0]);
    const trace = (await (await gateway.fetch(`/v1/traces/${header("trace")}`)).json()) as {
      attempts: { kind: string; failure: { code: string } | null }[];
    };
    expect(trace.attempts.map(({ kind }) => kind)).toContain("fallback");
    expect(trace.attempts).toHaveLength(Number(header("attempts")));
    expect(trace.attempts.at(-1)?.failure).toBeNull();
  });

  it.each(["cut", "malformed", "200-error", "html", "empty"])(
    "inside the answer's beginning (%s) is retried too",
    async (mode) => {
      const client = gateway.openai({ "x-throughline-memory": "off" });
      const directive = `[[sandbox:fail=${mode} after=0 times=1]]`;
      const stream = client.chat.completions.stream({
        model: "openai/gpt-6-luna",
        messages: say(`I like ${mode} tea. ${directive}`),
      });
      expect(await stream.finalContent()).toContain(`I like ${mode} tea`);
    },
  );

  it("waits as long as a 429 asks for", async () => {
    const startedAt = performance.now();
    const { header } = await ask("openai/gpt-6-luna", "I like tea. [[sandbox:fail=429 times=1 retry_after=1]]");
    expect(header("attempts")).toBe("2");
    expect(performance.now() - startedAt).toBeGreaterThan(1_000);
  });

  it("that no one else can help is the client's to see, with the vendor's status", async () => {
    const response = await gateway.fetch("/v1/chat/completions", {
      body: { model: "openai/gpt-6-luna", messages: say("I like tea. [[sandbox:fail=quota]]") },
    });
    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({ error: { type: "insufficient_quota", code: "insufficient_quota" } });
  });
});

describe("a failure after the first byte", () => {
  let own: TestGateway;
  beforeAll(async () => {
    // Every name has somewhere to fall back to.
    const aliases = Object.entries(firstOf).map(([name, models]) => `${name}: [${models.join(", ")}]`);
    own = await startGateway({ yaml: `aliases: { ${aliases.join(", ")} }\n` });
  });
  afterAll(async () => {
    await own.close();
  });

  const modes = ["500", "cut", "malformed"];
  it.each(Object.keys(firstOf).flatMap((name) => modes.map((mode) => [name, mode])))(
    "(%s, %s) is not retried: the stream ends with an error that the client throws",
    async (model, mode) => {
      const before = own.asked().length;
      const stream = await own.openai({ "x-throughline-memory": "off" }).chat.completions.create({
        model,
        messages: say(`[[sandbox:words=60 fail=${mode} after=6 event_delay_ms=5]] Count.`),
        stream: true,
      });
      let text = "";
      const finishes: unknown[] = [];
      const read = async () => {
        for await (const chunk of stream) {
          text += chunk.choices[0]?.delta.content ?? "";
          finishes.push(chunk.choices[0]?.finish_reason ?? null);
        }
      };
      await expect(read()).rejects.toThrow(/./u);
      expect(text).toContain("word1");
      expect(finishes.every((reason) => reason === null)).toBe(true);
      expect(own.asked()).toHaveLength(before + 1);
    },
  );
});
