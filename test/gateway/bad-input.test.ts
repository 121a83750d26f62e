import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Init, type TestGateway, startGateway } from "../support/gateway.ts";
import { faultsOf } from "../support/openai-schema.ts";

type OpenAiError = { error: { message: string; type: string; param: string | null; code: string | null } };

const chat = "/v1/chat/completions";
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ yaml: "limits: { bodyBytes: 4096 }\n" });
});
afterAll(async () => {
  await gateway.close();
});

/** The error, after checking what every error must be: OpenAI's shape, with a trace and without a stack. */
async function failureOf(path: string, init: Init, of = gateway): Promise<OpenAiError["error"] & { status: number }> {
  const response = await of.fetch(path, init);
  const text = await response.text();
  const body = JSON.parse(text) as OpenAiError;
  const faults = [
    ...faultsOf("ErrorResponse", body),
    ...(/\bat .*\.[jt]s|node_modules|\/gateway\/|\/router\//u.test(text)
      ? [`it shows where it was thrown: ${text}`]
      : []),
    ...(response.headers.get("x-throughline-trace")?.startsWith("tl-") === true ? [] : ["it has no trace"]),
  ];
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return { status: response.status, ...body.error };
}

const body = (fields: object) => ({ body: { model: "auto", messages: [{ role: "user", content: "Hi" }], ...fields } });

describe("a body", () => {
  it.each([
    ["that is not JSON", "{ not json"],
    ["that ends halfway", '{"model": "auto", "messages": ['],
    ["that is JSON but no object", "[1, 2]"],
    ["that is a string", '"hello"'],
    ["that is null", "null"],
  ])("%s is refused as such", async (_what, text) => {
    const failure = await failureOf(chat, { method: "POST", body: text });
    expect(failure).toMatchObject({ status: 400, type: "invalid_request_error", param: "body" });
  });

  it("that is empty is told what is missing", async () => {
    expect(await failureOf(chat, { method: "POST", body: "" })).toMatchObject({ status: 400, param: "model" });
    expect(await failureOf(chat, { method: "POST" })).toMatchObject({ status: 400, param: "model" });
  });

  it("over the limit is refused with the limit", async () => {
    const failure = await failureOf(chat, body({ messages: [{ role: "user", content: "x".repeat(5_000) }] }));
    expect(failure).toMatchObject({ status: 413, message: expect.stringMatching(/4096 bytes.*limits\.bodyBytes/u) });
  });

  it("in another encoding is refused, not guessed at", async () => {
    const headers = { "content-encoding": "zstd-of-my-own" };
    expect(await failureOf(chat, { ...body({}), headers })).toMatchObject({ status: 415 });
  });

  it.each(["gzip", "deflate", "br"])("that is not the %s it says it is, is refused as such", async (encoding) => {
    const failure = await failureOf(chat, { ...body({}), headers: { "content-encoding": encoding } });
    expect(failure).toMatchObject({ status: 400, param: "body", message: expect.stringContaining("encoding") });
  });

  it("without a content type is read all the same", async () => {
    const response = await gateway.fetch(chat, { ...body({ model: "gpt-6-luna" }), headers: { "content-type": "" } });
    expect(response.status).toBe(200);
  });
});

