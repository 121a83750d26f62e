import { existsSync, readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import Anthropic, { APIError as AnthropicError } from "@anthropic-ai/sdk";
import { ApiError as GeminiError, FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import OpenAI, { APIError as OpenaiError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSandbox, type Sandbox } from "../gateway/sandbox/start-sandbox.ts";
import { candidateSchema } from "../memory/extract.ts";

type Vendor = "openai" | "anthropic" | "gemini";
type Said = { readonly role: "user" | "assistant"; readonly text: string };
const vendors: readonly Vendor[] = ["openai", "anthropic", "gemini"];
const chatModel = { openai: "gpt-6-luna", anthropic: "claude-haiku-5-5", gemini: "gemini-2.5-flash" } as const;
const wire = new URL("../../shared/wire/", import.meta.url);
const spec = new URL("../../shared/spec/openai.subset.json", import.meta.url);

let sandbox: Sandbox;
let openai: OpenAI;
let anthropic: Anthropic;
let gemini: GoogleGenAI;

beforeAll(async () => {
  sandbox = await startSandbox({ minCacheTokens: 256 });
  openai = new OpenAI({ baseURL: sandbox.openai.baseUrl, apiKey: sandbox.openai.apiKey, maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: sandbox.anthropic.baseUrl, apiKey: sandbox.anthropic.apiKey, maxRetries: 0 });
  gemini = new GoogleGenAI({ apiKey: sandbox.gemini.apiKey, httpOptions: { baseUrl: sandbox.gemini.baseUrl } });
});
afterAll(async () => {
  await sandbox.close();
});

/** Asks one vendor through its own SDK, whole or streamed, and returns the text. */
async function ask(vendor: Vendor, said: readonly Said[], how: "whole" | "stream" = "whole", signal?: AbortSignal) {
  const options = signal === undefined ? {} : { signal };
  const model = chatModel[vendor];
  if (vendor === "openai") {
    const messages = said.map(({ role, text }) => ({ role, content: text }));
    if (how === "whole") {
      const answer = await openai.chat.completions.create({ model, messages }, options);
      return answer.choices[0]?.message.content ?? "";
    }
    let text = "";
    for await (const chunk of await openai.chat.completions.create({ model, messages, stream: true }, options)) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    return text;
  }
  if (vendor === "anthropic") {
    const messages = said.map(({ role, text }) => ({ role, content: text }));
    const body = { model, messages, max_tokens: 20_000 };
    const message =
      how === "whole"
        ? await anthropic.messages.create(body, options)
        : await anthropic.messages.stream(body, options).finalMessage();
    return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
  }
  const contents = said.map(({ role, text }) => ({ role: role === "user" ? "user" : "model", parts: [{ text }] }));
  const config = signal === undefined ? {} : { abortSignal: signal };
  if (how === "whole") return (await gemini.models.generateContent({ model, contents, config })).text ?? "";
  let text = "";
  for await (const chunk of await gemini.models.generateContentStream({ model, contents, config }))
    text += chunk.text ?? "";
  return text;
}

const user = (text: string): Said => ({ role: "user", text });

async function errorOf(promise: Promise<unknown>): Promise<{ status: number | undefined; text: string }> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof OpenaiError || error instanceof AnthropicError || error instanceof GeminiError) {
    return { status: error.status, text: error.message };
  }
  if (error instanceof Error) return { status: undefined, text: error.message };
  throw new Error("The request was answered.");
}

async function control(vendor: Vendor, body: object | undefined): Promise<unknown> {
  const url = new URL("/_sandbox/fail", sandbox[vendor].baseUrl);
  const init = body === undefined ? { method: "DELETE" } : { method: "POST", body: JSON.stringify(body) };
  return (await fetch(url, init)).json();
}

const long = "The harbour is quiet in the morning and loud at night. ".repeat(60);

const strikes = async (vendor: Vendor): Promise<boolean[]> => {
  await control(vendor, undefined);
  await control(vendor, { status: 500, rate: 0.5, seed: 7 });
  const struck: boolean[] = [];
  for (let index = 0; index < 12; index += 1) {
    struck.push(
      await ask(vendor, [user("I am here")]).then(
        () => false,
        () => true,
      ),
    );
  }
  await control(vendor, undefined);
  return struck;
};

const memoryBlock = (lines: string): string =>
  `<throughline-memory>\nNotes about where people live.\nPossibly relevant:\n${lines}\n</throughline-memory>\n\n`;

const askOpenaiLong = (text: string) =>
  openai.chat.completions.create({
    model: "gpt-6-luna",
    messages: [
      { role: "system", content: long },
      { role: "user", content: text },
    ],
    reasoning_effort: "low",
  });

const askAnthropicLong = (text: string, marked: boolean, ttl: "5m" | "1h" = "1h") =>
  anthropic.messages.create({
    model: "claude-haiku-5-5",
    max_tokens: 100,
    system: [{ type: "text", text: long, ...(marked ? { cache_control: { type: "ephemeral", ttl } } : {}) }],
    messages: [{ role: "user", content: text }],
  });

const askGeminiLong = (text: string) =>
  gemini.models.generateContent({ model: "gemini-3.8-flash", contents: text, config: { systemInstruction: long } });

const refusedChat = (extra: object) =>
  openai.chat.completions.create({
    model: "gpt-6-sol",
    messages: [{ role: "user", content: "I am here." }],
    ...extra,
  });

const refusedMessage = (extra: object) =>
  anthropic.messages.create({
    model: "claude-opus-5",
    max_tokens: 100,
    messages: [{ role: "user", content: "I am here." }],
    ...extra,
  });

const refusedGenerate = (
  config: object,
  contents: object[] = [{ role: "user", parts: [{ text: "I am here." }] }],
  model = "gemini-3.8-flash",
) => gemini.models.generateContent({ model, contents, config });

