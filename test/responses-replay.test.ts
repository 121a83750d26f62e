import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isJsonObject, type JsonObject, type JsonValue } from "../router/json.ts";
import { closeJson } from "../router/providers/close-json.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { faultsOf } from "./support/openai-schema.ts";
import { responseEvents, streamFaults } from "./support/responses-client.ts";
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
  for (const name of recordings("openai-responses", ".chunks.txt")) {
    it(`passes through event by event, and can be read back: ${name}`, async () => {
      const lines = firstResponse(recordedEvents(`openai-responses/${name}`));
      answer = { stream: true, text: lines.map((line) => `data: ${line}\n\n`).join("") };
      const response = await ask("openai-responses", true);
      const text = await response.text();
      if (response.status !== 200) {
        // The recording fails before its first word, so no stream was begun.
        expect(lines.some((line) => line.includes('"type":"error"'))).toBe(true);
        expect(faultsOf("ErrorResponse", parse(text))).toEqual([]);
        return;
      }
      const events = responseEvents(text);
      expect(events.map((event) => event["type"])).toEqual(lines.map((line) => parse(line)["type"]));
      const numbers = events.map((event) => Number(event["sequence_number"]));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      for (const [index, line] of lines.entries()) {
        const event = events[index] ?? {};
        // What was right stays right; what holds a response is made right.
        const wasRight = faultsOf("ResponseStreamEvent", parse(line)).length === 0;
        if (wasRight || carriesResponse.test(String(event["type"]))) {
          expect(faultsOf("ResponseStreamEvent", event)).toEqual([]);
        }
        if (wasRight && !carriesResponse.test(String(event["type"]))) expect(text).toContain(`data: ${line}\n`);
        if (!carriesResponse.test(String(event["type"]))) expect(event).toMatchObject(parse(line));
      }
      const last = events.at(-1)?.["response"];
      const id = isJsonObject(last) ? String(last["id"]) : "";
      expect(await (await gateway.fetch(`/v1/responses/${id}`)).json()).toEqual(last);
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
  for (const folder of ["openai-responses", "anthropic", "google"] as const) {
    for (const name of recordings(folder, ".json")) {
      it(`becomes a response as OpenAI has it: ${folder}/${name}`, async () => {
        const text = recorded(`${folder}/${name}`);
        const failed = isJsonObject(parse(text)["error"]);
        answer = { stream: false, text };
        const response = await ask(folder, false);
        const body = parse(await response.text());
        expect(response.status === 200).toBe(!failed);
        expect(faultsOf(failed ? "ErrorResponse" : "Response", body)).toEqual([]);
        if (failed) return;
        if (folder === "openai-responses") expect(body["output"]).toEqual(parse(text)["output"]);
        expect(await (await gateway.fetch(`/v1/responses/${String(body["id"])}`)).json()).toEqual(body);
      });
    }
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
