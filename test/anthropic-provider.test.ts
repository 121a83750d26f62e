import { afterEach, describe, expect, it } from "vitest";
import type { ChatRequest } from "../router/chat.ts";
import { createPooledFetch } from "../router/pooled-fetch.ts";
import type { Provider } from "../router/provider.ts";
import { createAnthropicProvider } from "../router/providers/anthropic.ts";
import { chatCall, chatModel, chatRequest } from "./chat-call.ts";
import { answerJson, eventsOf, startVendor, textOf, toSse, type VendorServer } from "./vendor-server.ts";

const message = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5",
  content: [{ type: "text", text: "Hé" }],
  stop_reason: "end_turn",
  usage: { input_tokens: 3, output_tokens: 2 },
};
const events = [
  { type: "message_start", message: { ...message, content: [], stop_reason: null } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "ping" },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hé" } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 2 } },
  { type: "message_stop" },
].map((event) => JSON.stringify(event));

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
  return {
    vendor,
    provider: createAnthropicProvider({ id: "anthropic", apiKey: "sk-test", baseUrl: vendor.url, fetch }),
  };
}

function call(parts: Partial<ChatRequest> = {}, signal = new AbortController().signal) {
  return { ...chatCall(chatRequest(parts), chatModel("claude-sonnet-5", "anthropic")), signal };
}

function error(type: string, text: string): string {
  return JSON.stringify({ type: "error", error: { type, message: text } });
}