const postRaw = async (path: string, body: object): Promise<void> => {
  const headers = { "x-goog-api-key": sandbox.gemini.apiKey };
  const response = await fetch(new URL(path, sandbox.gemini.baseUrl), {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  throw new GeminiError({ status: response.status, message: await response.text() });
};

const statuses = async (path: URL, headers: Record<string, string>): Promise<number> =>
  (await fetch(path, { headers })).status;

const postDirective = async (vendor: Vendor, directive: string) => {
  const text = `I am here. [[sandbox:${directive}]]`;
  const { baseUrl, apiKey } = sandbox[vendor];
  const request = {
    openai: [
      "/chat/completions",
      { authorization: `Bearer ${apiKey}` },
      { model: "gpt-6-luna", messages: [{ role: "user", content: text }] },
    ],
    anthropic: [
      "/v1/messages",
      { "x-api-key": apiKey, "anthropic-version": "2023-06-01" },
      { model: "claude-haiku-5-5", max_tokens: 99, messages: [{ role: "user", content: text }] },
    ],
    gemini: [
      "/v1beta/models/gemini-3.8-flash:generateContent",
      { "x-goog-api-key": apiKey },
      { contents: [{ parts: [{ text }] }] },
    ],
  } as const;
  const [path, headers, body] = request[vendor];
  return fetch(`${baseUrl}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
};

const embed = async (input: string) =>
  (await openai.embeddings.create({ model: "text-embedding-3-small", input })).data[0]?.embedding ?? [];

const cosine = (left: readonly number[], right: readonly number[]) =>
  left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);

/** OpenAPI 3.0's `nullable` in JSON Schema's words. */
const toJsonSchema = (_key: string, value: unknown): unknown => {
  if (typeof value !== "object" || value === null || !("nullable" in value) || value.nullable !== true) return value;
  const { nullable: _nullable, ...rest } = value;
  return { anyOf: [rest, { type: "null" }] };
};

/** The schema of one event: a miss in the union of all would name fifty others. */
const nameOfEvent = (type: string): string => {
  const { schemas }: { schemas: Record<string, { properties?: { type?: { enum?: string[] } } }> } = JSON.parse(
    readFileSync(spec, "utf8"),
  ).components;
  const found = Object.entries(schemas).find(
    ([name, schema]) => name.endsWith("Event") && schema.properties?.type?.enum?.includes(type) === true,
  );
  return found?.[0] ?? `no schema for ${type}`;
};

const readRecorded = (name: string): string => readFileSync(new URL(name, wire), "utf8");

const lines = (text: string): unknown[] =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line): unknown => JSON.parse(line));

const frames = (text: string): unknown[] =>
  lines([...text.matchAll(/^data: (\{.*)$/gmu)].map((match) => match[1] ?? "").join("\n"));

/** Every path to a value with the type that stands there: what a reader of the wire can rely on. */
const shape = (value: unknown, path = "", found = new Set<string>()): Set<string> => {
  if (Array.isArray(value)) for (const item of value) shape(item, `${path}[]`, found);
  else if (typeof value === "object" && value !== null) {
    found.add(`${path}{}`);
    for (const [name, item] of Object.entries(value)) shape(item, `${path}.${name}`, found);
  } else found.add(`${path}:${value === null ? "null" : typeof value}`);
  return found;
};

const shapes = (values: readonly unknown[]): string[] => [
  ...values.reduce<Set<string>>((found, value) => shape(value, "", found), new Set()),
];

const raw = async (vendor: Vendor, path: string, body: object): Promise<string> => {
  const { baseUrl, apiKey } = sandbox[vendor];
  const headers = {
    authorization: `Bearer ${apiKey}`,
    "x-api-key": apiKey,
    "anthropic-version": "2023-06-01",
    "x-goog-api-key": apiKey,
  };
  return (await fetch(`${baseUrl}${path}`, { method: "POST", headers, body: JSON.stringify(body) })).text();
};

describe.each(vendors)("the %s sandbox", (vendor) => {
  it("finds what an earlier turn says", async () => {
    const said = [
      user("I live in Lisbon"),
      { role: "assistant" as const, text: "[sandbox] Noted." },
      user("Where do I live?"),
    ];
    expect(await ask(vendor, said)).toBe('[sandbox] From what I was given: "I live in Lisbon"');
  });

  it("says that it does not know what the request does not say", async () => {
    expect(await ask(vendor, [user("I live in Lisbon. What is the name of Bob's dog?")])).toMatch(
      /sandbox.*do not know/u,
    );
  });

  it("streams the same text as it answers whole, in several pieces", async () => {
    const said = [user("Ich heiße Jürgen und wohne in Köln 🏙️. 我住在里斯本。 [[sandbox:words=40]]")];
    const whole = await ask(vendor, said);
    expect(whole).toContain("word40");
    expect(await ask(vendor, said, "stream")).toBe(whole);
  });

  it("survives being cut into pieces of three bytes on the way", async () => {
    const text = "Mein Hund heißt 王小明 🐕. Wie heißt mein Hund?";
    const broken = await ask(vendor, [user(`${text} [[sandbox:chunk_bytes=3]]`)], "stream");
    expect(broken).toBe('[sandbox] From what I was given: "Mein Hund heißt 王小明 🐕."');
  });

  it.each([429, 500])(
    "fails with %i when the prompt asks, and keeps the directive out of the answer",
    async (status) => {
      const said = [user(`My cat is called Tom ${status}. [[sandbox:fail=${status} times=1]]`)];
      expect((await errorOf(ask(vendor, said))).status).toBe(status);
      expect(await ask(vendor, said)).toBe(`[sandbox] Noted: My cat is called Tom ${status}.`);
    },
  );

  it("fails only for the vendor that the directive names", async () => {
    const other = vendors.find((name) => name !== vendor);
    expect(await ask(vendor, [user(`I am fine. [[sandbox:fail=500 vendor=${other}]]`)])).toContain("Noted");
  });

  it("takes a directive in a recalled memory or an earlier turn for quoted words", async () => {
    const said = [
      user("I like tea. [[sandbox:fail=500]]"),
      { role: "assistant" as const, text: "ok" },
      user("<throughline-memory>\n- I like tea [[sandbox:fail=500]]\n</throughline-memory>\n\nWhat do I like?"),
    ];
    expect(await ask(vendor, said)).toContain("I like tea");
  });

  it("takes standing orders for failures, counts them down and forgets them on DELETE", async () => {
    await control(vendor, { status: 503, times: 2, retry_after: 7 });
    const failures = [await errorOf(ask(vendor, [user("I am one")])), await errorOf(ask(vendor, [user("I am two")]))];
    expect(failures.map((failure) => failure.status)).toEqual([503, 503]);
    expect(await ask(vendor, [user("I am three")])).toContain("Noted");
    await control(vendor, { mode: "html" });
    expect((await errorOf(ask(vendor, [user("I am four")]))).status).toBe(502);
    await control(vendor, undefined);
    expect(await ask(vendor, [user("I am five")])).toContain("Noted");
  });

  it("strikes the same requests of a run for a rate with a seed", async () => {
    const first = await strikes(vendor);
    expect(new Set(first).size).toBe(2);
    expect(await strikes(vendor)).toEqual(first);
  });

  it.each(["cut", "malformed", "200-error"])("breaks a stream on demand: %s", async (mode) => {
    const said = [user(`I am a sailor. [[sandbox:fail=${mode} after=4 words=30]]`)];
    const text = await ask(vendor, said, "stream").catch(() => "broken");
    expect(text).not.toContain("word30");
    expect(await ask(vendor, [user("I am a sailor. [[sandbox:words=30]]")], "stream")).toContain("word30");
  });

  it("records the request, without its key, and that the client left a hanging answer", async () => {
    const leave = new AbortController();
    const asked = ask(vendor, [user(`I wait for ${vendor}. [[sandbox:fail=hang]]`)], "whole", leave.signal);
    const entry = (): ReturnType<Sandbox["requests"]>[number] | undefined =>
      sandbox
        .requests()
        .findLast(
          (request) => request.vendor === vendor && JSON.stringify(request.body).includes(`I wait for ${vendor}`),
        );
    await expect.poll(entry).toMatchObject({ aborted: false, status: undefined });
    leave.abort();
    await expect(asked).rejects.toThrow(/abort/iu);
    await expect.poll(entry).toMatchObject({ aborted: true });
    expect(JSON.stringify(entry())).not.toContain(sandbox[vendor].apiKey);
  });

  it("stops a stream when the client leaves it", async () => {
    const leave = new AbortController();
    const asked = ask(
      vendor,
      [user(`I stream ${vendor}. [[sandbox:event_delay_ms=200 words=2000]]`)],
      "stream",
      leave.signal,
    );
    const entry = (): ReturnType<Sandbox["requests"]>[number] | undefined =>
      sandbox
        .requests()
        .findLast(
          (request) => request.vendor === vendor && JSON.stringify(request.body).includes(`I stream ${vendor}`),
        );
    await expect.poll(entry).toBeDefined();
    leave.abort();
    await asked.catch(() => "");
    await expect.poll(entry).toMatchObject({ aborted: true });
  });

  it("does not let a failure that was asked for look like a client that left", async () => {
    await errorOf(ask(vendor, [user(`I am cut ${vendor}. [[sandbox:fail=cut]]`)]));
    expect(sandbox.requests().at(-1)).toMatchObject({ vendor, aborted: false });
  });
});

describe("what the sandbox finds", () => {
  it.each([
    [
      "a memory block",
      `${memoryBlock("- I live in Lisbon (said by the user on 2026-11-20)")}Where do I live?`,
      "I live in Lisbon (said",
    ],
    [
      "a short note",
      `${memoryBlock("- 2026-11-20 fact: lives in Lisbon\n- 2026-11-20 fact: likes tea")}Where do I live?`,
      "lives in Lisbon",
    ],
    [
      "the later of two dates",
      `${memoryBlock("- 2026-11-20 fact: lives in Lisbon\n- 2025-01-02 fact: lives in Porto")}Where do I live?`,
      "Lisbon",
    ],
    [
      "what still holds",
      `${memoryBlock("- I live in Lisbon (said on 2025-01-01)\n- I live in Porto (said on 2026-01-01; no longer true)")}Where do I live?`,
      "Lisbon",
    ],
    ["the later sentence", "I live in Porto. I moved: I live in Lisbon. Which city do I live in?", "Lisbon"],
    ["another word for it", "User resides in Lisbon. Where do I live?", "Lisbon"],
    ["the right owner of a name", "My name is Ana. My dog is called Rex. What is my dog's name?", "Rex"],
    ["the right person", "Bob likes tea. Ann likes coffee. What does Ann like?", "coffee"],
    ["German", "Ich wohne in Berlin. Ich mag Tee. Wo wohne ich?", "Berlin"],
    ["Spanish", "Mi perro se llama Rex. Vivo en Madrid. ¿Cómo se llama mi perro?", "Rex"],
    ["Chinese", "我住在里斯本。我喜欢茶。我住在哪里？", "里斯本"],
    [
      "everything",
      `${memoryBlock("- I live in Lisbon (said by the user on 2026-11-20)\n- I like tea (said by the user on 2026-11-20)")}What do you know about me?`,
      "tea",
    ],
  ])("%s", async (_name, prompt, expected) => {
    const answer = await ask("openai", [user(prompt)]);
    expect(answer).toMatch(/^\[sandbox\] From what I was given: /u);
    expect(answer).toContain(expected);
  });

  it.each([
    ["Where do I live?"],
    ["What is the capital of France?"],
    ["My name is Ana. Where do I live?"],
    ["Bob lives in Porto. Where does Ann live?"],
    [`${memoryBlock("- I like tea (said by the user on 2026-11-20)")}Where do I live?`],
  ])("does not know: %s", async (prompt) => {
    expect(await ask("openai", [user(prompt)])).toMatch(/^\[sandbox\] I do not know/u);
  });

  it("names type and size of an image", async () => {
    const url = `data:image/png;base64,${Buffer.alloc(68).toString("base64")}`;
    const content = [
      { type: "text" as const, text: "What is this?" },
      { type: "image_url" as const, image_url: { url } },
    ];
    const answer = await openai.chat.completions.create({ model: "gpt-6-luna", messages: [{ role: "user", content }] });
    expect(answer.choices[0]?.message.content).toContain("an image (image/png, 68 bytes)");
  });

  it("ends at a stop sequence and at the token limit", async () => {
    const base = {
      model: "claude-haiku-4-5",
      messages: [{ role: "user" as const, content: "I like tea and coffee." }],
    };
    const stopped = await anthropic.messages.create({ ...base, max_tokens: 100, stop_sequences: [" and"] });
    expect(stopped).toMatchObject({
      stop_reason: "stop_sequence",
      stop_sequence: " and",
      content: [{ text: "[sandbox] Noted: I like tea" }],
    });
    const cut = await anthropic.messages.create({ ...base, max_tokens: 3 });
    expect(cut).toMatchObject({
      stop_reason: "max_tokens",
      content: [{ text: "[sandbox] No" }],
      usage: { output_tokens: 3 },
    });
  });

  it("leaves nothing for the text when a small limit goes to the thinking", async () => {
    const answer = await openai.responses.create({
      model: "gpt-6-luna",
      input: "I like tea.",
      reasoning: { effort: "high" },
      max_output_tokens: 16,
    });
    expect(answer).toMatchObject({
      status: "incomplete",
      output_text: "",
      usage: { output_tokens: 16, output_tokens_details: { reasoning_tokens: 16 } },
    });
  });
});

describe("structured output", () => {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const schemas: Record<string, object> = {
    flat: {
      type: "object",
      properties: {
        city: { type: "string" },
        count: { type: "integer", minimum: 3 },
        kind: { enum: ["a", "b"] },
        fixed: { const: "x" },
      },
      required: ["city", "count", "kind", "fixed"],
    },
    recursive: {
      $ref: "#/$defs/node",
      $defs: {
        node: {
          type: "object",
          properties: { name: { type: "string" }, next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
          required: ["name", "next"],
        },
      },
    },
    arrays: {
      type: "object",
      properties: {
        tags: { type: "array", items: { type: "string" }, minItems: 2, maxItems: 3, uniqueItems: true },
        pair: { type: "array", prefixItems: [{ type: "number" }, { type: "boolean" }], minItems: 2 },
      },
      required: ["tags", "pair"],
    },
    unions: {
      type: "object",
      properties: {
        value: { type: ["null", "integer"] },
        either: { oneOf: [{ type: "boolean" }, { type: "string" }] },
        both: {
          allOf: [
            { type: "object", properties: { a: { type: "string" } }, required: ["a"] },
            { type: "object", properties: { b: { type: "number", multipleOf: 5, minimum: 7 } }, required: ["b"] },
          ],
        },
      },
      required: ["value", "either", "both"],
    },
    strings: {
      type: "object",
      properties: {
        code: { type: "string", pattern: "^[A-Z]{3}$" },
        long: { type: "string", minLength: 30 },
        short: { type: "string", maxLength: 4 },
      },
      required: ["code", "long", "short"],
    },
  };

  it.each(Object.entries(schemas))("is valid against a schema: %s", async (_name, schema) => {
    const answer = await openai.chat.completions.create({
      model: "gpt-6-luna",
      messages: [{ role: "user", content: "Hello there" }],
      response_format: { type: "json_schema", json_schema: { name: "thing", schema: { ...schema } } },
    });
    const value: unknown = JSON.parse(answer.choices[0]?.message.content ?? "");
    const validate = ajv.compile(schema);
    validate(value);
    expect(validate.errors).toBeNull();
  });

  it("is filled from the prompt, over every vendor's own field for it", async () => {
    const schema = {
      type: "object",
      additionalProperties: false,
      properties: { city: { type: "string" }, mood: { type: "string", enum: ["sad", "happy"] } },
      required: ["city", "mood"],
    };
    const content = "My city is Lisbon and I am happy.";
    const viaChat = await openai.chat.completions.create({
      model: "gpt-6-luna",
      messages: [{ role: "user", content }],
      response_format: { type: "json_schema", json_schema: { name: "x", schema, strict: true } },
    });
    const viaResponses = await openai.responses.create({
      model: "gpt-6-luna",
      input: content,
      text: { format: { type: "json_schema", name: "x", schema, strict: true } },
    });
    const viaAnthropic = await anthropic.messages.create({
      model: "claude-haiku-5-5",
      max_tokens: 500,
      messages: [{ role: "user", content }],
      output_config: { format: { type: "json_schema", schema } },
    });
    const viaGemini = await gemini.models.generateContent({
      model: "gemini-3.8-flash",
      contents: content,
      config: { responseMimeType: "application/json", responseJsonSchema: schema },
    });
    const texts = [
      viaChat.choices[0]?.message.content,
      viaResponses.output_text,
      viaAnthropic.content.map((block) => (block.type === "text" ? block.text : "")).join(""),
      viaGemini.text,
    ];
    for (const text of texts)
      expect(JSON.parse(text ?? "")).toMatchObject({ city: expect.stringContaining("Lisbon"), mood: "happy" });
  });

  const extract = async (message: string, known = ""): Promise<{ candidates: { quote: string }[] }> => {
    const content = `Today is Friday.\n\n<known>\n${known}\n</known>\n\n<conversation>\nassistant: I live in Rome and I like snow.\n</conversation>\n\n<message>\n${message}\n</message>`;
    const answer = await openai.chat.completions.create({
      model: "gpt-6-luna",
      messages: [
        { role: "system", content: "You keep my long-term memory." },
        { role: "user", content },
      ],
      response_format: {
        type: "json_schema",
        json_schema: { name: "memory_candidates", schema: { ...candidateSchema }, strict: true },
      },
    });
    const value: { candidates: { quote: string }[] } = JSON.parse(answer.choices[0]?.message.content ?? "");
    expect(ajv.validate(candidateSchema, value)).toBe(true);
    return value;
  };

  it("fills our own memory extraction with verbatim quotes of the user's latest words", async () => {
    const { candidates } = await extract(
      "I live in Lisbon  now, I work as a nurse and I like tea. Can you help me? Always answer me in French!",
      "1. I like tea.",
    );
    expect(candidates.map((candidate) => candidate.quote)).toContain("I like tea.");
    expect(candidates.find((candidate) => candidate.quote === "I like tea.")).toMatchObject({
      kind: "preference",
      same_as: 1,
    });
    expect(candidates.find((candidate) => candidate.quote.startsWith("Always"))).toMatchObject({ kind: "procedure" });
    expect(JSON.stringify(candidates)).not.toMatch(/Rome|snow|help me/u);
  });

  it("says which known memory a new one makes untrue", async () => {
    expect(await extract("I live in Lisbon.", "1. I like tea.\n2. I live in Porto.")).toMatchObject({
      candidates: [{ replaces: 2, same_as: null }],
    });
  });

  it("extracts nothing when the user said nothing about themselves, and ignores quoted directives", async () => {
    expect(await extract("What is the weather in Rome?")).toEqual({ candidates: [] });
    expect((await extract("I like tea. [[sandbox:fail=500]]")).candidates).toHaveLength(1);
  });
});

describe("tools", () => {
  const parameters = {
    type: "object" as const,
    properties: { city: { type: "string" }, unit: { type: "string", enum: ["c", "f"] } },
    required: ["city"],
  };
  const chatTools = [{ type: "function" as const, function: { name: "get_weather", parameters } }];

  it("are called in parallel for several values, and their results are quoted (Chat Completions)", async () => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: "user", content: "Use get_weather for Paris and Berlin" },
    ];
    const first = await openai.chat.completions.create({ model: "gpt-6-luna", messages, tools: chatTools });
    const message = first.choices[0]?.message;
    const calls = (message?.tool_calls ?? []).filter((call) => call.type === "function");
    expect(first.choices[0]?.finish_reason).toBe("tool_calls");
    expect(calls.map((call) => JSON.parse(call.function.arguments))).toEqual([{ city: "Paris" }, { city: "Berlin" }]);
    if (message !== undefined) messages.push(message);
    for (const call of calls)
      messages.push({ role: "tool", tool_call_id: call.id, content: `sunny in ${call.function.arguments}` });
    const second = await openai.chat.completions.create({ model: "gpt-6-luna", messages, tools: chatTools });
    expect(second.choices[0]?.message.content).toMatch(/sandbox.*get_weather answered.*Paris.*Berlin/u);
  });

  it("stream an id and a name once and arguments in pieces (Chat Completions)", async () => {
    const stream = openai.chat.completions.stream({
      model: "gpt-6-luna",
      messages: [{ role: "user", content: 'call get_weather with {"city": "São Paulo", "unit": "c"}' }],
      tools: chatTools,
    });
    const deltas: { id?: string; index: number }[] = [];
    for await (const chunk of stream) deltas.push(...(chunk.choices[0]?.delta.tool_calls ?? []));
    expect(deltas.filter((delta) => delta.id !== undefined)).toHaveLength(1);
    expect(deltas.length).toBeGreaterThan(2);
    const call = (await stream.finalChatCompletion()).choices[0]?.message.tool_calls?.[0];
    expect(call?.type === "function" && JSON.parse(call.function.arguments)).toEqual({ city: "São Paulo", unit: "c" });
  });

  it("are called when a choice forces one, and not when it forbids them", async () => {
    const body = {
      model: "claude-haiku-5-5",
      max_tokens: 500,
      messages: [{ role: "user" as const, content: "call get_weather in Rome" }],
      tools: [{ name: "get_weather", input_schema: parameters }],
    };
    const forced = await anthropic.messages.create({
      ...body,
      messages: [{ role: "user", content: "Hello" }],
      tool_choice: { type: "tool", name: "get_weather" },
    });
    expect(forced).toMatchObject({
      stop_reason: "tool_use",
      content: [{ type: "tool_use", name: "get_weather", input: { city: expect.any(String) } }],
    });
    expect(await anthropic.messages.create({ ...body, tool_choice: { type: "none" } })).toMatchObject({
      stop_reason: "end_turn",
    });
    const one = await anthropic.messages.create({
      ...body,
      messages: [{ role: "user", content: "get_weather for Rome and Oslo" }],
      tool_choice: { type: "auto", disable_parallel_tool_use: true },
    });
    expect(one.content.filter((block) => block.type === "tool_use")).toHaveLength(1);
  });

  it("go round with encrypted reasoning (Responses)", async () => {
    const tools = [{ type: "function" as const, name: "get_weather", parameters, strict: false }];
    const base = {
      model: "gpt-6-luna",
      tools,
      store: false,
      include: ["reasoning.encrypted_content" as const],
      reasoning: { effort: "low" as const, summary: "auto" as const },
    };
    const input: OpenAI.Responses.ResponseInput = [{ role: "user", content: "use get_weather for Oslo" }];
    const first = await openai.responses.create({ ...base, input });
    expect(first.output.map((item) => item.type)).toEqual(["reasoning", "function_call"]);
    const call = first.output.find((item) => item.type === "function_call");
    const output = { type: "function_call_output" as const, call_id: call?.call_id ?? "", output: "minus 3" };
    const send = (items: readonly unknown[]) =>
      openai.post("/responses", { body: { ...base, input: [...input, ...items, output] } });
    expect(JSON.stringify(await send(first.output))).toContain(String.raw`get_weather answered: \"minus 3\"`);
    const forged = { ...first.output[0], encrypted_content: "Zm9yZ2Vk" };
    const refused = await errorOf(send([forged, ...first.output.slice(1)]));
    expect(refused).toMatchObject({ status: 400, text: expect.stringContaining("could not be verified") });
  });

  it("need the signature of the first call back (Gemini)", async () => {
    const config = {
      tools: [{ functionDeclarations: [{ name: "get_weather", parametersJsonSchema: parameters }] }],
      toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } },
    };
    const contents = [{ role: "user", parts: [{ text: "use get_weather for Paris and Berlin" }] }];
    const first = await gemini.models.generateContent({ model: "gemini-3.8-flash", contents, config });
    const parts = first.candidates?.[0]?.content?.parts ?? [];
    expect(parts.map((part) => part.thoughtSignature !== undefined)).toEqual([true, false]);
    const results = {
      role: "user",
      parts: parts.map(() => ({ functionResponse: { name: "get_weather", response: { output: "rain" } } })),
    };
    const next = await gemini.models.generateContent({
      model: "gemini-3.8-flash",
      contents: [...contents, { role: "model", parts }, results],
      config,
    });
    expect(next.text).toContain('get_weather answered: "rain"');
    const bare = parts.map(({ functionCall }) => ({ functionCall: functionCall ?? {} }));
    const refused = await errorOf(
      gemini.models.generateContent({
        model: "gemini-3.8-flash",
        contents: [...contents, { role: "model", parts: bare }, results],
        config,
      }),
    );
    expect(refused).toMatchObject({ status: 400, text: expect.stringContaining("missing a thought_signature") });
  });
});

