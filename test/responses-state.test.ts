import { APIError } from "openai";
import type OpenAI from "openai";
import type { ResponseCreateParamsNonStreaming } from "openai/resources/responses/responses";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { faultsOf } from "./support/openai-schema.ts";
import { type TestGateway, newDirectory, removeDirectory, startGateway } from "./support/gateway.ts";
import { responseEvents, streamFaults } from "./support/responses-client.ts";
import { promptOf, userTexts } from "./support/vendor-requests.ts";
import { answerJson, startVendor, type VendorServer } from "./vendor-server.ts";

const gpt = "openai/gpt-6-luna";
const claude = "anthropic/claude-haiku-5-5";
const gemini = "google/gemini-3.8-flash";
const weather = {
  type: "function" as const,
  name: "get_weather",
  strict: false,
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const keyOf = (name: string) => `${name}-key-of-some-length`;
const as = (user: string) => ({ "x-throughline-user": user });

/** The error an asked-for answer fails with. */
async function refusal(answer: Promise<unknown>): Promise<APIError> {
  const error = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof APIError) return error;
  throw new Error("It was answered.");
}

let gateway: TestGateway;
let client: OpenAI;
const ask = (body: Omit<ResponseCreateParamsNonStreaming, "stream">) => client.responses.create(body);
const lastPrompt = () => promptOf(gateway.asked().at(-1));

beforeAll(async () => {
  gateway = await startGateway({ yaml: "memory: { enabled: false }\n" });
  client = gateway.openai();
});
afterAll(async () => {
  await gateway.close();
});

describe("a conversation by previous_response_id", () => {
  it("goes on from vendor to vendor, each with everything said before", async () => {
    const first = await ask({ model: gpt, input: "My dog is called Rex.", instructions: "Talk like a pirate." });
    const second = await ask({ model: claude, input: "He is brown.", previous_response_id: first.id });
    expect(lastPrompt()).toContain("My dog is called Rex.");
    expect(lastPrompt()).toContain(first.output_text);
    const third = await ask({ model: gemini, input: "He is four.", previous_response_id: second.id });
    const fourth = await ask({ model: gpt, input: "Who is brown?", previous_response_id: third.id });
    expect(fourth.previous_response_id).toBe(third.id);
    expect(userTexts(gateway.asked().at(-1))).toEqual([
      "My dog is called Rex.",
      "He is brown.",
      "He is four.",
      "Who is brown?",
    ]);
    for (const said of [first, second, third]) expect(lastPrompt()).toContain(said.output_text);
    // Instructions are one response's own.
    expect(lastPrompt()).not.toContain("pirate");
    expect(gateway.asked().at(-1)?.body).toMatchObject({ store: false });
    expect(gateway.asked().at(-1)?.body).not.toHaveProperty("previous_response_id");
  });

  it.each([
    [gpt, claude],
    [claude, gemini],
    [gemini, gpt],
  ])("carries a tool call of %s on to %s", async (from, to) => {
    const first = await ask({ model: from, input: "Use get_weather for Paris.", tools: [weather] });
    const call = first.output.find((item) => item.type === "function_call");
    const second = await ask({
      model: to,
      previous_response_id: first.id,
      tools: [weather],
      input: [{ type: "function_call_output", call_id: call?.call_id ?? "", output: "Hail in Paris" }],
    });
    expect(second.output_text).toContain("Hail in Paris");
  });

  it("replays a vendor's own thinking to it, and to no other", async () => {
    const thinking = { tools: [weather], reasoning: { effort: "high" as const } };
    const model = "anthropic/claude-opus-5-5";
    const first = await ask({ model, input: "Use get_weather for Paris.", ...thinking });
    const call = first.output.find((item) => item.type === "function_call");
    const input = [{ type: "function_call_output" as const, call_id: call?.call_id ?? "", output: "Hail" }];
    const next = { previous_response_id: first.id, input, ...thinking };
    await ask({ model, ...next });
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).toContain('"signature":');
    await ask({ model: gpt, ...next });
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).not.toMatch(/signature|"reasoning","/);
  });

  it("replays encrypted reasoning to the vendor that made it", async () => {
    const first = await ask({ model: gpt, input: "Why is the sky blue?", reasoning: { effort: "high" } });
    const reasoning = first.output.find((item) => item.type === "reasoning");
    expect(reasoning?.encrypted_content).toBeTruthy();
    const second = await ask({ model: gpt, input: "And at night?", previous_response_id: first.id });
    expect(second.status).toBe("completed");
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).toContain(String(reasoning?.encrypted_content));
    await ask({ model: claude, input: "And on Mars?", previous_response_id: second.id });
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).not.toContain(String(reasoning?.encrypted_content));
  });

  it("can branch", async () => {
    const root = await ask({ model: gpt, input: "The root." });
    const left = await ask({ model: gpt, input: "The left branch.", previous_response_id: root.id });
    await ask({ model: gpt, input: "The right branch.", previous_response_id: root.id });
    expect(lastPrompt()).not.toContain("The left branch.");
    await ask({ model: gpt, input: "A leaf.", previous_response_id: left.id });
    expect(userTexts(gateway.asked().at(-1))).toEqual(["The root.", "The left branch.", "A leaf."]);
  });

  it("goes on from a stream as soon as its last event is here", async () => {
    for (const model of [gpt, claude]) {
      for await (const event of await client.responses.create({ model, input: "Count to two.", stream: true })) {
        if (event.type !== "response.completed") continue;
        const next = await ask({ model: gemini, input: "Go on.", previous_response_id: event.response.id });
        expect(next.previous_response_id).toBe(event.response.id);
      }
    }
    expect(lastPrompt()).toContain("Count to two.");
  });

  it("is refused with OpenAI's code when there is no such response", async () => {
    const error = await refusal(ask({ model: gpt, input: "Go on.", previous_response_id: "resp_none" }));
    expect([error.status, error.code, error.param]).toEqual([
      404,
      "previous_response_not_found",
      "previous_response_id",
    ]);
  });

  it("is left with nothing to say by an input that is empty", async () => {
    const first = await ask({ model: gpt, input: "Start." });
    const again = await ask({ model: gpt, previous_response_id: first.id });
    expect(again.status).toBe("completed");
  });
});

