import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { isJsonObject, type JsonObject } from "../router/json.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => {
  await gateway.close();
});

const models = ["openai/text-embedding-3-small", "gemini-embedding-001", "local/static-minilm"] as const;

/** As the wire has it: the official client would hide the encoding. */
async function post(body: unknown, headers: Readonly<Record<string, string>> = {}) {
  const response = await gateway.fetch("/v1/embeddings", { body, headers });
  const answer: unknown = await response.json();
  if (!isJsonObject(answer)) throw new Error("No object was answered.");
  return { status: response.status, headers: response.headers, answer };
}

function errorOf(answer: JsonObject): JsonObject {
  return isJsonObject(answer["error"]) ? answer["error"] : {};
}

function dot(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}

function similarity(one: readonly number[], other: readonly number[]): number {
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

/** The first vector, in whatever encoding it came. */
function vectorIn({ data }: JsonObject): unknown {
  const row: unknown = Array.isArray(data) ? data[0] : undefined;
  return isJsonObject(row) ? row["embedding"] : undefined;
}

describe.each(models)("embeddings of %s", (model) => {
  it("come in the order of the texts, the same ones for one text and for many", async () => {
    const client = gateway.openai();
    const input = ["a dog chased the cat", "the cat was chased by a dog", "quarterly tax report"];
    const many = await client.embeddings.create({ model, input });
    expect(many.data.map(({ index, object }) => [index, object])).toEqual([0, 1, 2].map((at) => [at, "embedding"]));
    const [first, second, third] = many.data.map(({ embedding }) => embedding);
    expect(similarity(first ?? [], second ?? [])).toBeGreaterThan(similarity(first ?? [], third ?? []));
    const one = await client.embeddings.create({ model, input: input[0] ?? "" });
    expect(one.data[0]?.embedding).toEqual(first);
    expect(many.usage.prompt_tokens).toBeGreaterThan(one.usage.prompt_tokens);
    expect(many.usage.total_tokens).toBe(many.usage.prompt_tokens);
    expect(many.model).toBe(model.split("/").at(-1));
  });

  it("are the same numbers as floats and as base64 of little-endian 32-bit floats", async () => {
    const floats = await post({ model, input: "hello", encoding_format: "float" });
    const encoded = await post({ model, input: "hello", encoding_format: "base64" });
    const base64 = vectorIn(encoded.answer);
    const bytes = Buffer.from(typeof base64 === "string" ? base64 : "", "base64");
    const numbers = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
    expect(numbers).toEqual(vectorIn(floats.answer));
    const plain = await post({ model, input: "hello" });
    expect(vectorIn(plain.answer)).toEqual(numbers);
  });

  it("take 2048 texts at once, and name the first that is empty", async () => {
    const input = Array.from({ length: 2048 }, (_, at) => `text number ${at}`);
    const full = await gateway
      .openai()
      .embeddings.create({ model, input, dimensions: model.startsWith("local") ? 256 : 8 });
    expect(full.data).toHaveLength(2048);
    const again = await gateway
      .openai()
      .embeddings.create({ model, input: input[2047] ?? "", dimensions: model.startsWith("local") ? 256 : 8 });
    expect(full.data[2047]?.embedding).toEqual(again.data[0]?.embedding);
    const over = await post({ model, input: [...input, "one more"] });
    expect([over.status, errorOf(over.answer)["param"]]).toEqual([400, "input"]);
    const empty = await post({ model, input: ["a", "", "b"] });
    expect([empty.status, errorOf(empty.answer)["param"]]).toEqual([400, "input[1]"]);
  });

  it("say who made them, what they cost and how often was asked", async () => {
    const { headers } = await post({ model, input: "hello there" });
    expect(headers.get("x-throughline-model")).toBe(model.includes("/") ? model : `google/${model}`);
    expect(headers.get("x-throughline-attempts")).toBe("1");
    const cost = headers.get("x-throughline-cost-usd");
    expect(Number(cost)).toBeGreaterThanOrEqual(0);
    expect(Number(cost) === 0).toBe(model.startsWith("local"));
    expect(headers.get("x-throughline-trace")).toBe(headers.get("x-request-id"));
  });
});

describe("an embeddings request", () => {
  it("may send tokens to OpenAI, one text's or several texts', and to nobody else", async () => {
    const client = gateway.openai();
    const model = "text-embedding-3-small";
    expect((await client.embeddings.create({ model, input: [1, 2, 3] })).data).toHaveLength(1);
    expect((await client.embeddings.create({ model, input: [[1, 2], [3]] })).data).toHaveLength(2);
    for (const other of ["gemini-embedding-001", "local/static-minilm"]) {
      const refused = await post({ model: other, input: [[1, 2], [3]] });
      expect(refused.status).toBe(400);
      expect(errorOf(refused.answer)).toMatchObject({ param: "input", type: "invalid_request_error" });
    }
  });

  it("goes to the first model there is when it asks for auto", async () => {
    const { headers } = await post({ model: "auto", input: "hello" });
    expect(headers.get("x-throughline-model")).toBe("openai/text-embedding-3-small");
  });

  it("gets as many dimensions as it asks for, or hears that it cannot", async () => {
    const client = gateway.openai();
    for (const model of ["text-embedding-3-large", "google/gemini-embedding-001"]) {
      const { data } = await client.embeddings.create({ model, input: "hello", dimensions: 64 });
      expect(data[0]?.embedding).toHaveLength(64);
    }
    const cut = await post({ model: "local/static-minilm", input: "hello", dimensions: 64 });
    expect([cut.status, errorOf(cut.answer)["param"]]).toEqual([400, "dimensions"]);
  });

  it("tells its user's name to nobody", async () => {
    await gateway.openai().embeddings.create({ model: "text-embedding-3-small", input: "x", user: "anna@example.com" });
    const sent = gateway.asked().at(-1);
    expect(sent?.body["user"]).toMatch(/^[0-9a-f]{64}$/u);
    expect(JSON.stringify(sent)).not.toContain("anna@");
  });

  it.each([
    [{ input: "x" }, "model"],
    [{ model: "auto" }, "input"],
    [{ model: "auto", input: [] }, "input"],
    [{ model: "auto", input: "" }, "input"],
    [{ model: "auto", input: { text: "x" } }, "input"],
    [{ model: "auto", input: ["a", 1] }, "input[1]"],
    [{ model: "auto", input: [[1], "a"] }, "input[1]"],
    [{ model: "auto", input: [1, -1] }, "input[1]"],
    [{ model: "auto", input: [[]] }, "input[0]"],
    [{ model: "auto", input: "x", encoding_format: "hex" }, "encoding_format"],
    [{ model: "auto", input: "x", dimensions: 0 }, "dimensions"],
    [{ model: "auto", input: "x", user: 7 }, "user"],
  ])("of %j is refused by the name of the field", async (body, param) => {
    const { status, answer } = await post(body);
    expect([status, errorOf(answer)["param"]]).toEqual([400, param]);
  });

  it("for a model nobody has hears of the nearest name", async () => {
    const { status, answer } = await post({ model: "text-embedding-3-smal", input: "x" });
    expect(status).toBe(404);
    expect(errorOf(answer)).toMatchObject({ code: "model_not_found" });
    expect(errorOf(answer)["message"]).toContain("text-embedding-3-small");
  });

  it("names in a warning what it does not carry", async () => {
    const { status, headers } = await post({ model: "local/static-minilm", input: "x", input_type: "query" });
    expect([status, headers.get("x-throughline-warnings")]).toEqual([200, "input_type: not carried"]);
  });

  it("is counted under its route, model, tokens and cost", async () => {
    await post({ model: "text-embedding-3-large", input: "count me" });
    const metrics = await (await gateway.fetch("/metrics")).text();
    const labels = 'route="embeddings",task_class="none",provider="openai",model="text-embedding-3-large"';
    expect(metrics).toContain(`throughline_requests_total{${labels},status="200"}`);
    expect(metrics).toMatch(
      /throughline_tokens_total\{provider="openai",model="text-embedding-3-large",type="input"\} [1-9]/u,
    );
    expect(metrics).toMatch(
      /throughline_cost_usd_total\{provider="openai",model="text-embedding-3-large",task_class="none"\} \d*[1-9e]/u,
    );
  });

  it("leaves a trace", async () => {
    const { headers } = await post({ model: "local/static-minilm", input: "x" }, { "x-throughline-user": "anna" });
    const trace = await gateway.fetch(`/v1/traces/${headers.get("x-throughline-trace")}`);
    expect(await trace.json()).toMatchObject({
      route: "embeddings",
      user: "anna",
      model: "local/static-minilm",
      cost_usd: "0",
      attempts: [{ kind: "first" }],
    });
  });
});

it("lists its embedding models among the models", async () => {
  const client = gateway.openai();
  const ids = (await client.models.list()).data.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of [...models, "text-embedding-3-small", "static-minilm"]) {
    expect(ids).toContain(id);
    expect((await client.models.retrieve(id)).id).toBe(id);
  }
  expect((await client.models.retrieve("local/static-minilm")).owned_by).toBe("local");
});

