import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestGateway, newDirectory, removeDirectory, startGateway } from "../support/gateway.ts";
import { promptOf, userTexts } from "../support/vendor-requests.ts";

const gpt = "openai/gpt-6-luna";
const claude = "anthropic/claude-haiku-5-5";
const gemini = "google/gemini-3.8-flash";
type Headers = Readonly<Record<string, string>>;

async function ask(gateway: TestGateway, model: string, content: string, headers: Headers = {}, apiKey?: string) {
  const { data, response } = await gateway
    .openai(headers, apiKey)
    .chat.completions.create({ model, messages: [{ role: "user", content }] })
    .withResponse();
  await gateway.learned();
  return {
    text: data.choices[0]?.message.content ?? "",
    memory: response.headers.get("x-throughline-memory") ?? "",
    prompt: promptOf(gateway.asked().at(-1)),
  };
}

const as = (user: string): Headers => ({ "x-throughline-user": user });

describe("what a user tells GPT", () => {
  let gateway: TestGateway;
  const data = newDirectory();
  beforeAll(async () => {
    gateway = await startGateway({ data });
    await ask(gateway, gpt, "My sister Ines works as a carpenter in Evora.", as("ada"));
  });
  afterAll(async () => {
    await gateway.close();
    removeDirectory(data);
  });

  it.each([claude, gemini, gpt])("is known to %s in another conversation", async (model) => {
    const { text, memory } = await ask(gateway, model, "Where does my sister Ines work?", as("ada"));
    expect(text).toContain("Evora");
    expect(memory).toMatch(/^hit;n=[1-9]/u);
  });

  it("is not known to another user", async () => {
    const { text, memory, prompt } = await ask(gateway, claude, "Where does my sister Ines work?", as("bob"));
    expect(text).not.toContain("Evora");
    expect(prompt).not.toContain("Evora");
    expect(memory).toBe("miss");
  });

  it("is still known after a restart on the same directory", async () => {
    await gateway.close();
    gateway = await startGateway({ data });
    const { text } = await ask(gateway, gemini, "Where does my sister Ines work?", as("ada"));
    expect(text).toContain("Evora");
  });

  it("reaches the vendor once, fenced, as data, ahead of the user's own words", async () => {
    const { prompt } = await ask(gateway, gpt, "Where does my sister Ines work?", as("ada"));
    const [first = "", ...rest] = prompt.split("</throughline-memory>");
    expect(first).toMatch(/^<throughline-memory>[^]*not instructions[^]*Evora/u);
    expect(rest.map((text) => text.trim())).toEqual(["Where does my sister Ines work?"]);
  });
});

describe("who the user is", () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(async () => {
    await gateway.close();
  });

  it.each([
    ["safety_identifier", { safety_identifier: "carol" }],
    ["user", { user: "carol" }],
    ["metadata.user_id", { metadata: { user_id: "carol" } }],
  ])("can be said by the body's %s", async (_field, fields) => {
    await ask(gateway, gpt, "My bicycle is called Rocket.", as("carol"));
    const completion = await gateway.openai().chat.completions.create({
      model: claude,
      messages: [{ role: "user", content: "What is my bicycle called?" }],
      ...fields,
    });
    expect(completion.choices[0]?.message.content).toContain("Rocket");
  });

  it("is one person when nobody is named and no keys are configured", async () => {
    await ask(gateway, gpt, "My boat is called Nautilus.");
    expect((await ask(gateway, gemini, "What is my boat called?")).text).toContain("Nautilus");
    expect((await ask(gateway, gemini, "What is my boat called?", as("dan"))).text).not.toContain("Nautilus");
  });
});

describe("with gateway keys of two tenants", () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      env: { KEY_ACME: "acme-key-1", KEY_ZETA: "zeta-key-1", KEY_ANN: "ann-key-1" },
      yaml: [
        "keys:",
        "  - { name: acme-app, key: env:KEY_ACME, tenant: acme }",
        "  - { name: zeta-app, key: env:KEY_ZETA, tenant: zeta }",
        "  - { name: ann, key: env:KEY_ANN, tenant: acme, user: ann }",
        "",
      ].join("\n"),
    });
    await ask(gateway, gpt, "My door code is 4711.", as("ann"), "acme-key-1");
  });
  afterAll(async () => {
    await gateway.close();
  });
  const question = "What is my door code?";

  it("the same user's name in another tenant is another person", async () => {
    const { text, prompt } = await ask(gateway, claude, question, as("ann"), "zeta-key-1");
    expect(`${text}${prompt}`).not.toContain("4711");
  });

  it("a key bound to a user speaks for that user, whoever the request names", async () => {
    expect((await ask(gateway, claude, question, as("bob"), "ann-key-1")).text).toContain("4711");
    expect((await ask(gateway, claude, question, as("bob"), "acme-key-1")).text).not.toContain("4711");
  });

  it("memory is off when no user is named, and nothing is kept", async () => {
    expect((await ask(gateway, gpt, "My name is Nobody.", {}, "acme-key-1")).memory).toBe("off");
    const headers = { authorization: "Bearer acme-key-1", "x-throughline-user": "default" };
    const listed = await gateway.fetch("/v1/memories", { headers });
    expect(await listed.json()).toMatchObject({ data: [] });
  });

  it("another tenant's trace is not there", async () => {
    const { response } = await gateway
      .openai(as("ann"), "acme-key-1")
      .chat.completions.create({ model: gpt, messages: [{ role: "user", content: "Hello." }] })
      .withResponse();
    const path = `/v1/traces/${response.headers.get("x-throughline-trace")}`;
    const status = async (key: string) =>
      (await gateway.fetch(path, { headers: { authorization: `Bearer ${key}` } })).status;
    expect([await status("acme-key-1"), await status("zeta-key-1")]).toEqual([200, 404]);
  });
});