describe("usage", () => {
  it("reports cached input in OpenAI's way, inside the prompt tokens", async () => {
    const first = (await askOpenaiLong("I am one.")).usage;
    const second = (await askOpenaiLong("I am two.")).usage;
    expect(first?.prompt_tokens_details?.cached_tokens).toBe(0);
    expect(second?.prompt_tokens_details?.cached_tokens).toBeGreaterThanOrEqual(768);
    expect((second?.prompt_tokens_details?.cached_tokens ?? 0) % 128).toBe(0);
    expect(second?.prompt_tokens).toBe(first?.prompt_tokens);
    expect(second?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
    expect(second?.total_tokens).toBe((second?.prompt_tokens ?? 0) + (second?.completion_tokens ?? 0));
  });

  it("reports cached input in Anthropic's way, beside the input tokens and only at markers", async () => {
    const plain = (await askAnthropicLong("I am one.", false)).usage;
    expect(plain).toMatchObject({ cache_creation_input_tokens: 0, cache_read_input_tokens: 0 });
    const written = (await askAnthropicLong("I am two.", true)).usage;
    const read = (await askAnthropicLong("I am six.", true)).usage;
    expect(written.cache_creation?.ephemeral_1h_input_tokens).toBeGreaterThan(700);
    expect(read.cache_read_input_tokens).toBe(written.cache_creation_input_tokens);
    expect(read.input_tokens + (read.cache_read_input_tokens ?? 0)).toBe(plain.input_tokens);
    const counted = await anthropic.messages.countTokens({
      model: "claude-haiku-5-5",
      system: long,
      messages: [{ role: "user", content: "I am six." }],
    });
    expect(counted.input_tokens).toBe(plain.input_tokens);
  });

  it("reports cached input in Gemini's way, and thoughts beside the candidates", async () => {
    await askGeminiLong("I am one.");
    const usage = (await askGeminiLong("I am two.")).usageMetadata;
    expect(usage?.cachedContentTokenCount).toBeGreaterThanOrEqual(768);
    expect(usage?.totalTokenCount).toBe(
      (usage?.promptTokenCount ?? 0) + (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0),
    );
    expect(usage?.thoughtsTokenCount).toBeGreaterThan(0);
  });

  it("streams the same usage as it answers whole", async () => {
    const body = { model: "gpt-6-luna", messages: [{ role: "user" as const, content: "I like tea." }] };
    const whole = (await openai.chat.completions.create(body)).usage;
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of await openai.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    }))
      chunks.push(chunk);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  });

  it("forgets a cached prefix after its time", async () => {
    let now = 1_800_000_000_000;
    const own = await startSandbox({ now: () => now, minCacheTokens: 256 });
    const client = new OpenAI({ baseURL: own.openai.baseUrl, apiKey: own.openai.apiKey, maxRetries: 0 });
    const cached = async () =>
      (await client.responses.create({ model: "gpt-6-luna", instructions: long, input: "I am here." })).usage
        ?.input_tokens_details.cached_tokens;
    expect(await cached()).toBe(0);
    expect(await cached()).toBeGreaterThan(0);
    now += 301_000;
    expect(await cached()).toBe(0);
    await own.close();
  });
});