describe("a conversation by name", () => {
  it("begins with its first use and keeps its order", async () => {
    for (const [model, input] of [
      [gpt, "One."],
      [claude, "Two."],
      [gemini, "Three."],
    ] as const) {
      const response = await ask({ model, input, conversation: "conv_order" });
      expect(response.conversation).toEqual({ id: "conv_order" });
    }
    await ask({ model: gpt, input: "Four.", conversation: { id: "conv_order" } });
    expect(userTexts(gateway.asked().at(-1))).toEqual(["One.", "Two.", "Three.", "Four."]);
    expect(gateway.asked().at(-1)?.body).not.toHaveProperty("conversation");
  });

  it("is not led astray by a branch from one of its responses", async () => {
    const first = await ask({ model: gpt, input: "One.", conversation: "conv_branch" });
    await ask({ model: gpt, input: "Aside.", previous_response_id: first.id });
    await ask({ model: gpt, input: "Two.", conversation: "conv_branch" });
    expect(userTexts(gateway.asked().at(-1))).toEqual(["One.", "Two."]);
  });

  it("goes on without a response that was deleted", async () => {
    await ask({ model: gpt, input: "One.", conversation: "conv_delete" });
    const second = await ask({ model: gpt, input: "Two.", conversation: "conv_delete" });
    await client.responses.delete(second.id);
    await ask({ model: gpt, input: "Three.", conversation: "conv_delete" });
    expect(userTexts(gateway.asked().at(-1))).toEqual(["One.", "Three."]);
  });

  it("cannot begin with nothing", async () => {
    const error = await refusal(ask({ model: gpt, input: [], conversation: "conv_nothing" }));
    expect([error.status, error.param]).toEqual([400, "input"]);
  });

  it("excludes previous_response_id", async () => {
    const body = { model: gpt, input: "x", conversation: "c", previous_response_id: "resp_x" };
    expect((await refusal(ask(body))).status).toBe(400);
  });
});

