import OpenAI, { APIError } from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import type { ResponseInputItem } from "openai/resources/responses/responses";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { faultsOf } from "./support/openai-schema.ts";
import { responseEvents, streamFaults } from "./support/responses-client.ts";

const models = ["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"] as const;
const weather = {
  type: "function" as const,
  name: "get_weather",
  description: "The weather in a city",
  strict: true,
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};

let gateway: TestGateway;
let client: OpenAI;
const faults: string[] = [];

/** Holds every answer, event and error against OpenAI's schema on its way to the client. */
const checkedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const text = await response.text();
  if (!response.ok) faults.push(...faultsOf("ErrorResponse", JSON.parse(text)));
  else if (response.headers.get("content-type")?.startsWith("text/event-stream") === true) {
    faults.push(...streamFaults(responseEvents(text)));
  } else if (typeof input === "string" && input.endsWith("/responses"))
    faults.push(...faultsOf("Response", JSON.parse(text)));
  return new Response(text, { status: response.status, headers: response.headers });
};

beforeAll(async () => {
  gateway = await startGateway({ yaml: "memory: { enabled: false }\n" });
  client = new OpenAI({ apiKey: "x", baseURL: `${gateway.origin}/v1`, maxRetries: 0, fetch: checkedFetch });
});
afterAll(async () => {
  await gateway.close();
});
afterEach(() => {
  const found = faults.splice(0);
  if (found.length > 0) throw new Error(`A client would trip over:\n${found.join("\n")}`);
});

describe.each(models)("%s", (model) => {
  it("answers whole", async () => {
    const response = await client.responses.create({ model, input: "Say hello to Ada", instructions: "Be brief." });
    expect(response.status).toBe("completed");
    expect(response.output_text).toContain("[sandbox]");
    expect(response.instructions).toBe("Be brief.");
    expect(response.usage?.output_tokens).toBeGreaterThan(0);
    expect(response.usage?.total_tokens).toBe(
      (response.usage?.input_tokens ?? 0) + (response.usage?.output_tokens ?? 0),
    );
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).toContain("Be brief.");
  });

  it("streams what it would answer whole, with one id from beginning to end", async () => {
    const whole = await client.responses.create({ model, input: "Tell me about rivers" });
    const stream = client.responses.stream({ model, input: "Tell me about rivers" });
    let text = "";
    const ids = new Set<string>();
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") text += event.delta;
      if ("response" in event) ids.add(event.response.id);
    }
    const final = await stream.finalResponse();
    expect(text).toBe(whole.output_text);
    expect(final.output_text).toBe(text);
    expect([...ids]).toEqual([final.id]);
  });

  it("parses structured output", async () => {
    const format = zodTextFormat(z.object({ city: z.string(), population: z.number() }), "city");
    const parsed = await client.responses.parse({ model, input: "Describe the city of Porto", text: { format } });
    expect(typeof parsed.output_parsed?.city).toBe("string");
    const streamed = client.responses.stream({ model, input: "Describe the city of Porto", text: { format } });
    expect((await streamed.finalResponse()).output_parsed).toEqual(parsed.output_parsed);
  });

  it("calls tools and takes their results back, resent in full", async () => {
    const input: ResponseInputItem[] = [{ role: "user", content: "Use get_weather for Paris and Berlin." }];
    const first = await client.responses.create({ model, input, tools: [weather], store: false });
    const calls = first.output.filter((item) => item.type === "function_call");
    expect(calls.map((call) => JSON.parse(call.arguments) as unknown)).toEqual([{ city: "Paris" }, { city: "Berlin" }]);
    input.push(...(first.output as ResponseInputItem[]));
    for (const call of calls)
      input.push({ type: "function_call_output", call_id: call.call_id, output: `It rains in ${call.arguments}` });
    const second = await client.responses.create({ model, input, tools: [weather], store: false });
    expect(second.status).toBe("completed");
    expect(second.output_text).toContain("rains");
  });

  it("streams two calls one after the other, each with its arguments", async () => {
    const stream = client.responses.stream({
      model,
      input: "Use get_weather for Paris and Berlin.",
      tools: [weather],
    });
    const { output } = await stream.finalResponse();
    const calls = output.filter((item) => item.type === "function_call");
    expect(calls.map((call) => call.parsed_arguments as unknown)).toHaveLength(2);
    expect(calls.map((call) => JSON.parse(call.arguments) as unknown)).toEqual([{ city: "Paris" }, { city: "Berlin" }]);
    expect(new Set(calls.map((call) => call.call_id)).size).toBe(2);
  });

  it("says what cut it off", async () => {
    const input = "Write a long story. [[sandbox: words=400]]";
    const whole = await client.responses.create({ model, input, max_output_tokens: 16 });
    expect(whole.status).toBe("incomplete");
    expect(whole.incomplete_details).toEqual({ reason: "max_output_tokens" });
    const types: string[] = [];
    for await (const event of await client.responses.create({ model, input, max_output_tokens: 16, stream: true })) {
      types.push(event.type);
    }
    expect(types.at(-1)).toBe("response.incomplete");
  });

  it("sees images and files", async () => {
    const response = await client.responses.create({
      model,
      input: [
        {
          role: "user",
          content: [
            { type: "input_text", text: "What is this?" },
            { type: "input_image", detail: "auto", image_url: "data:image/png;base64,iVBORw0KGgo=" },
            { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0xLjQK" },
          ],
        },
      ],
    });
    expect(response.status).toBe("completed");
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).toContain("iVBORw0KGgo=");
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).toContain("JVBERi0xLjQK");
  });

  it("ends a stream that the vendor cut with an error the client throws", async () => {
    const asked = client.responses.create({
      model,
      input: "Tell me about rivers [[sandbox: fail=cut after=6 words=80 event_delay_ms=15]]",
      stream: true,
    });
    const reading = (async () => {
      for await (const event of await asked) void event;
    })();
    await expect(reading).rejects.toBeInstanceOf(APIError);
  });

  it("refuses as the vendor does, without a stack or a 5xx", async () => {
    const response = await client.responses.create({ model, input: "Help me [[sandbox: refuse]]" });
    const refused = /"type":"refusal"/.test(JSON.stringify(response.output));
    expect(refused || response.incomplete_details?.reason === "content_filter").toBe(true);
  });
});