describe("Anthropic's thinking", () => {
  const model = "claude-opus-5-5";
  const question = { role: "user" as const, content: "I like tea." };
  const think = (
    messages: Anthropic.Beta.BetaMessageParam[],
    extra: Partial<Anthropic.Beta.MessageCreateParamsNonStreaming> = {},
  ) =>
    anthropic.beta.messages.create({
      model,
      max_tokens: 2_000,
      thinking: { type: "adaptive", display: "summarized" },
      messages,
      ...extra,
    });

  it("comes back verified, and is refused once it or the transcript before it was altered", async () => {
    const first = await think([question]);
    expect(first.content.map((block) => block.type)).toEqual(["thinking", "text"]);
    const turn = { role: "assistant" as const, content: first.content };
    const next = { role: "user" as const, content: "What do I like?" };
    expect(await think([question, turn, next])).toMatchObject({ stop_reason: "end_turn" });
    const altered = structuredClone(first.content);
    for (const block of altered) if (block.type === "thinking") block.thinking += "!";
    expect((await errorOf(think([question, { role: "assistant", content: altered }, next]))).text).toContain(
      "cannot be modified",
    );
    const edited = { role: "user" as const, content: "I like tea and <memory>Lisbon</memory>." };
    expect((await errorOf(think([edited, turn, next]))).text).toContain("bound to a different conversation");
    expect((await errorOf(think([question, turn, next], { system: "New rules." }))).text).toContain(
      "different conversation",
    );
    expect((await errorOf(think([question, turn, next], { model: "claude-fable-5-1" }))).text).toContain(
      "different model",
    );
    const binding = { type: "adaptive" as const, block_binding: { prefix_mismatch_behavior: "drop_block" as const } };
    expect((await errorOf(think([edited, turn, next], { thinking: binding }))).text).toContain(
      "Extra inputs are not permitted",
    );
    expect(
      await think([edited, turn, next], { thinking: binding, betas: ["thinking-binding-controls-2026-08-01"] }),
    ).toMatchObject({ stop_reason: "end_turn" });
  });

  it("survives a moved cache marker and a string turned into a block", async () => {
    const first = await think([question]);
    const same = {
      role: "user" as const,
      content: [{ type: "text" as const, text: "I like tea.", cache_control: { type: "ephemeral" as const } }],
    };
    expect(
      await think([same, { role: "assistant", content: first.content }, { role: "user", content: "What do I like?" }]),
    ).toMatchObject({ role: "assistant" });
  });

  it("is streamed as deltas with its signature, and only as a signature where the model hides it", async () => {
    const shown = await anthropic.messages
      .stream({ model, max_tokens: 2_000, thinking: { type: "adaptive", display: "summarized" }, messages: [question] })
      .finalMessage();
    expect(shown.content[0]).toMatchObject({
      type: "thinking",
      thinking: expect.stringContaining("sandbox"),
      signature: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/u),
    });
    const hidden = await anthropic.messages.stream({ model, max_tokens: 2_000, messages: [question] }).finalMessage();
    expect(hidden.content[0]).toMatchObject({ type: "thinking", thinking: "", signature: expect.stringMatching(/./u) });
    expect(hidden.usage.output_tokens_details?.thinking_tokens).toBeGreaterThan(0);
  });
});

