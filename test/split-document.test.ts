import { assert as assertProperty, constantFrom, array, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { DocumentError } from "../memory/documents/block.ts";
import { decodeText, readText } from "../memory/documents/read-text.ts";
import { splitDocument } from "../memory/documents/split-document.ts";

const split = (text: string, format: "text" | "markdown" = "text") =>
  splitDocument(readText(text, format)).map((passage) => passage.text);

const letters = (text: string) => text.replaceAll(/[\s#]+/gu, "");

function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof DocumentError) return error.code;
    throw error;
  }
  return "none";
}

const sentence = (number: number) =>
  `Sentence number ${number} tells what happened in room ${number} of the old hotel.`;

describe("passages", () => {
  const long = Array.from({ length: 60 }, (_, index) => sentence(index)).join(" ");

  it("hold 300 to 500 characters and end where sentences end", () => {
    const passages = split(long);
    for (const passage of passages.slice(0, -1)) {
      expect(passage.length).toBeGreaterThanOrEqual(300);
      expect(passage.length).toBeLessThanOrEqual(500);
      expect(passage).toMatch(/hotel\.$/u);
    }
    expect(passages.join(" ")).toBe(long);
  });

  it("stand under the headings of their section, and never reach over one", () => {
    const text = `# Manual\n\nWelcome.\n\n## Warranty\n\n### Returns\n\nItems may be returned within 30 days.\n\n## Contact\n\nCall us.`;
    expect(split(text, "markdown")).toEqual([
      "Manual\nWelcome.",
      "Warranty › Returns\nItems may be returned within 30 days.",
      "Manual › Contact\nCall us.",
    ]);
  });

  it("keep a heading that has nothing below it", () => {
    expect(split("# Only a title", "markdown")).toEqual(["Only a title"]);
  });

  it("of Chinese and Japanese end at their own marks and are half as many characters", () => {
    const chinese = "合同自签署之日起生效，有效期为三年。".repeat(40);
    const passages = split(chinese);
    expect(passages.length).toBeGreaterThan(2);
    for (const passage of passages) {
      expect(passage.length).toBeLessThanOrEqual(250);
      expect(passage).toMatch(/。$/u);
    }
    expect(passages.join("")).toBe(chinese);
  });

  it("undo line breaks that were made for width, and keep lists", () => {
    const wrapped =
      "This paragraph was broken after about forty-five\ncharacters, as e-mail programs do, and here is\nits end.";
    expect(split(wrapped)).toEqual([wrapped.replaceAll("\n", " ")]);
    expect(split("- one\n- two\n- three", "markdown")).toEqual(["- one\n- two\n- three"]);
  });

  it("do not end at an abbreviation", () => {
    const text = "He wrote to Dr. Meyer about it, e.g. the rent of the flat. ".repeat(12);
    for (const passage of split(text)) expect(passage).toMatch(/flat\.$/u);
  });

  it("do not take the comment in a code block for a heading", () => {
    const passages = split("# Setup\n\n```sh\n# install\nnpm ci\n```\n\nDone.", "markdown");
    expect(passages).toEqual(["Setup\n```sh\n# install\nnpm ci\n```\nDone."]);
  });

  it("part one endless word without parting a character", () => {
    for (const passage of split(`a${"🦊".repeat(1_000)}`)) {
      expect(passage.isWellFormed()).toBe(true);
      expect(passage.length).toBeLessThanOrEqual(580);
    }
  });

  it.each([
    ["one endless word", "a".repeat(1_000_000)],
    ["commas alone", "a,".repeat(500_000)],
    ["sentences of one letter", "b. ".repeat(300_000)],
    ["headings alone", "# h\n".repeat(60_000)],
    ["brackets that never close", `# ${"[".repeat(500_000)} x`],
    ["emphasis that never ends", `# ${"*a".repeat(400_000)}`],
    ["hashes after a heading", `# a${" #".repeat(400_000)}b`],
    ["Chinese without a mark", "合同自签署".repeat(200_000)],
  ])("of a megabyte of %s come in time that grows with the text alone", (_what, text) => {
    const startedAt = performance.now();
    expect(split(text, "markdown").length).toBeGreaterThan(0);
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });

  it("hold every word of any text once and in order", () => {
    const piece = constantFrom("word ", "Ende. ", "中文句子。", "\n\n", "# Head\n", "- item\n", "😀", "a.b ", "!? ");
    assertProperty(
      property(array(piece, { minLength: 1, maxLength: 300 }), (pieces) => {
        const text = `x ${pieces.join("")}`;
        expect(letters(split(text).join(""))).toBe(letters(text));
      }),
    );
  });

  it("never fail on any text", () => {
    assertProperty(
      property(string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(["none", "empty", "unreadable"]).toContain(failure(() => split(text, "text")));
        expect(["none", "empty", "unreadable"]).toContain(failure(() => split(text, "markdown")));
      }),
    );
  });
});

describe("a text that is none", () => {
  it.each([
    ["nothing", "", "empty"],
    ["only space", " \n\t ", "empty"],
    ["only marks", "--- ***", "empty"],
    ["binary data", "PK\u0003\u0004\u0000\u0001\u0002\u0000\u0000\u0005\u0006".repeat(20), "unreadable"],
    ["more than may be", "word ".repeat(400_001), "too_large"],
  ])("%s is refused", (_what, text, code) => {
    expect(failure(() => readText(text, "text"))).toBe(code);
  });

  it("bytes that are no UTF-8 are refused, UTF-16 with its mark is read", () => {
    expect(failure(() => decodeText(Uint8Array.from([0xc3, 0x28, 0xff])))).toBe("unreadable");
    expect(decodeText(Buffer.from("\ufeffGrüße", "utf16le"))).toBe("Grüße");
  });
});
