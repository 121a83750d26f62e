import { array, assert, asyncProperty, nat } from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../../router/chat.ts";
import { GatewayError } from "../../router/errors.ts";
import type { PooledFetch } from "../../router/pooled-fetch.ts";
import { createPooledFetch } from "../../router/pooled-fetch.ts";
import type { AnswerFrame, ProviderAnswer } from "../../router/provider.ts";
import { providers } from "../../router/providers.ts";
import { chatModel, chatRequest } from "../chat-call.ts";
import { checkAnswer, collect, eventsOf, summarise } from "./provider/answer-rules.ts";
import type { FakeVendor, Reply } from "./provider/fake-vendor.ts";
import { startFakeVendor } from "./provider/fake-vendor.ts";
import type { ProviderRow, Sample } from "./provider/rows.ts";
import { fixtureSamples, recordedSamples, rows } from "./provider/rows.ts";

const apiKey = "sk-test-0123456789abcdef";
const sse = { "content-type": "text/event-stream" };
const json = { "content-type": "application/json" };

it("has a row here for every provider of the registry", () => {
  expect([...new Set(rows.map((row) => row.provider))].toSorted()).toEqual(Object.keys(providers).toSorted());
});

type Ask = { readonly stream: boolean; readonly signal?: AbortSignal };

/** A vendor and connections of its own for each test. */
type World = FakeVendor & { readonly pooled: PooledFetch };

async function withVendor<T>(run: (vendor: World) => Promise<T>): Promise<T> {
  const vendor = Object.assign(await startFakeVendor(), { pooled: createPooledFetch() });
  try {
    return await run(vendor);
  } finally {
    await vendor.stop();
    await vendor.pooled.close();
  }
}

function ask(row: ProviderRow, vendor: World, { stream, signal }: Ask): Promise<ProviderAnswer> {
  const baseUrl = `${vendor.url}${row.basePath}`;
  const provider = row.create({ id: row.provider, apiKey, baseUrl, fetch: vendor.pooled });
  return provider.chat({
    request: chatRequest({ ...row.request, stream }),
    model: chatModel("model-1", row.provider),
    signal: signal ?? new AbortController().signal,
    warn: () => undefined,
  });
}

function answerTo(row: ProviderRow, reply: Reply, stream: boolean): Promise<AnswerFrame[]> {
  return withVendor(async (vendor) => {
    vendor.reply = reply;
    return collect((await ask(row, vendor, { stream })).frames);
  });
}

/** The error is a `GatewayError` and quotes no key. */

async function failureOf(row: ProviderRow, reply: Reply, stream: boolean): Promise<GatewayError> {
  const error: unknown = await answerTo(row, reply, stream).then(
    () => "no failure",
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof GatewayError)) throw new Error(`not a GatewayError: ${String(error)}`, { cause: error });
  if (error.message.includes("0123456789")) throw new Error(`quotes the key: ${error.message}`);
  return error;
}

function streamOf(row: ProviderRow, events: readonly string[]): string {
  return events.map((event) => row.frame(event)).join("") + row.ending;
}

/** A stream holds one answer: a recording of several is read to the end of the first. */
const replyOf = (row: ProviderRow, events: readonly string[]): Reply => ({
  headers: sse,
  chunks: [streamOf(row, events)],
});
const isFailure = (sample: Sample): boolean => /error|429/.test(sample.name);

/** The first row of each protocol stands for all where the wire is what is tested. */
const protocolRows = rows.filter((row, index) => rows.findIndex((other) => other.protocol === row.protocol) === index);