describe("a response that is kept", () => {
  it("is read back as it was answered, by its id", async () => {
    for (const model of [gpt, claude, gemini]) {
      const created = await ask({ model, input: "Hello", metadata: { shelf: "a" }, store: true });
      const { _request_id: _first, ...read } = await client.responses.retrieve(created.id);
      const { _request_id: _second, ...answered } = created;
      expect(read).toEqual(answered);
      expect(read).toMatchObject({ store: true, metadata: { shelf: "a" } });
    }
  });

  it("is read back as a stream, whole or after an event", async () => {
    const asked = [
      ask({ model: claude, input: "Use get_weather for Paris.", tools: [weather], reasoning: { effort: "high" } }),
      ask({ model: gpt, input: "Why is the sky blue?", reasoning: { effort: "high", summary: "auto" } }),
      ask({ model: gpt, input: "Tell a long story. [[sandbox: words=300]]", max_output_tokens: 16 }),
    ];
    for (const created of await Promise.all(asked)) {
      const raw = await gateway.fetch(`/v1/responses/${created.id}?stream=true`);
      expect(streamFaults(responseEvents(await raw.text()))).toEqual([]);
      const replayed = await client.responses.stream({ response_id: created.id }).finalResponse();
      expect(replayed.output_text).toBe(created.output_text);
      const rest = await gateway.fetch(`/v1/responses/${created.id}?stream=true&starting_after=2`);
      expect(responseEvents(await rest.text())[0]?.["sequence_number"]).toBe(3);
    }
  });

  it("lists its own input in pages, newest first unless asked otherwise", async () => {
    const first = await ask({ model: gpt, input: "Before." });
    const created = await ask({
      model: claude,
      previous_response_id: first.id,
      input: [
        { role: "user", content: "One" },
        { role: "assistant", content: "Two" },
        { role: "user", content: [{ type: "input_text", text: "Three" }] },
      ],
    });
    const ids: string[] = [];
    for await (const item of client.responses.inputItems.list(created.id, { limit: 2 })) ids.push(item.id ?? "");
    expect(new Set(ids).size).toBe(3);
    const page = await client.responses.inputItems.list(created.id, { order: "asc" });
    expect(page.data.map((item) => item.id)).toEqual(ids.toReversed());
    expect(JSON.stringify(page.data)).toMatch(/One.*Two.*Three/);
    const raw = await (await gateway.fetch(`/v1/responses/${created.id}/input_items?order=asc`)).json();
    expect(faultsOf("ResponseItemList" as "Response", raw)).toEqual([]);
  });

  it("can be referred to item by item", async () => {
    const first = await ask({ model: claude, input: "Use get_weather for Paris.", tools: [weather] });
    const call = first.output.find((item) => item.type === "function_call");
    await ask({
      model: gpt,
      tools: [weather],
      input: [
        { role: "user", content: "Use get_weather for Paris." },
        { type: "item_reference", id: call?.id ?? "" },
        { type: "function_call_output", call_id: call?.call_id ?? "", output: "Hail" },
      ],
    });
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).toContain('"type":"function_call"');
    const unknown = await refusal(ask({ model: gpt, input: [{ type: "item_reference", id: "msg_none" }] }));
    expect([unknown.status, unknown.param]).toEqual([404, "input[0]"]);
  });

  it("is gone when it is deleted, and from what follows it", async () => {
    const first = await ask({ model: gpt, input: "A secret." });
    const second = await ask({ model: gpt, input: "Next.", previous_response_id: first.id });
    expect(await client.responses.delete(first.id)).toMatchObject({ id: first.id, deleted: true });
    expect((await refusal(client.responses.retrieve(first.id))).status).toBe(404);
    expect((await refusal(client.responses.inputItems.list(first.id))).status).toBe(404);
    expect((await refusal(client.responses.delete(first.id))).status).toBe(404);
    await ask({ model: gpt, input: "Go on.", previous_response_id: second.id });
    expect(userTexts(gateway.asked().at(-1))).toEqual(["Next.", "Go on."]);
  });

  it("cannot be cancelled, because it is never in the background", async () => {
    const { id } = await ask({ model: gpt, input: "Hello" });
    expect((await refusal(client.responses.cancel(id))).status).toBe(400);
    expect((await refusal(client.responses.cancel("resp_none"))).status).toBe(404);
    expect((await refusal(ask({ model: gpt, input: "Hello", background: true }))).param).toBe("background");
  });

  it("is not kept when the client says so, nor when its stream failed", async () => {
    const hidden = await ask({ model: gpt, input: "Hello", store: false });
    expect(hidden).toMatchObject({ store: false });
    expect((await refusal(client.responses.retrieve(hidden.id))).status).toBe(404);
    expect((await refusal(ask({ model: gpt, input: "x", previous_response_id: hidden.id }))).status).toBe(404);
    let id = "";
    const cut = client.responses.create({
      model: claude,
      input: "Hi [[sandbox: fail=cut after=8 words=60 event_delay_ms=15]]",
      stream: true,
    });
    const reading = (async () => {
      for await (const event of await cut) if ("response" in event) id = event.response.id;
    })();
    await expect(reading).rejects.toBeInstanceOf(APIError);
    expect(id).not.toBe("");
    expect((await refusal(client.responses.retrieve(id))).status).toBe(404);
  });

  it("continues without being kept itself", async () => {
    const first = await ask({ model: gpt, input: "Kept." });
    const second = await ask({ model: gpt, input: "Not kept.", previous_response_id: first.id, store: false });
    expect(userTexts(gateway.asked().at(-1))).toEqual(["Kept.", "Not kept."]);
    expect((await refusal(client.responses.retrieve(second.id))).status).toBe(404);
  });
});

