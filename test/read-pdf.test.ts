import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { DocumentError } from "../memory/documents/block.ts";
import { createPdfReader } from "../memory/documents/read-pdf.ts";
import { makePdf } from "./support/make-pdf.ts";

const read = createPdfReader();

async function failure(bytes: Uint8Array, reader = read): Promise<string> {
  try {
    await reader(bytes);
  } catch (error) {
    if (error instanceof DocumentError) return error.code;
    throw error;
  }
  return "none";
}

describe("a PDF", () => {
  it("is read as headings and paragraphs with their pages", async () => {
    const pdf = makePdf(
      [
        [
          { text: "Warranty", size: 20 },
          { text: "Items may be returned within thirty days of the", down: 30 },
          { text: "purchase, with the receipt." },
          { text: "Batteries are excluded.", down: 40 },
        ],
        [
          { text: "Contact", size: 20 },
          { text: "Write to the shop in Graz.", down: 30 },
        ],
      ],
      { title: "Shop terms" },
    );
    expect(await read(pdf)).toEqual({
      pages: 2,
      title: "Shop terms",
      blocks: [
        { text: "Warranty", heading: 1, page: 1 },
        { text: "Items may be returned within thirty days of the purchase, with the receipt.", page: 1 },
        { text: "Batteries are excluded.", page: 1 },
        { text: "Contact", heading: 1, page: 2 },
        { text: "Write to the shop in Graz.", page: 2 },
      ],
    });
  });

  it("in Chinese without maps of its own is read too", async () => {
    const { blocks } = await read(makePdf([[{ text: "合同自签署之日起生效。" }]], { cjk: true }));
    expect(blocks.map(({ text }) => text)).toEqual(["合同自签署之日起生效。"]);
  });

  it("loses its running heads and page numbers", async () => {
    const pages = Array.from({ length: 6 }, (_, index) => [
      { text: "Acme handbook" },
      { text: `On this page stands rule ${"abcdef".charAt(index)}.`, down: 60 },
      { text: `${index + 1}`, down: 500 },
    ]);
    const { blocks } = await read(makePdf(pages));
    const text = blocks.map((block) => block.text).join("\n");
    expect(text).toContain("rule c.");
    expect(text).not.toMatch(/Acme|\d/u);
  });

  it.each([
    ["of no bytes", Buffer.alloc(0), "empty"],
    ["that is no PDF", Buffer.from("MZ\u0090\u0000 something else"), "unreadable"],
    ["that is cut off", makePdf([[{ text: "Half" }]]).subarray(0, 120), "unreadable"],
    ["without text", makePdf([[], []]), "empty"],
    ["with a password", makePdf([[{ text: "Secret" }]], { encrypted: true }), "encrypted"],
    ["of too many pages", makePdf(Array.from({ length: 1_001 }, () => [{ text: "x" }])), "too_large"],
  ])("%s is refused", async (_what, bytes, code) => {
    expect(await failure(bytes)).toBe(code);
  });

  it("that takes too long is given up, and the next one is read", async () => {
    const hasty = createPdfReader({ timeoutMs: 1 });
    expect(await failure(makePdf([[{ text: "Slow" }]]), hasty)).toBe("too_costly");
    expect(await failure(makePdf([[{ text: "Fine" }]]))).toBe("none");
  });

  it("that unpacks into more memory than it may is given up", async () => {
    const bomb = deflateSync(Buffer.alloc(300 * 1024 * 1024, " "));
    const small = makePdf([[{ text: "Boom" }]]).toString("latin1");
    const packed = small.replace(
      /<< \/Length \d+ >>\nstream\n[\s\S]*?\nendstream/u,
      () => `<< /Filter /FlateDecode /Length ${bomb.length} >>\nstream\n${bomb.toString("latin1")}\nendstream`,
    );
    const frugal = createPdfReader({ maxBytes: 64 * 1024 * 1024 });
    expect(["too_costly", "empty"]).toContain(await failure(Buffer.from(packed, "latin1"), frugal));
  }, 30_000);

  it("waits for those before it, and is refused when too many wait", async () => {
    const narrow = createPdfReader({ waiting: 1 });
    const pdf = makePdf([[{ text: "One of three" }]]);
    const outcomes = await Promise.all([failure(pdf, narrow), failure(pdf, narrow), failure(pdf, narrow)]);
    expect(outcomes).toEqual(["none", "none", "busy"]);
    expect(await failure(pdf, narrow)).toBe("none");
  });
});