describe.each(rows)("$name", (row) => {
  const fixtures = fixtureSamples(row);

  it.each(fixtures)("answers $name the same streamed and whole", async ({ stream = [], whole = "" }) => {
    const streamed = eventsOf(await answerTo(row, replyOf(row, stream), true));
    const wholly = eventsOf(await answerTo(row, { headers: json, chunks: [whole] }, false));
    checkAnswer(streamed);
    checkAnswer(wholly);
    expect(summarise(streamed)).toEqual(summarise(wholly));
    expect(summarise(streamed).usage).toMatchObject({ estimated: false });
  });

  it("keeps the vendor's own bytes of every event", async () => {
    const [{ stream = [], whole = "" } = {}] = fixtures;
    const frames = await answerTo(row, replyOf(row, stream), true);
    const raw = frames.map((frame) => frame.raw).filter((bytes) => bytes !== undefined);
    expect(raw).toEqual(stream.slice(0, raw.length));
    expect(raw.length).toBe(stream.length);
    expect((await answerTo(row, { headers: json, chunks: [whole] }, false)).map((frame) => frame.raw)).toEqual([whole]);
  });

  it.each([
    [401, "authentication_error", "provider_auth"],
    [403, "permission_error", "provider_auth"],
    [413, "request_too_large", "request_too_large"],
    [429, "rate_limit_error", "rate_limited"],
    [500, "api_error", "provider_error"],
    [529, "overloaded_error", "overloaded"],
  ] as const)("calls a %i of type %s %s", async (status, type, code) => {
    const body = row.errorBody(`No, said the vendor to ${apiKey}`, type);
    const error = await failureOf(row, { status, headers: json, chunks: [body] }, true);
    expect(error.code).toBe(code);
    expect(error.vendor?.status).toBe(status);
    expect(error.message).toContain(row.provider);
  });

  it.each(row.refusals)("reads the reason of a %i %s", async (status, body, code) => {
    expect((await failureOf(row, { status, headers: json, chunks: [body] }, false)).code).toBe(code);
  });

  it("hands on how long to wait and the vendor's request id", async () => {
    const headers = { ...json, "retry-after": "7", "x-request-id": "req_7" };
    const error = await failureOf(
      row,
      { status: 429, headers, chunks: [row.errorBody("slow", "rate_limit_error")] },
      true,
    );
    expect(error.retryAfterMs).toBe(7000);
    expect(error.vendor?.requestId).toBe("req_7");
  });

  it("survives a proxy's page and half of an error", async () => {
    const page = { status: 503, headers: { "content-type": "text/html" }, chunks: ["<html><h1>Bad gateway</h1>"] };
    expect((await failureOf(row, page, true)).code).toBe("overloaded");
    const half = { status: 500, headers: json, chunks: ['{"error":{"mess'] };
    expect((await failureOf(row, half, false)).code).toBe("provider_error");
  });

  it("calls half an answer bad", async () => {
    expect((await failureOf(row, { headers: json, chunks: ['{"id":"x","choi'] }, false)).code).toBe("bad_answer");
    expect((await failureOf(row, { headers: json, chunks: [] }, false)).code).toBe("bad_answer");
  });

  it("finds the error inside a 200", async () => {
    const { whole, event, code } = row.embedded;
    expect((await failureOf(row, { headers: json, chunks: [whole] }, false)).code).toBe(code);
    expect((await failureOf(row, { headers: json, chunks: [whole] }, true)).code).toBe(code);
    expect((await failureOf(row, { headers: sse, chunks: [event] }, true)).code).toBe(code);
    const late = { headers: sse, chunks: [row.opening, row.endless, event] };
    expect((await failureOf(row, late, true)).code).toBe(code);
  });

  it("tells a stream that was cut from one that ended", async () => {
    const chunks = [row.opening, row.endless];
    expect((await failureOf(row, { headers: sse, chunks }, true)).code).toBe("bad_answer");
    expect((await failureOf(row, { headers: sse, chunks, after: "break" }, true)).code).toBe("unreachable");
    expect((await failureOf(row, { headers: sse, chunks: [] }, true)).code).toBe("bad_answer");
  });

  it("ends with the terminal event though heartbeats go on", async () => {
    const [{ stream = [] } = {}] = fixtures;
    const reply = { ...replyOf(row, stream), after: "heartbeats", heartbeat: row.heartbeat } as const;
    const events = eventsOf(await answerTo(row, reply, true));
    expect(events.at(-1)?.type).toBe("finish");
    expect(events).toEqual(eventsOf(await answerTo(row, replyOf(row, stream), true)));
  });

  it("uses a connection again once its stream is over", async () => {
    await withVendor(async (vendor) => {
      const [{ stream = [] } = {}] = fixtures;
      vendor.reply = { ...replyOf(row, stream), after: "late-end" };
      for (let turn = 0; turn < 6; turn += 1) {
        await collect((await ask(row, vendor, { stream: true })).frames);
        await vendor.answered(turn + 1);
      }
      // The next requests come before the packet that ends the last answer, so a few are needed, but not one each.
      expect(vendor.connections).toBeLessThan(6);
    });
  });

  it("calls a vendor that is not there unreachable", async () => {
    await withVendor(async (vendor) => {
      await vendor.stop();
      await expect(ask(row, vendor, { stream: true })).rejects.toMatchObject({ code: "unreachable" });
    });
  });
});