describe("whose responses", () => {
  const keys = ["first", "second"].map((name) => `  - { name: ${name}, tenant: ${name}, key: "env:KEY_${name}" }\n`);
  const yaml = `memory: { enabled: false }\nkeys:\n${keys.join("")}`;
  let shared: TestGateway;
  beforeAll(async () => {
    shared = await startGateway({ yaml, env: { KEY_first: keyOf("first"), KEY_second: keyOf("second") } });
  });
  afterAll(async () => {
    await shared.close();
  });

  it("another tenant's are not there", async () => {
    const { id } = await shared.openai(as("ada"), keyOf("first")).responses.create({ model: gpt, input: "Hello" });
    const other = shared.openai(as("ada"), keyOf("second"));
    expect((await refusal(other.responses.retrieve(id))).status).toBe(404);
    expect((await refusal(other.responses.delete(id))).status).toBe(404);
    expect((await refusal(other.responses.create({ model: gpt, input: "x", previous_response_id: id }))).status).toBe(
      404,
    );
  });

  it("another user's are not there, and a conversation's name is each user's own", async () => {
    const ada = shared.openai(as("ada"), keyOf("first"));
    const bob = shared.openai(as("bob"), keyOf("first"));
    const { id, output } = await ada.responses.create({ model: gpt, input: "Ada's.", conversation: "diary" });
    expect((await refusal(bob.responses.retrieve(id))).status).toBe(404);
    expect((await refusal(bob.responses.inputItems.list(id))).status).toBe(404);
    expect((await refusal(bob.responses.delete(id))).status).toBe(404);
    expect((await refusal(bob.responses.create({ model: gpt, input: "x", previous_response_id: id }))).status).toBe(
      404,
    );
    const reference = { type: "item_reference" as const, id: output[0]?.id ?? "" };
    expect((await refusal(bob.responses.create({ model: gpt, input: [reference] }))).status).toBe(404);
    await bob.responses.create({ model: gpt, input: "Bob's.", conversation: "diary" });
    expect(userTexts(shared.asked().at(-1))).toEqual(["Bob's."]);
  });

  it("a user named in the body owns them, and the tenant's key reads them by id", async () => {
    const bare = shared.openai({}, keyOf("first"));
    const { id } = await bare.responses.create({ model: gpt, input: "Hello", safety_identifier: "cleo" });
    expect((await bare.responses.retrieve(id)).id).toBe(id);
    const next = { model: gpt, input: "x", previous_response_id: id };
    expect((await bare.responses.create({ ...next, safety_identifier: "cleo" })).previous_response_id).toBe(id);
    expect((await refusal(bare.responses.create({ ...next, safety_identifier: "dora" }))).status).toBe(404);
  });

  it("erasing a user erases them", async () => {
    const ada = shared.openai(as("ada"), keyOf("first"));
    const bob = shared.openai(as("bob"), keyOf("first"));
    const [hers, his] = await Promise.all(
      [ada, bob].map((one) => one.responses.create({ model: gpt, input: "Hello" })),
    );
    const erased = await shared.fetch("/v1/users/ada", {
      method: "DELETE",
      headers: { authorization: `Bearer ${keyOf("first")}` },
    });
    expect([200, 404]).toContain(erased.status);
    expect((await refusal(ada.responses.retrieve(hers?.id ?? ""))).status).toBe(404);
    expect((await bob.responses.retrieve(his?.id ?? "")).id).toBe(his?.id);
  });
});