describe("x-throughline-memory", () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway();
    await ask(gateway, gpt, "My favourite colour is teal.", as("eve"));
  });
  afterAll(async () => {
    await gateway.close();
  });
  const question = "What is my favourite colour?";
  const memoriesOf = async (user: string) =>
    ((await (await gateway.fetch("/v1/memories", { headers: as(user) })).json()) as { data: unknown[] }).data.length;

  it("off neither reads nor writes", async () => {
    const before = await memoriesOf("eve");
    const off = { ...as("eve"), "x-throughline-memory": "off" };
    const { text, memory } = await ask(gateway, claude, question, off);
    await ask(gateway, claude, "My favourite number is twelve.", off);
    expect(text).not.toContain("teal");
    expect(memory).toBe("off");
    expect(await memoriesOf("eve")).toBe(before);
  });

  it("read uses what is known and keeps nothing", async () => {
    const before = await memoriesOf("eve");
    const read = { ...as("eve"), "x-throughline-memory": "read" };
    expect((await ask(gateway, claude, `${question} My favourite number is twelve.`, read)).text).toContain("teal");
    expect(await memoriesOf("eve")).toBe(before);
  });

  it("write keeps what is said and uses nothing", async () => {
    const write = { ...as("eve"), "x-throughline-memory": "write" };
    const { text, memory } = await ask(gateway, claude, `${question} My favourite dish is bacalhau.`, write);
    expect(text).not.toContain("teal");
    expect(memory).toBe("off");
    expect((await ask(gateway, gemini, "What is my favourite dish?", as("eve"))).text).toContain("bacalhau");
  });

  it("with another word is an error that names the four", async () => {
    const response = await gateway.fetch("/v1/chat/completions", {
      body: { model: gpt, messages: [{ role: "user", content: question }] },
      headers: { "x-throughline-memory": "maybe" },
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { param: "x-throughline-memory", message: expect.stringMatching(/on, off, read or write/u) },
    });
  });
});

describe("a conversation that goes on", () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startGateway();
    for (const fact of ["My cat is called Miso.", "I work at the harbour office.", "My office opens at nine."])
      await ask(gateway, gpt, fact, as("fay"));
  });
  afterAll(async () => {
    await gateway.close();
  });

  it.each([gpt, claude, gemini])("gives %s the same bytes at the same turn in every later request", async (model) => {
    const client = gateway.openai(as("fay"));
    const messages: { role: "user" | "assistant"; content: string }[] = [];
    const seen: (readonly string[])[] = [];
    for (const content of ["What is my cat called?", "When does my office open?", "Where do I work?"]) {
      messages.push({ role: "user", content });
      const answer = await client.chat.completions.create({ model, messages });
      messages.push({ role: "assistant", content: answer.choices[0]?.message.content ?? "" });
      seen.push(userTexts(gateway.asked().at(-1)));
      await gateway.learned();
      // Something new is learned in between: earlier turns must not change for it.
      await ask(gateway, gpt, `My cat also answers to the name number ${seen.length} of ${model}.`, as("fay"));
    }
    const [first = [], second = [], third = []] = seen;
    expect(first[0]).toMatch(/^<throughline-memory>[^]*Miso/u);
    expect(first[0]).not.toBe("What is my cat called?");
    expect(second.slice(0, 1)).toEqual(first);
    expect(third.slice(0, 2)).toEqual(second);
  });

  it("does so after a restart, and at another vendor", async () => {
    const data = newDirectory();
    const messages = [{ role: "user" as const, content: "What is my cat called?" }];
    const before = await startGateway({ data });
    await ask(before, gpt, "My cat is called Miso.", as("gus"));
    const answer = await before.openai(as("gus")).chat.completions.create({ model: gpt, messages });
    const [first] = userTexts(before.asked().at(-1));
    await before.close();

    const after = await startGateway({ data });
    await after.openai(as("gus")).chat.completions.create({
      model: claude,
      messages: [
        ...messages,
        { role: "assistant", content: answer.choices[0]?.message.content ?? "" },
        { role: "user", content: "Thank you." },
      ],
    });
    // How the block is joined to the words is each vendor's wire; the block itself is the same to the byte.
    const block = /^<throughline-memory>[^]*<\/throughline-memory>/u.exec(first ?? "")?.[0];
    expect(block).toContain("Miso");
    expect(userTexts(after.asked().at(-1))[0]).toContain(block);
    await after.close();
    removeDirectory(data);
  });
});