describe("a field of the wrong type is named by its path", () => {
  const image = { type: "image_url", image_url: { url: 7 } };
  it.each<[string, object]>([
    ["model", { model: 7 }],
    ["model", { model: undefined }],
    ["model", { model: "" }],
    ["messages", { messages: undefined }],
    ["messages", { messages: "Hi" }],
    ["messages", { messages: [] }],
    ["messages[0]", { messages: ["Hi"] }],
    ["messages[0].role", { messages: [{ content: "Hi" }] }],
    [
      "messages[1].role",
      {
        messages: [
          { role: "user", content: "Hi" },
          { role: "robot", content: "Hi" },
        ],
      },
    ],
    [
      "messages[0].content[1].type",
      { messages: [{ role: "user", content: [{ type: "text", text: "a" }, { type: "smell" }] }] },
    ],
    ["messages[0].content[0].image_url.url", { messages: [{ role: "user", content: [image] }] }],
    [
      "messages[0].tool_calls[0].function.name",
      { messages: [{ role: "assistant", tool_calls: [{ id: "a", type: "function", function: {} }] }] },
    ],
    ["tools[0].function.parameters", { tools: [{ type: "function", function: { name: "a", parameters: [] } }] }],
    ["temperature", { temperature: "hot" }],
    ["temperature", { temperature: 3 }],
    ["max_completion_tokens", { max_completion_tokens: 1.5 }],
    ["stream", { stream: "yes" }],
    ["stop[1]", { stop: ["a", 2] }],
    ["response_format.json_schema.name", { response_format: { type: "json_schema", json_schema: {} } }],
    ["reasoning_effort", { reasoning_effort: "huge" }],
    ["n", { n: 0 }],
  ])("%s in %j", async (param, fields) => {
    const failure = await failureOf(chat, body(fields));
    expect(failure).toMatchObject({ status: 400, type: "invalid_request_error", param });
    expect(failure.message).toContain(param);
  });

  it.each([
    ["data:image/png;base64,???"],
    ["data:image/png;base64"],
    ["http://127.0.0.1/secret.png"],
    ["http://169.254.169.254/latest/meta-data"],
    ["http://[::1]/a.png"],
    ["file:///etc/passwd"],
    ["not a url"],
  ])("an image at %s is refused before any vendor sees it", async (url) => {
    const before = gateway.sandbox.requests().length;
    const content = [{ type: "image_url", image_url: { url } }];
    const failure = await failureOf(chat, body({ messages: [{ role: "user", content }] }));
    expect(failure).toMatchObject({ status: 400, param: "messages[0].content[0].image_url.url" });
    expect(gateway.sandbox.requests()).toHaveLength(before);
  });
});

describe("a name that is not known", () => {
  it("of a model brings the nearest", async () => {
    const failure = await failureOf(chat, body({ model: "claude-haiku-5.5" }));
    expect(failure).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
    expect(failure.message).toContain("claude-haiku-5-5");
  });

  it("of a policy brings the nearest, in the model and in the header", async () => {
    expect((await failureOf(chat, body({ model: "auto:chaep" }))).message).toContain("auto:cheap");
    const header = await failureOf(chat, { ...body({}), headers: { "x-throughline-policy": "chaep" } });
    expect([header.status, header.message]).toEqual([expect.toSatisfy(is4xx), expect.stringContaining("cheap")]);
  });

  it("of a route is 404 in OpenAI's shape", async () => {
    expect(await failureOf("/v1/chat/completion", body({}))).toMatchObject({ status: 404 });
    expect(await failureOf("/", {})).toMatchObject({ status: 404 });
  });

  it("of a method names the right one", async () => {
    expect(await failureOf(chat, {})).toMatchObject({ status: 405, message: expect.stringContaining("POST") });
    expect(await failureOf("/v1/models", { method: "DELETE" })).toMatchObject({ status: 405 });
    expect((await gateway.fetch(chat)).headers.get("allow")).toBe("POST");
  });

  it("of a trace or a memory is 404", async () => {
    expect(await failureOf("/v1/traces/tl-none", {})).toMatchObject({ status: 404 });
    expect(await failureOf("/v1/memories/none", {})).toMatchObject({ status: 404 });
  });

  it("of a user may be long or strange only up to a point", async () => {
    const headers = { "x-throughline-user": "u".repeat(300) };
    expect(await failureOf(chat, { ...body({}), headers })).toMatchObject({ status: 400, param: "x-throughline-user" });
    expect(await failureOf(chat, body({ user: "a\u0000b" }))).toMatchObject({ status: 400 });
  });

  it("that is a path with broken percent-encoding is 4xx", async () => {
    expect((await failureOf("/v1/memories/%E0%A4%A", {})).status).toSatisfy(is4xx);
    expect((await failureOf("/v1/models/%E0%A4%A", {})).status).toSatisfy(is4xx);
  });
});