describe("a restart", () => {
  const sealed = "gAAAAA-only-one-key-opens-it";
  const thought = {
    id: "resp_thought",
    object: "response",
    created_at: 1,
    status: "completed",
    model: "gpt-6-luna",
    output: [
      { id: "rs_1", type: "reasoning", encrypted_content: sealed, summary: [] },
      {
        id: "msg_1",
        type: "message",
        status: "completed",
        role: "assistant",
        content: [{ type: "output_text", text: "The river.", annotations: [], logprobs: [] }],
      },
    ],
  };
  const data = newDirectory();
  let vendor: VendorServer;
  const open = (key: string) =>
    startGateway({
      data,
      yaml: "memory: { enabled: false }\n",
      env: { OPENAI_API_KEY: key, OPENAI_BASE_URL: vendor.url },
    });
  const goOn = async (key: string) => {
    const reopened = await open(key);
    await reopened.openai().responses.create({ model: gpt, input: "Go on.", previous_response_id: "resp_thought" });
    await reopened.close();
    return JSON.stringify(vendor.seen.at(-1)?.body);
  };
  beforeAll(async () => {
    vendor = await startVendor((response) => answerJson(response, 200, JSON.stringify(thought)));
    const before = await open("one");
    await before.openai().responses.create({ model: gpt, input: "What do you see?" });
    await before.close();
  });
  afterAll(async () => {
    await vendor.close();
    removeDirectory(data);
  });

  it("loses nothing that was answered", async () => {
    const sent = await goOn("one");
    for (const part of ["What do you see?", "The river.", "Go on.", sealed]) expect(sent).toContain(part);
  });

  it("with another key leaves out what only the first one opens", async () => {
    const sent = await goOn("two");
    expect(sent).toContain("The river.");
    expect(sent).not.toContain(sealed);
    expect(sent).not.toContain("rs_1");
  });
});

describe("memory in a conversation that is kept", () => {
  it("gives the same bytes at the same turn, whoever answers", async () => {
    const remembering = await startGateway();
    const ada = remembering.openai(as("ada"));
    await ada.responses.create({ model: gpt, input: "My sister Ines works as a carpenter in Evora." });
    await remembering.learned();
    const first = await ada.responses.create({ model: gpt, input: "Where does my sister Ines work?" });
    const opening = promptOf(remembering.asked().at(-1));
    expect(opening).toContain("Evora");
    await remembering.learned();
    const second = await ada.responses.create({ model: claude, input: "Thanks!", previous_response_id: first.id });
    // Each vendor joins the block to the turn in its own way; the block is the same.
    const block = opening.slice(0, opening.indexOf("Where does"));
    expect(userTexts(remembering.asked().at(-1))[0]?.startsWith(block.trimEnd())).toBe(true);
    await remembering.learned();
    await ada.responses.create({ model: gpt, input: "And her name?", previous_response_id: second.id });
    const turns = userTexts(remembering.asked().at(-1));
    expect(turns[0]).toBe(opening);
    expect(turns).toHaveLength(3);
    await remembering.close();
  });
});