describe("the Anthropic provider", () => {
  it("sends one authenticated Messages request and reads the whole answer with its bytes", async () => {
    const body = JSON.stringify(message, null, 2);
    const { vendor, provider } = await connect((response) =>
      answerJson(response, 200, body, {
        "request-id": "req_1",
        "anthropic-ratelimit-requests-remaining": "9",
        secret: "x",
      }),
    );
    const answer = await provider.chat(call());
    const frames = await Array.fromAsync(answer.frames);
    expect(frames.map((frame) => frame.raw)).toEqual([body]);
    expect(textOf(frames.flatMap((frame) => frame.events))).toBe("Hé");
    expect(answer.protocol).toBe("anthropic-messages");
    expect(answer.headers).toEqual({ "request-id": "req_1", "anthropic-ratelimit-requests-remaining": "9" });
    expect(vendor.seen).toHaveLength(1);
    expect(vendor.seen[0]).toMatchObject({
      method: "POST",
      url: "/v1/messages",
      headers: { "anthropic-version": "2023-06-01" },
      body: { model: "claude-sonnet-5", max_tokens: 64_000 },
    });
    expect(JSON.stringify(vendor.seen[0]?.headers)).toContain("sk-test");
  });

  it("streams events with their own bytes, cut anywhere, and stops at the end though the vendor goes on (59, 60)", async () => {
    const { provider } = await connect((response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const bytes = Buffer.from(toSse(events, true));
      // In the middle of the é.
      const cut = bytes.indexOf(0xc3) + 1;
      response.write(bytes.subarray(0, cut));
      setImmediate(() =>
        response.write(Buffer.concat([bytes.subarray(cut), Buffer.from(toSse(['{"type":"ping"}'], true))])),
      );
    });
    const answer = await provider.chat(call({ stream: true }));
    const frames = await Array.fromAsync(answer.frames);
    expect(frames.map((frame) => frame.raw)).toEqual(events);
    expect(textOf(frames.flatMap((frame) => frame.events))).toBe("Hé");
  });

  it("passes a client's own body through, with its version and betas (39)", async () => {
    const raw = { model: "auto", max_tokens: 5, stream: false, odd: [1], messages: [{ role: "user", content: "hi" }] };
    const { vendor, provider } = await connect((response) => answerJson(response, 200, JSON.stringify(message)));
    const parts: Partial<ChatRequest> = {
      dialect: "anthropic-messages",
      raw,
      dialectHeaders: { "anthropic-version": "2026-10-21", "anthropic-beta": "context-management-2025-06-27" },
    };
    await eventsOf((await provider.chat(call(parts))).frames);
    expect(vendor.seen[0]?.body).toEqual({ ...raw, model: "claude-sonnet-5" });
    expect(vendor.seen[0]?.headers).toMatchObject({
      "anthropic-version": "2026-10-21",
      "anthropic-beta": "context-management-2025-06-27",
    });
  });

  it("throws a refusal as ours, after one attempt (72, 73)", async () => {
    const cases = [
      [529, error("overloaded_error", "Overloaded"), "overloaded"],
      [429, error("rate_limit_error", "Slow down"), "rate_limited"],
      [401, error("authentication_error", "invalid x-api-key"), "provider_auth"],
      [402, error("billing_error", "Pay"), "provider_billing"],
      [413, error("request_too_large", "Big"), "request_too_large"],
      [400, error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"), "context_overflow"],
      [502, "<html>bad gateway</html>", "overloaded"],
    ] as const;
    for (const [status, body, code] of cases) {
      const { vendor, provider } = await connect((response) =>
        answerJson(response, status, body, { "retry-after": "7" }),
      );
      await expect(provider.chat(call())).rejects.toMatchObject({ name: "GatewayError", code, retryAfterMs: 7000 });
      expect(vendor.seen).toHaveLength(1);
    }
  });

  it("throws the error inside a stream, and a bad answer for one that is cut (60)", async () => {
    const overloaded = error("overloaded_error", "Overloaded");
    const { provider } = await connect((response, seen) => {
      const cut = seen.body["max_tokens"] === 1;
      response.end(toSse(cut ? events.slice(0, 4) : [...events.slice(0, 4), overloaded], true));
    });
    const broken = await provider.chat(call({ stream: true }));
    await expect(eventsOf(broken.frames)).rejects.toMatchObject({ code: "overloaded" });
    const cut = await provider.chat(call({ stream: true, maxOutputTokens: 1 }));
    await expect(eventsOf(cut.frames)).rejects.toMatchObject({ code: "bad_answer" });
  });

  it("finds an error, and an answer, that came whole where a stream was asked for (60)", async () => {
    const bodies = [error("overloaded_error", "Overloaded"), JSON.stringify(message)];
    const { provider } = await connect((response) => answerJson(response, 200, bodies.shift() ?? ""));
    const failed = await provider.chat(call({ stream: true }));
    await expect(eventsOf(failed.frames)).rejects.toMatchObject({ code: "overloaded" });
    const frames = await Array.fromAsync((await provider.chat(call({ stream: true }))).frames);
    expect(textOf(frames.flatMap((frame) => frame.events))).toBe("Hé");
    expect(frames[0]).not.toHaveProperty("raw");
  });

  it("stops the vendor when the reader leaves or the call is aborted", async () => {
    const { vendor, provider } = await connect((response) => void response.write(toSse(events.slice(0, 4), true)));
    const answer = await provider.chat(call({ stream: true }));
    for await (const frame of answer.frames) if (frame.events.length > 0) break;
    await vendor.gone;

    const other = await connect((response) => void response.write(toSse(events.slice(0, 4), true)));
    const controller = new AbortController();
    const aborted = await other.provider.chat(call({ stream: true }, controller.signal));
    const reason = new Error("the client went away");
    const reading = eventsOf(aborted.frames);
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await other.vendor.gone;
  });

  it("throws the abort's own reason while it waits for headers", async () => {
    const controller = new AbortController();
    const reason = new Error("too late");
    const { provider } = await connect(() => controller.abort(reason));
    await expect(provider.chat(call({}, controller.signal))).rejects.toBe(reason);
  });

  it("says when the vendor cannot be reached", async () => {
    const { vendor, provider } = await connect(() => undefined);
    await vendor.close();
    await expect(provider.chat(call())).rejects.toMatchObject({ code: "unreachable" });
  });
});