describe("Anthropic's dialect", () => {
  it.each([
    ["{", 400, "invalid_request_error"],
    ["", 400, "invalid_request_error"],
    [
      JSON.stringify({ model: "auto", max_tokens: 5, messages: [{ role: "user", content: [{ type: "text" }] }] }),
      400,
      "invalid_request_error",
    ],
    [
      JSON.stringify({ model: "claude-nothing", max_tokens: 5, messages: [{ role: "user", content: "Hi" }] }),
      404,
      "not_found_error",
    ],
    [
      JSON.stringify({ model: "auto", max_tokens: 5, messages: [{ role: "user", content: "x".repeat(5_000) }] }),
      413,
      "request_too_large",
    ],
  ])("answers %s in its own shape", async (text, status, type) => {
    const response = await gateway.fetch("/v1/messages", { method: "POST", body: text });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      type: "error",
      error: { type, message: expect.any(String) },
      request_id: response.headers.get("x-throughline-trace"),
    });
  });

  it("keeps its shape where the method is wrong", async () => {
    const response = await gateway.fetch("/v1/messages");
    expect(response.status).toBe(405);
    expect(await response.json()).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
  });
});

describe("with gateway keys", () => {
  let locked: TestGateway;
  beforeAll(async () => {
    locked = await startGateway({
      env: { APP_KEY: "right-key" },
      yaml: "keys: [{ name: app, key: env:APP_KEY, tenant: acme }]\n",
    });
  });
  afterAll(async () => {
    await locked.close();
  });

  it.each([
    [{}],
    [{ authorization: "Bearer wrong-key" }],
    [{ authorization: "Basic cmlnaHQta2V5" }],
    [{ "x-api-key": "x" }],
  ])("%j is 401 on every route but health and metrics", async (headers) => {
    for (const [path, init] of [
      [chat, body({})],
      ["/v1/models", {}],
      ["/v1/route", body({})],
      ["/v1/memories", {}],
      ["/v1/traces/x", {}],
      ["/v1/memory-jobs", {}],
    ] as const) {
      const failure = await failureOf(path, { ...init, headers }, locked);
      expect([path, failure.status, failure.type]).toEqual([path, 401, "authentication_error"]);
      expect(failure.message).not.toContain("wrong-key");
    }
    for (const path of ["/healthz", "/readyz", "/metrics"])
      expect((await locked.fetch(path, { headers })).status).toBe(200);
  });

  it("the right one is let in, as a bearer and as x-api-key", async () => {
    for (const headers of [{ authorization: "Bearer right-key" }, { "x-api-key": "right-key" }])
      expect((await locked.fetch("/v1/models", { headers })).status).toBe(200);
  });
});

describe("a request that never ends", () => {
  it("is given up when its time is over", async () => {
    const hasty = await startGateway({ yaml: "limits: { requestTimeoutMs: 1000 }\n" });
    try {
      const socket = connect(Number(new URL(hasty.origin).port), "127.0.0.1");
      socket.write(`POST ${chat} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{`);
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 408/u);
    } finally {
      await hasty.close();
    }
  }, 30_000);
});

describe("a connection", () => {
  it("that speaks no HTTP is answered and closed, and the gateway goes on", async () => {
    const { port } = new URL(gateway.origin);
    const socket = connect(Number(port), "127.0.0.1");
    socket.end("this is not HTTP\r\n\r\n");
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 400/u);
    expect((await gateway.fetch("/healthz")).status).toBe(200);
  });
});

function is4xx(status: number): boolean {
  return status >= 400 && status < 500;
}