describe("thinking", () => {
  it.each(["openai/gpt-6-luna", "anthropic/claude-sonnet-4-6", "google/gemini-3.8-flash"])(
    "of %s is shown as reasoning before the answer when a summary is asked for",
    async (model) => {
      const response = await client.responses.create({
        model,
        input: "Why is the sky blue?",
        reasoning: { effort: "high", summary: "auto" },
      });
      expect(response.output.map((item) => item.type)).toEqual(["reasoning", "message"]);
      const [reasoning] = response.output;
      expect(reasoning?.type === "reasoning" && reasoning.summary[0]?.text).toBeTruthy();
      const events: string[] = [];
      const stream = client.responses.stream({
        model,
        input: "Why is the sky blue?",
        reasoning: { effort: "high", summary: "auto" },
      });
      for await (const event of stream) events.push(event.type);
      expect(events).toContain("response.reasoning_summary_text.delta");
      expect(events.indexOf("response.reasoning_summary_part.added")).toBeLessThan(
        events.indexOf("response.output_text.delta"),
      );
    },
  );

  it("goes back to its vendor signed when a client keeps the conversation itself", async () => {
    const model = "anthropic/claude-opus-5-5";
    const input: ResponseInputItem[] = [{ role: "user", content: "Use get_weather for Paris." }];
    const settings = {
      model,
      tools: [weather],
      store: false,
      include: ["reasoning.encrypted_content" as const],
      reasoning: { effort: "high" as const },
    };
    const first = await client.responses.create({ ...settings, input });
    const reasoning = first.output.find((item) => item.type === "reasoning");
    expect(reasoning?.encrypted_content).toBeTruthy();
    const call = first.output.find((item) => item.type === "function_call");
    input.push(...(first.output as ResponseInputItem[]), {
      type: "function_call_output",
      call_id: call?.call_id ?? "",
      output: "Rain",
    });
    await client.responses.create({ ...settings, input });
    const sent = JSON.stringify(gateway.asked().at(-1)?.body);
    expect(sent).toContain('"signature":');
    expect(sent).not.toContain("tl1.");
    // To another vendor it is left out, and the conversation goes on.
    const elsewhere = await client.responses.create({ ...settings, model: "openai/gpt-6-luna", input });
    expect(elsewhere.status).toBe("completed");
    expect(JSON.stringify(gateway.asked().at(-1)?.body)).not.toContain("tl1.");
  });
});

describe("a body that passes through", () => {
  it("keeps fields we do not know, and is named in a warning elsewhere", async () => {
    const body = { input: "Hello", prompt_cache_retention: "24h", text: { verbosity: "low" }, truncation: "auto" };
    await gateway.fetch("/v1/responses", { body: { ...body, model: "openai/gpt-6-luna" } });
    expect(gateway.asked().at(-1)?.body).toMatchObject({ ...body, store: false });
    const other = await gateway.fetch("/v1/responses", { body: { ...body, model: "anthropic/claude-haiku-5-5" } });
    expect(other.status).toBe(200);
    const warnings = other.headers.get("x-throughline-warnings") ?? "";
    for (const field of ["prompt_cache_retention", "text.verbosity", "truncation"]) expect(warnings).toContain(field);
  });

  it("counts tokens without asking a vendor", async () => {
    const before = gateway.asked().length;
    const counted = await client.responses.inputTokens.count({ model: "gpt-6-luna", input: "one two three four" });
    const more = await client.responses.inputTokens.count({
      input: [{ role: "user", content: "one two three four ".repeat(40) }],
      tools: [weather],
    });
    expect(counted.object).toBe("response.input_tokens");
    expect(counted.input_tokens).toBeGreaterThan(3);
    expect(more.input_tokens).toBeGreaterThan(counted.input_tokens * 10);
    expect(gateway.asked()).toHaveLength(before);
  });
});
