import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isJsonObject, type JsonObject, type JsonValue } from "../router/json.ts";
import { closeJson } from "../router/providers/close-json.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { faultsOf } from "./support/openai-schema.ts";
import { responseEvents, show, streamFaults } from "./support/responses-client.ts";
import {
  answerJson,
  noRecordings,
  recorded,
  recordedEvents,
  startVendor,
  toSse,
  type VendorServer,
} from "./vendor-server.ts";

const folders = {
  "openai-responses": "gpt-6-luna",
  anthropic: "claude-haiku-5-5",
  google: "gemini-2.5-flash",
} as const;
type Folder = keyof typeof folders;

const recordings = (folder: Folder, ending: string): string[] =>
  noRecordings === false
    ? readdirSync(join(import.meta.dirname, "../../shared/wire", folder)).filter((name) => name.endsWith(ending))
    : [];

let vendor: VendorServer;
let gateway: TestGateway;
/** What the vendor answers next. */
let answer: { readonly stream: boolean; readonly text: string };

beforeAll(async () => {
  vendor = await startVendor((response) => {
    if (!answer.stream) return answerJson(response, 200, answer.text);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(answer.text);
  });
  gateway = await startGateway({
    yaml: "memory: { enabled: false }\nlimits: { maxAttempts: 1 }\n",
    env: {
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: vendor.url,
      ANTHROPIC_API_KEY: "k",
      ANTHROPIC_BASE_URL: vendor.url,
      GEMINI_API_KEY: "k",
      GOOGLE_GEMINI_BASE_URL: vendor.url,
    },
  });
});
afterAll(async () => {
  await gateway.close();
  await vendor.close();
});

const ask = async (folder: Folder, stream: boolean): Promise<Response> =>
  await gateway.fetch("/v1/responses", {
    body: { model: folders[folder], input: "Hello", stream, reasoning: { summary: "auto" } },
  });

/** One recorded line lacks its last brace, which the gateway forgives as well. */
const parse = (text: string): JsonObject => {
  const value: JsonValue = JSON.parse(closeJson(text) ?? text);
  if (!isJsonObject(value)) throw new Error(`no object: ${text.slice(0, 100)}`);
  return value;
};

/** One recording holds the requests of a whole tool loop. */
const firstResponse = (lines: readonly string[]): readonly string[] => {
  const end = lines.findIndex((line) => line.startsWith('{"type":"response.completed"'));
  return lines.slice(0, end === -1 ? lines.length : end + 1);
};

const carriesResponse = /^response\.(created|in_progress|completed|incomplete)$/;

describe.skipIf(noRecordings !== false)("a recorded stream of the same protocol", () => {
  const streams = recordings("openai-responses", ".chunks.txt").map((name) => ({
    name,
    lines: firstResponse(recordedEvents(`openai-responses/${name}`)),
  }));
  const fails = ({ lines }: (typeof streams)[number]) => lines.some((line) => line.startsWith('{"type":"error"'));

  for (const { name, lines } of streams.filter((stream) => !fails(stream))) {
    it(`passes through event by event, and can be read back: ${name}`, async () => {
      answer = { stream: true, text: lines.map((line) => `data: ${line}\n\n`).join("") };
      const text = await (await ask("openai-responses", true)).text();
      const events = responseEvents(text);
      expect(events.map((event) => event["type"])).toEqual(lines.map((line) => parse(line)["type"]));
      const numbers = events.map((event) => Number(event["sequence_number"]));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      // What holds a response is made right; of the rest, what was right is passed on byte for byte.
      const bodies = lines.map(parse);
      const holders = events.filter((event) => carriesResponse.test(show(event["type"])));
      expect(holders.flatMap((event) => faultsOf("ResponseStreamEvent", event))).toEqual([]);
      const rest = lines.filter((_line, index) => !carriesResponse.test(show(bodies[index]?.["type"])));
      const right = rest.filter((line) => faultsOf("ResponseStreamEvent", parse(line)).length === 0);
      expect(right.filter((line) => !text.includes(`data: ${line}\n`))).toEqual([]);
      const others = events.filter((event) => !carriesResponse.test(show(event["type"])));
      expect(others).toMatchObject(rest.map(parse));
      const last = events.at(-1)?.["response"];
      const id = isJsonObject(last) ? show(last["id"]) : "";
      expect(await (await gateway.fetch(`/v1/responses/${id}`)).json()).toEqual(last);
    });
  }

  for (const { name, lines } of streams.filter(fails)) {
    it(`that fails before its first word is an error, not a stream: ${name}`, async () => {
      answer = { stream: true, text: lines.map((line) => `data: ${line}\n\n`).join("") };
      const response = await ask("openai-responses", true);
      expect(response.status).toBe(429);
      expect(faultsOf("ErrorResponse", await response.json())).toEqual([]);
    });
  }
});

describe.skipIf(noRecordings !== false)("a recorded stream of another protocol", () => {
  for (const folder of ["anthropic", "google"] as const) {
    for (const name of recordings(folder, ".chunks.txt")) {
      it(`becomes events as OpenAI has them: ${folder}/${name}`, async () => {
        const lines = recordedEvents(`${folder}/${name}`);
        answer = { stream: true, text: toSse(lines, folder === "anthropic") };
        const response = await ask(folder, true);
        expect(response.status).toBe(200);
        expect(streamFaults(responseEvents(await response.text()))).toEqual([]);
      });
    }
  }
});

describe.skipIf(noRecordings !== false)("a recorded answer", () => {
  const answers = (["openai-responses", "anthropic", "google"] as const).flatMap((folder) =>
    recordings(folder, ".json").map((name) => ({ folder, name, text: recorded(`${folder}/${name}`) })),
  );
  const fails = ({ text }: (typeof answers)[number]) => isJsonObject(parse(text)["error"]);

  for (const { folder, name, text } of answers.filter((one) => !fails(one))) {
    it(`becomes a response as OpenAI has it, and can be read back: ${folder}/${name}`, async () => {
      answer = { stream: false, text };
      const response = await ask(folder, false);
      const body = parse(await response.text());
      expect(response.status).toBe(200);
      expect(faultsOf("Response", body)).toEqual([]);
      expect(folder === "openai-responses" ? body["output"] : parse(text)["output"]).toEqual(parse(text)["output"]);
      expect(await (await gateway.fetch(`/v1/responses/${show(body["id"])}`)).json()).toEqual(body);
    });
  }

  for (const { folder, name, text } of answers.filter(fails)) {
    it(`that is an error inside a 200 is an error: ${folder}/${name}`, async () => {
      answer = { stream: false, text };
      const response = await ask(folder, false);
      expect(response.status).toBe(429);
      expect(faultsOf("ErrorResponse", await response.json())).toEqual([]);
    });
  }

  it("is passed on byte for byte when nothing in it is otherwise here", async () => {
    const own = parse(recorded("openai-responses/openai-reasoning-encrypted-content.1.json"));
    const usage = {
      input_tokens: 3,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: 2,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 5,
    };
    const { user: _user, ...rest } = own;
    const text = `${JSON.stringify({ ...rest, usage, store: true, previous_response_id: null }, null, 3)}\n`;
    answer = { stream: false, text };
    expect(await (await ask("openai-responses", false)).text()).toBe(text);
  });
});