describe("a vendor of embeddings that fails", () => {
  const servers: Server[] = [];
  const gateways: TestGateway[] = [];
  afterEach(async () => {
    for (const one of gateways.splice(0)) await one.close();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  /** A host of one's own that answers with these statuses in turn, then well. */
  async function hostAnswering(statuses: readonly number[], headers: Readonly<Record<string, string>> = {}) {
    let asked = 0;
    const server = createServer((request, response) => {
      request.resume().once("end", () => {
        const status = statuses[asked] ?? 200;
        asked += 1;
        response.writeHead(status, { "content-type": "application/json", "x-request-id": `req-${asked}`, ...headers });
        const vector = { object: "embedding", index: 0, embedding: [0.6, 0.8] };
        response.end(
          JSON.stringify(
            status === 200
              ? { object: "list", data: [vector], usage: { prompt_tokens: 1, total_tokens: 1 } }
              : { error: { message: "busy", type: "server_error" } },
          ),
        );
      });
    });
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const one = await startGateway({
      yaml: `providers:
  - id: mine
    baseUrl: http://127.0.0.1:${port}/v1
    models: [{ id: some-chat-model }]
`,
    });
    gateways.push(one);
    const ask = () => one.fetch("/v1/embeddings", { body: { model: "mine/nomic-embed", input: "x" } });
    return { ask, asked: () => asked };
  }

  it("is asked again, at the same provider", async () => {
    const { ask, asked } = await hostAnswering([503, 429], { "retry-after-ms": "1" });
    const response = await ask();
    expect(response.status).toBe(200);
    expect(response.headers.get("x-throughline-attempts")).toBe("3");
    expect(response.headers.get("x-throughline-cost-usd")).toBe("unknown");
    expect(response.headers.get("x-throughline-warnings")).toContain("price: unknown");
    expect(asked()).toBe(3);
  });

  it("is not asked again for what will not pass", async () => {
    const { ask, asked } = await hostAnswering([400]);
    expect((await ask()).status).toBe(400);
    expect(asked()).toBe(1);
  });

  it("is given up after three attempts, with its advice when to come back and its own request id", async () => {
    const { ask, asked } = await hostAnswering([429, 429, 429, 429], { "retry-after-ms": "2" });
    const response = await ask();
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(response.headers.get("x-throughline-vendor-request-id")).toBe("req-3");
    expect(asked()).toBe(3);
  });
});
