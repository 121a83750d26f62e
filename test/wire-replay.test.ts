import { APIError as AnthropicError } from "@anthropic-ai/sdk";
import { APIError as OpenAIError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isJsonObject } from "../router/json.ts";
import { dialects } from "./conformance/dialect/ask.ts";
import { toEvents } from "./conformance/dialect/seen.ts";
import { readResponsesStream } from "./conformance/dialect/seen-responses.ts";
import { type FakeVendor, type Reply, startFakeVendor } from "./conformance/provider/fake-vendor.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { clients } from "./wire-replay/clients.ts";
import { frame, noRecordings, parseLine, readRecordings, type Recording, type Wire } from "./wire-replay/recordings.ts";
import { readTold, type Told } from "./wire-replay/told.ts";

const models: Readonly<Record<Wire, string>> = {
  "openai-chat": "local/local-model",
  // Tools with an effort take every client of this model to Responses.
  "openai-responses": "openai/gpt-5.6-luna",
  anthropic: "anthropic/claude-haiku-5-5",
  google: "google/gemini-3.8-flash",
};

let vendor: FakeVendor;
let gateway: TestGateway;

beforeAll(async () => {
  vendor = await startFakeVendor();
  gateway = await startGateway({
    env: {
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: `${vendor.url}/v1`,
      ANTHROPIC_API_KEY: "k",
      ANTHROPIC_BASE_URL: vendor.url,
      GEMINI_API_KEY: "k",
      GOOGLE_GEMINI_BASE_URL: vendor.url,
    },
    yaml: `memory: { enabled: false }
limits: { maxAttempts: 1 }
providers:
  - id: local
    baseUrl: ${vendor.url}/v1
    models:
      - { id: local-model, contextTokens: 200000, maxOutputTokens: 32000, efforts: [none, low] }
`,
  });
});
afterAll(async () => {
  await gateway.close();
  await vendor.stop();
});

const recordings = readRecordings();
const answers = recordings.filter((recording) => !readTold(recording).failed);
const failures = recordings.filter((recording) => readTold(recording).failed);

function replyOf({ wire, events, whole = "" }: Recording): Reply {
  if (events !== undefined) return { headers: { "content-type": "text/event-stream" }, chunks: [frame(wire, events)] };
  const error = parseLine(whole)?.["error"];
  const status = isJsonObject(error) ? (typeof error["code"] === "number" ? error["code"] : 429) : 200;
  return { status, headers: { "content-type": "application/json" }, chunks: [whole] };
}

/** OpenAI's own servers send events that its own schema does not have; they are passed on as they are. */
function vendorsOwn({ wire, events = [] }: Recording): readonly string[] {
  const whole = events.map((event) => JSON.stringify(parseLine(event)));
  return wire === "openai-responses" ? readResponsesStream(toEvents(frame(wire, whole))).faults : [];
}

/** A vendor's own count of its output is passed on as it is; xAI's leaves the thinking out. */
function counted(usage: Told["usage"], passed: boolean): Partial<Told["usage"]> {
  return passed && usage !== undefined ? { input: usage.input, cached: usage.cached } : usage;
}

it.skipIf(noRecordings !== false)(
  `finds recordings (${noRecordings === false ? "they are there" : noRecordings})`,
  () => {
    expect(recordings).not.toHaveLength(0);
  },
);

describe.each(recordings.length === 0 ? [] : dialects)("the official client of %s", (dialect) => {
  it.each(answers)("understands $name", async (recording) => {
    vendor.reply = replyOf(recording);
    const told = readTold(recording);
    const heard = await clients[dialect](gateway.origin, models[recording.wire], recording.events !== undefined);
    const passed = dialect === recording.wire;
    const own = passed ? vendorsOwn(recording) : [];
    expect(heard.seen.faults.filter((fault) => !own.includes(fault))).toEqual([]);
    // Anthropic's messages have no place of their own for words of refusal.
    const words = dialect === "anthropic-messages" ? told.text + told.refusal : told.text;
    expect(heard.text).toBe(words);
    expect(heard.deltas).toBe(passed ? told.deltas : words);
    expect(heard.seen.text).toBe(words);
    expect(heard.calls).toEqual(told.calls);
    expect(counted(heard.seen.usage, passed)).toEqual(counted(told.usage, passed));
  });

  it.each(failures)("hears of the failure in $name", async (recording) => {
    vendor.reply = replyOf(recording);
    const failure: unknown = await clients[dialect](
      gateway.origin,
      models[recording.wire],
      recording.events !== undefined,
    ).then(
      () => undefined,
      (error: unknown) => error,
    );
    const expected = dialect === "anthropic-messages" ? AnthropicError : OpenAIError;
    expect(failure).toBeInstanceOf(expected);
    expect(failure).toMatchObject({ status: expect.any(Number), message: expect.stringMatching(/./) });
  });
});
