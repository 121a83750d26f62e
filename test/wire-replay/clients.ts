import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import type { JsonValue } from "../../router/json.ts";
import type { Seen } from "../conformance/dialect/answer.ts";
import type { DialectName } from "../conformance/dialect/ask.ts";
import { readSeen } from "../conformance/dialect/seen.ts";

/** What the official client of a dialect made of an answer, and what stood on the wire. */
export type Heard = {
  readonly text: string;
  /** The stream's deltas, concatenated; the same as `text` for a whole answer. */
  readonly deltas: string;
  readonly calls: readonly { readonly name: string; readonly arguments: JsonValue }[];
  readonly seen: Seen;
};

export type Listen = (origin: string, model: string, stream: boolean) => Promise<Heard>;

const noop = { name: "noop", parameters: { type: "object" as const, properties: {} } };
const hello = { role: "user" as const, content: "Hello" };

/** Tools and an effort in every request: with some models that is what takes a client to OpenAI's Responses. */
export const clients: Readonly<Record<DialectName, Listen>> = {
  "openai-chat": async (origin, model, stream) => {
    const { fetch, seen } = tap("openai-chat");
    const client = new OpenAI({ apiKey: "none", baseURL: `${origin}/v1`, maxRetries: 0, fetch });
    const request = {
      model,
      messages: [hello],
      tools: [{ type: "function" as const, function: noop }],
      reasoning_effort: "low" as const,
    };
    let deltas = "";
    let message: OpenAI.ChatCompletionMessage | undefined;
    if (stream) {
      const runner = client.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
      runner.on("content", (delta) => (deltas += delta));
      message = (await runner.finalChatCompletion()).choices[0]?.message;
    } else message = (await client.chat.completions.create(request)).choices[0]?.message;
    const text = message?.content ?? "";
    const calls = (message?.tool_calls ?? []).flatMap((call) =>
      call.type === "function" ? [toCall(call.function.name, call.function.arguments)] : [],
    );
    return { text, deltas: stream ? deltas : text, calls, seen: await seen() };
  },
  "openai-responses": async (origin, model, stream) => {
    const { fetch, seen } = tap("openai-responses");
    const client = new OpenAI({ apiKey: "none", baseURL: `${origin}/v1`, maxRetries: 0, fetch });
    const request = {
      model,
      input: "Hello",
      tools: [{ type: "function" as const, ...noop, strict: false }],
      reasoning: { effort: "low" as const },
    };
    let deltas = "";
    let response: OpenAI.Responses.Response;
    if (stream) {
      const runner = client.responses.stream(request);
      runner.on("response.output_text.delta", (event) => (deltas += event.delta));
      response = await runner.finalResponse();
    } else response = await client.responses.create(request);
    const text = response.output_text;
    const calls = response.output.flatMap((item) =>
      item.type === "function_call" ? [toCall(item.name, item.arguments)] : [],
    );
    return { text, deltas: stream ? deltas : text, calls, seen: await seen() };
  },
  "anthropic-messages": async (origin, model, stream) => {
    const { fetch, seen } = tap("anthropic-messages");
    const client = new Anthropic({ apiKey: "none", baseURL: origin, maxRetries: 0, fetch });
    const request = {
      model,
      max_tokens: 1_000,
      messages: [hello],
      tools: [{ name: noop.name, input_schema: noop.parameters }],
      output_config: { effort: "low" as const },
    };
    let deltas = "";
    let message: Anthropic.Message;
    if (stream) {
      const runner = client.messages.stream(request);
      runner.on("text", (delta) => (deltas += delta));
      message = await runner.finalMessage();
    } else message = await client.messages.create(request);
    const text = message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
    const calls = message.content.flatMap((block) =>
      block.type === "tool_use" ? [{ name: block.name, arguments: block.input as JsonValue }] : [],
    );
    return { text, deltas: stream ? deltas : text, calls, seen: await seen() };
  },
};

function toCall(name: string, written: string): Heard["calls"][number] {
  return { name, arguments: JSON.parse(written) as JsonValue };
}

/** A `fetch` that keeps what came over the wire, to be read by hand as well. */
function tap(dialect: DialectName): { readonly fetch: typeof fetch; readonly seen: () => Promise<Seen> } {
  let copy: Promise<Seen> | undefined;
  return {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      copy = readSeen(dialect, response.clone());
      return response;
    },
    seen: async () => {
      if (copy === undefined) throw new Error("Nothing was asked.");
      return await copy;
    },
  };
}