describe("what the vendors refuse", () => {
  const tool = { name: "look", input_schema: { type: "object" } };
  const use = { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "look", input: {} }] };
  const asked = { role: "user", content: "I am here." };
  const cases: readonly (readonly [string, () => Promise<unknown>, number, RegExp])[] = [
    ["openai: an unknown model", () => refusedChat({ model: "gpt-99" }), 404, /does not exist/u],
    [
      "openai: an unknown field",
      () => refusedChat({ top_k: 3 }),
      400,
      /Unrecognized request argument supplied: top_k/u,
    ],
    ["openai: max_tokens on a reasoning model", () => refusedChat({ max_tokens: 5 }), 400, /max_completion_tokens/u],
    [
      "openai: a temperature while it thinks",
      () => refusedChat({ temperature: 0.2, reasoning_effort: "low" }),
      400,
      /temperature/u,
    ],
    ["openai: stop on a reasoning model", () => refusedChat({ stop: ["x"] }), 400, /'stop' is not supported/u],
    [
      "openai: an effort the model has not",
      () => refusedChat({ model: "gpt-6.1-sol", reasoning_effort: "none" }),
      400,
      /Supported values/u,
    ],
    [
      "openai: tools with an effort on 5.6",
      () =>
        refusedChat({
          model: "gpt-5.6-sol",
          reasoning_effort: "low",
          tools: [{ type: "function", function: { name: "a" } }],
        }),
      400,
      /\/v1\/responses/u,
    ],
    [
      "openai: a tool message without its call",
      () => refusedChat({ messages: [asked, { role: "tool", tool_call_id: "x", content: "y" }] }),
      400,
      /preceeding message/u,
    ],
    [
      "openai: a call without its tool message",
      () =>
        refusedChat({
          messages: [
            asked,
            {
              role: "assistant",
              content: null,
              tool_calls: [{ id: "c1", type: "function", function: { name: "a", arguments: "{}" } }],
            },
            asked,
          ],
        }),
      400,
      /did not have response messages: c1/u,
    ],
    [
      "openai: a strict schema that is open",
      () =>
        refusedChat({
          response_format: {
            type: "json_schema",
            json_schema: { name: "a", strict: true, schema: { type: "object", properties: {} } },
          },
        }),
      400,
      /additionalProperties/u,
    ],
    [
      "openai: JSON mode without the word",
      () => refusedChat({ response_format: { type: "json_object" } }),
      400,
      /must contain the word 'json'/u,
    ],
    [
      "openai: an output without its call (Responses)",
      () =>
        openai.responses.create({
          model: "gpt-6-sol",
          input: [{ type: "function_call_output", call_id: "c", output: "x" }],
        }),
      400,
      /No tool call found/u,
    ],
    [
      "openai: an unknown earlier response",
      () => openai.responses.create({ model: "gpt-6-sol", input: "x", previous_response_id: "resp_x" }),
      400,
      /not found/u,
    ],
    ["anthropic: an unknown model", () => refusedMessage({ model: "claude-99" }), 404, /claude-99/u],
    ["anthropic: no max_tokens", () => refusedMessage({ max_tokens: undefined }), 400, /max_tokens: Field required/u],
    [
      "anthropic: a temperature on a new model",
      () => refusedMessage({ temperature: 0.5 }),
      400,
      /deprecated for this model/u,
    ],
    [
      "anthropic: a forced tool on Opus 5.5",
      () => refusedMessage({ model: "claude-opus-5-5", tools: [tool], tool_choice: { type: "any" } }),
      400,
      /tool_choice: type .{1,4}tool.{1,4} and .{1,4}any.{1,4} are not supported/u,
    ],
    [
      "anthropic: a budget on Opus 5.5",
      () =>
        refusedMessage({
          model: "claude-opus-5-5",
          max_tokens: 5000,
          thinking: { type: "enabled", budget_tokens: 2000 },
        }),
      400,
      /adaptive/u,
    ],
    [
      "anthropic: a prefill on a new model",
      () => refusedMessage({ messages: [asked, { role: "assistant", content: "{" }] }),
      400,
      /prefill/u,
    ],
    [
      "anthropic: an empty text block",
      () => refusedMessage({ messages: [{ role: "user", content: [{ type: "text", text: "" }] }] }),
      400,
      /non-empty/u,
    ],
    [
      "anthropic: a bad tool id",
      () =>
        refusedMessage({
          tools: [tool],
          messages: [
            asked,
            { role: "assistant", content: [{ type: "tool_use", id: "a|b", name: "look", input: {} }] },
            asked,
          ],
        }),
      400,
      /should match pattern/u,
    ],
    [
      "anthropic: a call without its result",
      () => refusedMessage({ tools: [tool], messages: [asked, use, asked] }),
      400,
      /without `tool_result` blocks immediately after: t1/u,
    ],
    [
      "anthropic: text before a result",
      () =>
        refusedMessage({
          tools: [tool],
          messages: [
            asked,
            use,
            {
              role: "user",
              content: [
                { type: "text", text: "x" },
                { type: "tool_result", tool_use_id: "t1", content: "y" },
              ],
            },
          ],
        }),
      400,
      /immediately after/u,
    ],
    [
      "anthropic: a result without its call",
      () =>
        refusedMessage({
          messages: [
            asked,
            { role: "assistant", content: "ok" },
            { role: "user", content: [{ type: "tool_result", tool_use_id: "t9", content: "y" }] },
          ],
        }),
      400,
      /unexpected `tool_use_id`/u,
    ],
    [
      "anthropic: five cache markers",
      () =>
        refusedMessage({
          system: Array.from({ length: 5 }, () => ({ type: "text", text: "x", cache_control: { type: "ephemeral" } })),
        }),
      400,
      /maximum of 4/u,
    ],
    [
      "anthropic: half a character",
      () => refusedMessage({ messages: [{ role: "user", content: "cut \ud83d here" }] }),
      400,
      /no low surrogate/u,
    ],
    [
      "anthropic: an open schema",
      () =>
        refusedMessage({
          output_config: { format: { type: "json_schema", schema: { type: "object", properties: {} } } },
        }),
      400,
      /additionalProperties/u,
    ],
    [
      "anthropic: a system message among the others, on an older model",
      () => refusedMessage({ model: "claude-sonnet-4-6", messages: [asked, { role: "system", content: "x" }] }),
      400,
      /Unexpected role/u,
    ],
    [
      "gemini: an unknown model",
      () => refusedGenerate({}, undefined, "gemini-99"),
      404,
      /is not found for API version/u,
    ],
    [
      "gemini: a level the model has not",
      () => refusedGenerate({ thinkingConfig: { thinkingLevel: "MINIMAL" } }),
      400,
      /not supported for this model/u,
    ],
    [
      "gemini: JSON Schema words in an OpenAPI schema",
      // The SDK would move the schema to the field that takes it.
      () =>
        postRaw("/v1beta/models/gemini-3.8-flash:generateContent", {
          contents: [{ parts: [{ text: "x" }] }],
          tools: [
            { functionDeclarations: [{ name: "a", parameters: { type: "OBJECT", additionalProperties: false } }] },
          ],
        }),
      400,
      /Unknown name/u,
    ],
    [
      "gemini: a response without its call",
      () =>
        refusedGenerate({}, [
          { role: "user", parts: [{ text: "x" }] },
          { role: "user", parts: [{ functionResponse: { name: "a", response: {} } }] },
        ]),
      400,
      /after a function call turn/u,
    ],
    [
      "gemini: a response without a name",
      () => refusedGenerate({}, [{ role: "user", parts: [{ functionResponse: { response: {} } }] }]),
      400,
      /Name cannot be empty/u,
    ],
  ];

  it.each(cases)("%s", async (_name, send, status, text) => {
    const error = await errorOf(send());
    expect(error.status).toBe(status);
    expect(error.text).toMatch(text);
  });

  it("a missing or wrong key, in each vendor's own way", async () => {
    const models = {
      openai: new URL(`${sandbox.openai.baseUrl}/models`),
      anthropic: new URL("/v1/models", sandbox.anthropic.baseUrl),
      gemini: new URL("/v1beta/models", sandbox.gemini.baseUrl),
    };
    expect(await statuses(models.openai, {})).toBe(401);
    expect(await statuses(models.openai, { authorization: "Bearer wrong" })).toBe(401);
    expect(await statuses(models.anthropic, { "anthropic-version": "2023-06-01" })).toBe(401);
    expect(await statuses(models.anthropic, { "anthropic-version": "2023-06-01", "x-api-key": "wrong" })).toBe(401);
    // Google answers 403 without a key and 400 (API_KEY_INVALID) to a wrong one.
    expect(await statuses(models.gemini, {})).toBe(403);
    expect(await statuses(models.gemini, { "x-goog-api-key": "wrong" })).toBe(400);
  });
});

