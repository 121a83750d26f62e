import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";
import { makePdf } from "../support/make-pdf.ts";

type Body = {
  id: string;
  object: string;
  title: string;
  source: string | null;
  format: string;
  passages: number;
  pages: number | null;
  outcome: string;
  data: Body[];
  text: string;
  page: number | null;
  has_more: boolean;
  next: string | null;
  deleted: boolean;
  metadata: object;
  error: { message: string; param: string | null; type: string };
};

let gateway: TestGateway;
let user = "";
let users = 0;
beforeAll(async () => {
  gateway = await startGateway();
});
beforeEach(() => {
  users += 1;
  user = `reader-${users}`;
});
afterAll(async () => {
  await gateway.close();
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.origin}${path}`, {
    method,
    headers: { "content-type": "application/json", "x-throughline-user": user, ...headers },
    ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body.slice() : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const lease = makePdf([
  [
    { text: "Lease", size: 20 },
    { text: "The rent of the flat is 840 euros.", down: 30 },
  ],
  [
    { text: "Notice", size: 20 },
    { text: "Notice to leave must be given eleven weeks ahead.", down: 30 },
  ],
]);

describe("adding a document", () => {
  it("as text or Markdown keeps it, and it is cited in the very next request", async () => {
    const added = await call("POST", "/v1/documents", {
      markdown: "# House rules\n\n## Bins\n\nThe blue bin is emptied every second Tuesday.",
      source: "https://house.example/rules",
      metadata: { floor: 3 },
    });
    expect(added).toMatchObject({
      status: 201,
      body: { object: "document", title: "House rules", passages: 1, outcome: "added", metadata: { floor: 3 } },
    });
    await gateway.openai({ "x-throughline-user": user }).chat.completions.create({
      model: "openai/gpt-6-luna",
      messages: [{ role: "user", content: "When is the blue bin emptied?" }],
    });
    const sent = JSON.stringify(gateway.asked().at(-1)?.body);
    expect(sent).toContain("every second Tuesday. (from “https://house.example/rules”)");
  });

  it("as a PDF in base64, in a data URL or as the body itself is one and the same document", async () => {
    const base64 = lease.toString("base64");
    const ways = [
      await call("POST", "/v1/documents", { file_data: base64, media_type: "application/pdf", filename: "lease.pdf" }),
      await call("POST", "/v1/documents", {
        file_data: `data:application/pdf;base64,${base64}`,
        filename: "lease.pdf",
      }),
      await call("POST", "/v1/documents?filename=lease.pdf", lease, { "content-type": "application/pdf" }),
    ];
    expect(ways.map(({ status, body }) => [status, body.outcome])).toEqual([
      [201, "added"],
      [200, "unchanged"],
      [200, "unchanged"],
    ]);
    expect(ways[0]?.body).toMatchObject({ format: "pdf", pages: 2, source: "lease.pdf" });
    const read = await call("GET", `/v1/documents/${ways[0]?.body.id}`);
    expect(read.body.data.map(({ page, text }) => [page, text])).toEqual([
      [1, "Lease\nThe rent of the flat is 840 euros."],
      [2, "Notice\nNotice to leave must be given eleven weeks ahead."],
    ]);
    const found = await call("POST", "/v1/memories/search", { query: "How early must notice be given?", limit: 1 });
    expect(found.body.data[0]).toMatchObject({ kind: "document", provenance: { source: "lease.pdf", page: 2 } });
  });

  it("as plain text in the body takes its title, source and metadata from the query", async () => {
    const path = "/v1/documents?title=Shed&source=shed.txt&metadata.room=garden";
    const { status, body } = await call("POST", path, Buffer.from("The shed key hangs behind the clock."), {
      "content-type": "text/plain; charset=utf-8",
    });
    expect([status, body.title, body.source, body.format]).toEqual([201, "Shed", "shed.txt", "text"]);
    expect(body.metadata).toEqual({ room: "garden" });
  });

  const text = { text: "Some words." };
  it.each([
    ["nothing at all", {}, "text"],
    ["two contents", { text: "a", markdown: "b" }, "text"],
    ["an empty text", { text: "" }, "text"],
    ["a text of no words", { text: " \u200b\u200b\n--- " }, "text"],
    ["binary data as text", { markdown: "\u0000\u0001\u0002\u0003\u0004\u0005".repeat(50) }, "markdown"],
    ["more text than may be", { text: "word ".repeat(400_001) }, "text"],
    ["no base64", { file_data: "%%%", media_type: "application/pdf" }, "file_data"],
    ["a file of no known type", { file_data: "AAAA", filename: "a.docx" }, "media_type"],
    ["a file that is no PDF", { file_data: "AAAA", media_type: "application/pdf" }, "file_data"],
    ["a damaged PDF", { file_data: lease.subarray(0, 200).toString("base64"), filename: "a.pdf" }, "file_data"],
    [
      "an encrypted PDF",
      { file_data: makePdf([[{ text: "x" }]], { encrypted: true }).toString("base64"), filename: "a.pdf" },
      "file_data",
    ],
    ["a PDF without words", { file_data: makePdf([[]]).toString("base64"), filename: "a.pdf" }, "file_data"],
    ["bytes that are no UTF-8", { file_data: "w0jDKP8=", media_type: "text/plain" }, "file_data"],
    ["a title that is no text", { ...text, title: 5 }, "title"],
    ["an endless title", { ...text, title: "t".repeat(3_000) }, "title"],
    ["a time that is none", { ...text, expires_at: "soon" }, "expires_at"],
    ["metadata without end", { ...text, metadata: { a: "b".repeat(20_000) } }, "metadata"],
  ])("with %s is refused, and the field is named", async (_what, body, param) => {
    const answer = await call("POST", "/v1/documents", body);
    expect([answer.status, answer.body.error.param, answer.body.error.type]).toEqual([
      400,
      param,
      "invalid_request_error",
    ]);
    expect((await call("GET", "/v1/documents")).body.data).toEqual([]);
  });

  it("an empty body of a PDF's type is told so", async () => {
    const answer = await call("POST", "/v1/documents", Buffer.alloc(0), { "content-type": "application/pdf" });
    expect(answer.status).toBe(400);
  });
});

describe("documents that are there", () => {
  it("are listed in pages, each once, and only to their owner", async () => {
    for (const name of ["a", "b", "c"]) await call("POST", "/v1/documents", { text: `Text of ${name}.`, title: name });
    const first = await call("GET", "/v1/documents?limit=2");
    const rest = await call("GET", `/v1/documents?limit=2&after=${encodeURIComponent(first.body.next ?? "")}`);
    expect([...first.body.data, ...rest.body.data].map(({ title }) => title).toSorted()).toEqual(["a", "b", "c"]);
    expect([first.body.has_more, rest.body.has_more]).toEqual([true, false]);
    const id = first.body.data[0]?.id ?? "";
    user = `${user}-stranger`;
    expect((await call("GET", "/v1/documents")).body.data).toEqual([]);
    expect((await call("GET", `/v1/documents/${id}`)).status).toBe(404);
    expect((await call("DELETE", `/v1/documents/${id}`)).status).toBe(404);
    expect((await call("GET", "/v1/documents?after=nonsense")).body.error.param).toBe("after");
  });

  it("are deleted with all their passages", async () => {
    const { body } = await call("POST", "/v1/documents", { text: "The safe code is in the piano.", title: "Safe" });
    expect(await call("DELETE", `/v1/documents/${body.id}`)).toMatchObject({ status: 200, body: { deleted: true } });
    expect((await call("POST", "/v1/memories/search", { query: "safe code piano" })).body.data).toEqual([]);
    expect((await call("GET", "/v1/memories?status=archived")).body.data).toEqual([]);
  });

  it("go with their user", async () => {
    await call("POST", "/v1/documents", { text: "The safe code is in the piano.", title: "Safe" });
    await call("DELETE", `/v1/users/${user}`);
    expect((await call("GET", "/v1/documents")).body.data).toEqual([]);
  });
});
