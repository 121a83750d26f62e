import { afterEach, describe, expect, it } from "vitest";
import type { ChatRequest } from "../router/chat.ts";
import { createPooledFetch } from "../router/pooled-fetch.ts";
import type { Provider } from "../router/provider.ts";
import { createGeminiProvider } from "../router/providers/gemini.ts";
import { chatCall, chatModel, chatRequest } from "./chat-call.ts";
import {
  answerJson,
  eventsOf,
  noRecordings,
  recorded,
  startVendor,
  textOf,
  toSse,
  type VendorServer,
} from "./vendor-server.ts";

const body = {
  candidates: [{ content: { parts: [{ text: "Hé" }], role: "model" }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 },
  newField: { kept: true },
};
const chunks = [
  { candidates: [{ content: { parts: [{ text: "H" }] } }] },
  { candidates: [{ content: { parts: [{ text: "é" }] }, finishReason: "STOP" }], usageMetadata: body.usageMetadata },
].map((chunk) => JSON.stringify(chunk));

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function connect(
  answer: Parameters<typeof startVendor>[0],
): Promise<{ readonly vendor: VendorServer; readonly provider: Provider }> {
  const vendor = await startVendor(answer);
  const fetch = createPooledFetch();
  closers.push(
    () => vendor.close(),
    () => fetch.close(),
  );
  return { vendor, provider: createGeminiProvider({ id: "gemini", apiKey: "AIza-test", baseUrl: vendor.url, fetch }) };
}

function call(parts: Partial<ChatRequest> = {}, signal = new AbortController().signal) {
  return { ...chatCall(chatRequest(parts), chatModel("gemini-3.8-flash", "gemini")), signal };
}

function error(code: number, status: string, message: string, details: object[] = []): string {
  return JSON.stringify({ error: { code, status, message, details } });
}

describe("the Gemini provider", () => {
  it("sends one authenticated request and reads the whole answer with its bytes", async () => {
    const text = JSON.stringify(body, null, 2);
    const { vendor, provider } = await connect((response) => answerJson(response, 200, text));
    const answer = await provider.chat(
      call({
        messages: [
          { role: "system", content: [{ type: "text", text: "Be brief." }] },
          { role: "user", content: [{ type: "text", text: "Hi" }] },
        ],
        tools: [{ type: "function", name: "f", parameters: { type: "object" } }],
        sampling: { temperature: 0.5 },
        reasoning: { effort: "low" },
      }),
    );
    const frames = await Array.fromAsync(answer.frames);
    expect(frames.map((frame) => frame.raw)).toEqual([text]);
    expect(textOf(frames.flatMap((frame) => frame.events))).toBe("Hé");
    expect(vendor.seen).toHaveLength(1);
    expect(vendor.seen[0]).toMatchObject({
      method: "POST",
      url: "/v1beta/models/gemini-3.8-flash:generateContent",
      headers: { "x-goog-api-key": "AIza-test" },
      body: {
        systemInstruction: { parts: [{ text: "Be brief." }] },
        contents: [{ role: "user", parts: [{ text: "Hi" }] }],
        tools: [{ functionDeclarations: [{ name: "f", parametersJsonSchema: { type: "object" } }] }],
        generationConfig: { temperature: 0.5, thinkingConfig: { thinkingLevel: "LOW" } },
      },
    });
  });

  it("streams chunks with their own bytes, cut anywhere, and stops at the end though the vendor goes on (59, 60)", async () => {
    const { vendor, provider } = await connect((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const bytes = Buffer.from(toSse(chunks, false).replaceAll("\n", "\r\n"));
      const cut = bytes.indexOf(0xc3) + 1;
      response.write(bytes.subarray(0, cut));
      setImmediate(() => response.write(Buffer.concat([bytes.subarray(cut), Buffer.from(": ping\r\n\r\n")])));
    });
    const answer = await provider.chat(call({ stream: true }));
    const frames = await Array.fromAsync(answer.frames);
    expect(frames.map((frame) => frame.raw)).toEqual(chunks);
    expect(textOf(frames.flatMap((frame) => frame.events))).toBe("Hé");
    expect(vendor.seen[0]?.url).toBe("/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse");
  });

  it("does not go on by itself where an answer pauses or breaks", async () => {
    const paused = {
      ...body,
      candidates: [{ ...body.candidates[0], finishReason: "CONTINUATION", continuationToken: "dG9r" }],
    };
    const { vendor, provider } = await connect((response, seen) => {
      if (seen.url.includes("stream")) response.write(toSse(chunks.slice(0, 1), false), () => response.destroy());
      else answerJson(response, 200, JSON.stringify(paused));
    });
    const events = await eventsOf((await provider.chat(call())).frames);
    expect(events.at(-1)).toMatchObject({ type: "finish", reason: "pause" });
    const broken = await provider.chat(call({ stream: true }));
    await expect(eventsOf(broken.frames)).rejects.toMatchObject({ code: "unreachable" });
    expect(vendor.seen).toHaveLength(2);
  });

  it("throws a refusal as ours, after one attempt (72)", async () => {
    const cases = [
      [503, error(503, "UNAVAILABLE", "Overloaded"), "overloaded"],
      [400, error(400, "INVALID_ARGUMENT", "API key not valid", [{ reason: "API_KEY_INVALID" }]), "provider_auth"],
      [400, error(400, "INVALID_ARGUMENT", "The input token count (2000000) exceeds the maximum"), "context_overflow"],
      [404, error(404, "NOT_FOUND", "no such model"), "provider_not_found"],
      [500, "oops", "provider_error"],
    ] as const;
    for (const [status, text, code] of cases) {
      const { vendor, provider } = await connect((response) => answerJson(response, status, text));
      await expect(provider.chat(call())).rejects.toMatchObject({ name: "GatewayError", code });
      expect(vendor.seen).toHaveLength(1);
    }
  });

  it.skipIf(noRecordings)("waits as long as a recorded 429 asks (72, 73)", async () => {
    const text = recorded("google/google-429-retry-info.json");
    const { provider } = await connect((response) => answerJson(response, 429, text));
    await expect(provider.chat(call())).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 34_400 });
  });

  it("finds an error, and an answer, that came whole where a stream was asked for (60)", async () => {
    const bodies = [error(503, "UNAVAILABLE", "Overloaded"), JSON.stringify(body)];
    const { provider } = await connect((response) => answerJson(response, 200, bodies.shift() ?? ""));
    const failed = await provider.chat(call({ stream: true }));
    await expect(eventsOf(failed.frames)).rejects.toMatchObject({ code: "overloaded" });
    const frames = await Array.fromAsync((await provider.chat(call({ stream: true }))).frames);
    expect(textOf(frames.flatMap((frame) => frame.events))).toBe("Hé");
    expect(frames[0]).not.toHaveProperty("raw");
  });

  it("stops the vendor when the reader leaves or the call is aborted", async () => {
    const { vendor, provider } = await connect((response) => void response.write(toSse(chunks.slice(0, 1), false)));
    const answer = await provider.chat(call({ stream: true }));
    for await (const frame of answer.frames) if (frame.events.length > 0) break;
    await vendor.gone;

    const controller = new AbortController();
    const other = await connect((response) => void response.write(toSse(chunks.slice(0, 1), false)));
    const aborted = await other.provider.chat(call({ stream: true }, controller.signal));
    const reason = new Error("the client went away");
    const reading = eventsOf(aborted.frames);
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await other.vendor.gone;
  });

  it("embeds each text by itself and counts tokens where the vendor does not", async () => {
    const { vendor, provider } = await connect((response) =>
      answerJson(response, 200, JSON.stringify({ embeddings: [{ values: [1, 0] }, { values: [0, 1] }] })),
    );
    const answer = await provider.embed?.({
      model: "gemini-embedding-2",
      input: ["one", "two"],
      dimensions: 2,
      signal: new AbortController().signal,
    });
    expect(answer?.vectors).toEqual([Float32Array.of(1, 0), Float32Array.of(0, 1)]);
    expect(answer?.usage).toMatchObject({ inputTokens: 2, estimated: true });
    expect(vendor.seen[0]).toMatchObject({
      url: "/v1beta/models/gemini-embedding-2:batchEmbedContents",
      body: {
        requests: [
          { content: { parts: [{ text: "one" }] }, outputDimensionality: 2 },
          { content: { parts: [{ text: "two" }] }, outputDimensionality: 2 },
        ],
      },
    });
  });

  it("refuses vectors that do not fit the texts", async () => {
    const { provider } = await connect((response) => answerJson(response, 200, JSON.stringify({ embeddings: [] })));
    const asked = { model: "gemini-embedding-001", input: ["one"], signal: new AbortController().signal };
    await expect(provider.embed?.(asked)).rejects.toMatchObject({ code: "bad_answer" });
  });
});