describe("errors on demand", () => {
  it("have each vendor's shape, and say when to come back", async () => {
    const fromOpenai = await postDirective("openai", "fail=429 retry_after=3");
    expect(fromOpenai.headers.get("retry-after")).toBe("3");
    expect(await fromOpenai.json()).toMatchObject({
      error: { type: "requests", code: "rate_limit_exceeded", param: null },
    });
    const fromAnthropic = await postDirective("anthropic", "fail=529");
    expect(fromAnthropic.status).toBe(529);
    expect(await fromAnthropic.json()).toMatchObject({
      type: "error",
      error: { type: "overloaded_error" },
      request_id: expect.stringContaining("sandbox"),
    });
    const fromGemini = await postDirective("gemini", "fail=429 retry_after=34");
    const details = [{ "@type": "type.googleapis.com/google.rpc.QuotaFailure" }, { retryDelay: "34s" }];
    expect(await fromGemini.json()).toMatchObject({ error: { code: 429, status: "RESOURCE_EXHAUSTED", details } });
  });

  it("come as an error inside a 200, as broken JSON, as nothing and as a page", async () => {
    const inside = await postDirective("anthropic", "fail=200-error");
    expect(inside.status).toBe(200);
    expect(await inside.json()).toMatchObject({ type: "error", error: { type: "api_error" } });
    await expect((await postDirective("openai", "fail=malformed")).json()).rejects.toThrow(/JSON/u);
    expect(await (await postDirective("gemini", "fail=empty")).text()).toBe("");
    expect((await postDirective("gemini", "fail=html")).headers.get("content-type")).toBe("text/html");
    await expect((await postDirective("openai", "fail=cut")).text()).rejects.toThrow(/terminated/u);
  });

  it("know a spent quota and an overlong prompt", async () => {
    expect(await (await postDirective("openai", "fail=quota")).json()).toMatchObject({
      error: { code: "insufficient_quota", type: "insufficient_quota" },
    });
    expect((await postDirective("anthropic", "fail=quota")).status).toBe(402);
    expect(await (await postDirective("openai", "fail=context")).json()).toMatchObject({
      error: { code: "context_length_exceeded" },
    });
    expect(await (await postDirective("anthropic", "fail=context")).json()).toMatchObject({
      error: { message: expect.stringContaining("prompt is too long") },
    });
  });

  it("strike in the middle of a stream when they are told after how many events", async () => {
    const body = {
      model: "claude-haiku-5-5",
      max_tokens: 500,
      messages: [{ role: "user" as const, content: "I am here. [[sandbox:fail=529 after=4]]" }],
    };
    const seen: string[] = [];
    const error = await errorOf(
      (async () => {
        for await (const event of await anthropic.messages.create({ ...body, stream: true })) seen.push(event.type);
      })(),
    );
    expect(seen).toEqual(["message_start", "content_block_start", "content_block_delta"]);
    expect(error.text).toContain("overloaded_error");
  });

  it("refuse in each vendor's own way", async () => {
    const content = "I am here. [[sandbox:refuse=true]]";
    const chat = await openai.chat.completions.create({ model: "gpt-6-luna", messages: [{ role: "user", content }] });
    expect(chat.choices[0]?.message).toMatchObject({ content: null, refusal: expect.stringContaining("sandbox") });
    const message = await anthropic.messages.create({
      model: "claude-haiku-5-5",
      max_tokens: 99,
      messages: [{ role: "user", content }],
    });
    expect(message).toMatchObject({ content: [], stop_reason: "refusal", stop_details: { type: "refusal" } });
    const generated = await gemini.models.generateContent({ model: "gemini-3.8-flash", contents: content });
    expect(generated.candidates?.[0]).toMatchObject({ finishReason: "SAFETY" });
  });

  it("wait as long as they are told before they answer", async () => {
    const started = performance.now();
    await postDirective("openai", "latency_ms=120");
    expect(performance.now() - started).toBeGreaterThanOrEqual(115);
  });

  it("refuse a standing order that makes no sense", async () => {
    expect(await control("openai", { times: 3 })).toMatchObject({ error: expect.stringContaining("Say what to do") });
    expect(await control("openai", { status: 500, vendor: "acme" })).toMatchObject({
      error: expect.stringContaining("vendor must be"),
    });
  });
});