describe.each(protocolRows)("the wire of $protocol", (row) => {
  function* endless(): Generator<string> {
    yield row.opening;
    for (;;) yield row.endless;
  }

  it("stops reading when the consumer returns early", async () => {
    await withVendor(async (vendor) => {
      vendor.reply = { headers: sse, chunks: endless() };
      const { frames } = await ask(row, vendor, { stream: true });
      for await (const frame of frames) if (frame.events.some((event) => event.type === "text-delta")) break;
      await expect(vendor.gone()).resolves.toBe("gone");
    });
  });

  it("stops reading when nobody ever begins to", async () => {
    await withVendor(async (vendor) => {
      vendor.reply = { headers: sse, chunks: endless() };
      const { frames } = await ask(row, vendor, { stream: true });
      await frames[Symbol.asyncIterator]().return?.();
      await expect(vendor.gone()).resolves.toBe("gone");
    });
  });

  it("stops reading when the signal aborts, and throws its reason", async () => {
    await withVendor(async (vendor) => {
      vendor.reply = { headers: sse, chunks: [row.opening, row.endless], after: "heartbeats" };
      const controller = new AbortController();
      const reason = new Error("the client went away");
      const { frames } = await ask(row, vendor, { stream: true, signal: controller.signal });
      const reading = (async (): Promise<void> => {
        for await (const frame of frames)
          if (frame.events.some((event) => event.type === "text-delta")) controller.abort(reason);
      })();
      await expect(reading).rejects.toBe(reason);
      await vendor.gone();
    });
  });

  it("gives up a request whose signal aborts before the headers", async () => {
    await withVendor(async (vendor) => {
      const controller = new AbortController();
      const reason = new Error("too late");
      vendor.onRequest = () => controller.abort(reason);
      await expect(ask(row, vendor, { stream: true, signal: controller.signal })).rejects.toBe(reason);
      await vendor.gone();
    });
  });

  it("sends its key where the vendor wants it and nowhere else", async () => {
    await withVendor(async (vendor) => {
      vendor.reply = { status: 500 };
      await ask(row, vendor, { stream: false }).catch(() => undefined);
      const [sent] = vendor.received;
      const holders = Object.entries(sent?.headers ?? {}).filter(([, value]) => String(value).includes(apiKey));
      expect(holders).toHaveLength(1);
      expect(sent?.path).not.toContain(apiKey);
      expect(sent?.body).not.toContain(apiKey);
    });
  });

  it("reads a stream the same wherever TCP cuts it", async () => {
    const samples = [...fixtureSamples(row), ...(recordedSamples(row) ?? [])].filter(
      (sample) => sample.stream !== undefined && !isFailure(sample) && sample.stream.join("").length < 20_000,
    );
    await withVendor(async (vendor) => {
      const read = async (chunks: Uint8Array[]): Promise<ChatEvent[]> => {
        vendor.reply = { headers: sse, chunks };
        return eventsOf(await collect((await ask(row, vendor, { stream: true })).frames));
      };
      for (const sample of samples) {
        const bytes = Buffer.from(streamOf(row, sample.stream ?? []));
        const expected = await read([bytes]);
        const cuts = array(nat(bytes.length), { maxLength: 12 });
        await assert(
          asyncProperty(cuts, async (positions) => {
            const edges = [0, ...positions.toSorted((a, b) => a - b), bytes.length];
            const pieces = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
            expect(await read(pieces.filter((piece) => piece.length > 0))).toEqual(expected);
          }),
          { numRuns: 8 },
        );
      }
    });
  });

  const recorded = recordedSamples(row);
  const answers = recorded?.filter((sample) => !isFailure(sample)) ?? [];
  const failures = recorded?.filter((sample) => isFailure(sample)) ?? [];

  it.skipIf(recorded === undefined)("has recordings (skipped: ../shared/wire is not on this machine)", () => {
    expect(recorded).not.toHaveLength(0);
  });

  it.each(answers.filter((sample) => sample.stream !== undefined))(
    "replays the recorded stream $name",
    async (sample) => {
      const frames = await answerTo(row, replyOf(row, sample.stream ?? []), true);
      checkAnswer(eventsOf(frames));
      expect(frames.some((frame) => frame.raw === sample.stream?.[1])).toBe(true);
    },
  );

  it.each(failures.filter((sample) => sample.stream !== undefined))("finds the failure in $name", async (sample) => {
    expect((await failureOf(row, replyOf(row, sample.stream ?? []), true)).code).toBe("quota_exhausted");
  });

  it.each(answers.filter((sample) => sample.whole !== undefined))(
    "replays the recorded answer $name",
    async (sample) => {
      const events = eventsOf(await answerTo(row, { headers: json, chunks: [sample.whole ?? ""] }, false));
      checkAnswer(events);
      expect(events.some((event) => event.type === "usage")).toBe(JSON.stringify(sample.whole).includes("sage"));
    },
  );

  it.each(failures.filter((sample) => sample.whole !== undefined))(
    "maps the recorded failure $name",
    async (sample) => {
      const error = await failureOf(row, { status: 429, headers: json, chunks: [sample.whole ?? ""] }, false);
      expect(["quota_exhausted", "rate_limited"]).toContain(error.code);
    },
  );
});