describe("the rest of the surface", () => {
  it("keeps responses for previous_response_id, GET and DELETE", async () => {
    const first = await openai.responses.create({ model: "gpt-6-luna", input: "I live in Lisbon." });
    const second = await openai.responses.create({
      model: "gpt-6-luna",
      input: "Where do I live?",
      previous_response_id: first.id,
    });
    expect(second.output_text).toContain("I live in Lisbon.");
    expect(await openai.responses.retrieve(second.id)).toMatchObject({ id: second.id, previous_response_id: first.id });
    await openai.responses.delete(second.id);
    expect((await errorOf(openai.responses.retrieve(second.id))).status).toBe(404);
  });

  it("embeds like texts near each other, as numbers and as base64", async () => {
    const [one, two, far] = [
      await embed("I live in Lisbon"),
      await embed("Where do I live? In Lisbon"),
      await embed("The cat eats fish"),
    ];
    expect(one).toHaveLength(1_536);
    expect(cosine(one, two)).toBeGreaterThan(0.6);
    expect(cosine(one, far)).toBeLessThan(0.3);
    const plain = await openai.embeddings.create({
      model: "text-embedding-3-small",
      input: "I live in Lisbon",
      encoding_format: "float",
    });
    expect(plain.data[0]?.embedding[7]).toBeCloseTo(one[7] ?? Number.NaN, 6);
    const viaGemini = await gemini.models.embedContent({
      model: "gemini-embedding-001",
      contents: ["I live in Lisbon"],
      config: { outputDimensionality: 256 },
    });
    expect(viaGemini.embeddings?.[0]?.values).toHaveLength(256);
  });

  it("lists its models, and those it was told of", async () => {
    const own = await startSandbox({ extraModels: { openai: ["gpt-7-nova"] } });
    const client = new OpenAI({ baseURL: own.openai.baseUrl, apiKey: own.openai.apiKey, maxRetries: 0 });
    expect((await client.models.list()).data.map((model) => model.id)).toContain("gpt-7-nova");
    expect(
      (
        await client.chat.completions.create({
          model: "gpt-7-nova",
          messages: [{ role: "user", content: "I am here." }],
        })
      ).choices[0]?.message.content,
    ).toContain("sandbox");
    expect((await anthropic.models.list()).data.map((model) => model.id)).toContain("claude-opus-5-5");
    await own.close();
    await own.close();
  });

  it("streams Gemini's JSON list when no events are asked for", async () => {
    const response = await fetch(
      new URL("/v1beta/models/gemini-3.8-flash:streamGenerateContent", sandbox.gemini.baseUrl),
      {
        method: "POST",
        headers: { "x-goog-api-key": sandbox.gemini.apiKey },
        body: JSON.stringify({ contents: [{ parts: [{ text: "I like tea." }] }] }),
      },
    );
    const chunks: { candidates: { content: { parts: { text: string }[] } }[] }[] = JSON.parse(await response.text());
    expect(chunks.map((chunk) => chunk.candidates[0]?.content.parts[0]?.text).join("")).toBe(
      "[sandbox] Noted: I like tea.",
    );
  });
});

const hasSpec = existsSync(spec);
describe.skipIf(!hasSpec)(`OpenAI's own schema${hasSpec ? "" : " (skipped: ../shared/spec is absent)"}`, () => {
  const messages = [{ role: "user" as const, content: "I like tea. use look for tea" }];
  const tools = [
    {
      type: "function" as const,
      function: { name: "look", parameters: { type: "object", properties: { what: { type: "string" } } } },
    },
  ];
  const cache = new Map<string, ValidateFunction>();
  let ajv: Ajv;
  beforeAll(() => {
    ajv = new Ajv({ strict: false, validateFormats: false, discriminator: false });
    ajv.addSchema(JSON.parse(readFileSync(spec, "utf8"), toJsonSchema), "spec");
  });
  const faults = (name: string, value: unknown): readonly unknown[] => {
    const validate = cache.get(name) ?? ajv.compile({ $ref: `spec#/components/schemas/${name}` });
    cache.set(name, validate);
    validate(value);
    return validate.errors ?? [];
  };

  it.each([{}, { tools }, { reasoning_effort: "high" as const }, { n: 2 }])(
    "fits what Chat Completions answers: %j",
    async (extra) => {
      expect(
        faults(
          "CreateChatCompletionResponse",
          await openai.chat.completions.create({ model: "gpt-6-luna", messages, ...extra }),
        ),
      ).toEqual([]);
      const stream = await openai.chat.completions.create({
        model: "gpt-6-luna",
        messages,
        ...extra,
        stream: true,
        stream_options: { include_usage: true },
      });
      for await (const chunk of stream) expect(faults("CreateChatCompletionStreamResponse", chunk)).toEqual([]);
    },
  );

  it.each([
    {},
    {
      tools: [
        {
          type: "function" as const,
          name: "look",
          parameters: { type: "object", properties: { what: { type: "string" } } },
          strict: false,
        },
      ],
    },
    {
      reasoning: { effort: "high" as const, summary: "detailed" as const },
      include: ["reasoning.encrypted_content" as const],
    },
    { max_output_tokens: 16, input: "[[sandbox:words=100]]" },
    { input: "I am here. [[sandbox:refuse=true]]" },
    { input: "I am here. [[sandbox:fail=500 after=3]]" },
  ])("fits what Responses answers: %j", async (extra) => {
    const response = await fetch(`${sandbox.openai.baseUrl}/responses`, {
      method: "POST",
      headers: { authorization: `Bearer ${sandbox.openai.apiKey}` },
      body: JSON.stringify({ model: "gpt-6-luna", input: "I like tea. use look for tea", ...extra, stream: true }),
    });
    const events = (await response.text()).split("\n\n").filter((frame) => frame !== "");
    expect(events.length).toBeGreaterThan(4);
    for (const [index, frame] of events.entries()) {
      const event: { type: string; sequence_number: number; response?: { usage: unknown } } = JSON.parse(
        frame.slice(frame.indexOf("data: ") + 6),
      );
      expect(frame.startsWith(`event: ${event.type}\n`)).toBe(true);
      expect(event.sequence_number).toBe(index);
      // The recorded events hold `usage: null` until the end; the schema knows no null there.
      const { response: inner } = event;
      expect(
        faults(
          nameOfEvent(event.type),
          inner?.usage === null ? { ...event, response: { ...inner, usage: undefined } } : event,
        ),
      ).toEqual([]);
    }
  });

  it("fits embeddings, models and errors", async () => {
    expect(
      faults(
        "CreateEmbeddingResponse",
        await openai.embeddings.create({
          model: "text-embedding-3-small",
          input: ["a b", "c d"],
          encoding_format: "float",
        }),
      ),
    ).toEqual([]);
    const headers = { authorization: `Bearer ${sandbox.openai.apiKey}` };
    expect(
      faults("ListModelsResponse", await (await fetch(`${sandbox.openai.baseUrl}/models`, { headers })).json()),
    ).toEqual([]);
    expect(faults("ErrorResponse", await (await fetch(`${sandbox.openai.baseUrl}/models`)).json())).toEqual([]);
    expect(
      faults("ErrorResponse", await (await fetch(`${sandbox.openai.baseUrl}/models/nope`, { headers })).json()),
    ).toEqual([]);
  });
});

const hasWire = existsSync(wire);
describe.skipIf(!hasWire)(
  `the recorded answers of the real vendors${hasWire ? "" : " (skipped: ../shared/wire is absent)"}`,
  () => {
    const say = [{ role: "user", content: "I like tea." }];
    const contents = [{ role: "user", parts: [{ text: "I like tea." }] }];
    const declared = [
      {
        functionDeclarations: [
          {
            name: "weather",
            parameters: { type: "OBJECT", properties: { location: { type: "STRING" } }, required: ["location"] },
          },
        ],
      },
    ];

    it.each([
      ["openai-chat/openai-text.json", "openai", "/chat/completions", { model: "gpt-4.1-nano", messages: say }],
      [
        "openai-chat/openai-text.chunks.txt",
        "openai",
        "/chat/completions",
        { model: "gpt-4.1-nano", messages: say, stream: true, stream_options: { include_usage: true } },
      ],
      [
        "openai-responses/openai-reasoning-encrypted-content.1.json",
        "openai",
        "/responses",
        {
          model: "gpt-6-luna",
          input: "I like tea.",
          reasoning: { effort: "high", summary: "detailed" },
          include: ["reasoning.encrypted_content"],
          store: false,
          tools: [
            {
              type: "function",
              name: "x",
              description: "y",
              parameters: {
                type: "object",
                properties: {
                  a: { type: "number", description: "a" },
                  b: { type: "number", description: "b" },
                  op: { type: "string", enum: ["add"], default: "add", description: "c" },
                },
                required: ["a", "b", "op"],
                additionalProperties: false,
              },
              strict: true,
            },
          ],
        },
      ],
      [
        "anthropic/anthropic-text.json",
        "anthropic",
        "/v1/messages",
        { model: "claude-sonnet-4-5", max_tokens: 99, messages: say },
      ],
      [
        "anthropic/anthropic-text.chunks.txt",
        "anthropic",
        "/v1/messages",
        { model: "claude-sonnet-4-5", max_tokens: 99, messages: say, stream: true },
      ],
      [
        "anthropic/anthropic-clear-thinking.1.chunks.txt",
        "anthropic",
        "/v1/messages",
        {
          model: "claude-sonnet-4-5",
          max_tokens: 3000,
          messages: say,
          stream: true,
          thinking: { type: "enabled", budget_tokens: 2000 },
        },
      ],
      [
        "anthropic/anthropic-tool-no-args.chunks.txt",
        "anthropic",
        "/v1/messages",
        {
          model: "claude-sonnet-4-5",
          max_tokens: 99,
          messages: [{ role: "user", content: "call updateIssueList" }],
          stream: true,
          tools: [{ name: "updateIssueList", input_schema: { type: "object", properties: {} } }],
        },
      ],
      ["google/google-text.json", "gemini", "/v1beta/models/gemini-3-pro-preview:generateContent", { contents }],
      [
        "google/google-reasoning.chunks.txt",
        "gemini",
        "/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse",
        { contents },
      ],
      [
        "google/google-tool-call.json",
        "gemini",
        "/v1beta/models/gemini-3-pro-preview:generateContent",
        { contents: [{ parts: [{ text: "call weather in San Francisco." }] }], tools: declared },
      ],
      [
        "google/google-tool-call.chunks.txt",
        "gemini",
        "/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse",
        { contents: [{ parts: [{ text: "call weather in San Francisco." }] }], tools: declared },
      ],
    ] as const)("hold no field that the sandbox leaves out: %s", async (name, vendor, path, body) => {
      const isStream = name.endsWith(".txt");
      const ours = await raw(vendor, path, body);
      const recorded = isStream ? lines(readRecorded(name)) : [JSON.parse(readRecorded(name)) as unknown];
      const here = new Set(shapes(isStream ? frames(ours) : [JSON.parse(ours) as unknown]));
      // Things this request did not ask for: a text beside the tool call, billing and context management, `user: null`.
      const beside = /^\.(?:billing|context_management|user)\b|^\.content_block\.text|^\.delta\.text/u;
      expect(shapes(recorded).filter((field) => !here.has(field) && !beside.test(field))).toEqual([]);
    });
  },
);
