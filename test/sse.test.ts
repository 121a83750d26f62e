import { array, assert, asyncProperty, constantFrom, nat, record, string } from "fast-check";
import { describe, expect, it } from "vitest";
import type { SseEvent } from "../router/sse.ts";
import { readSse } from "../router/sse.ts";

async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
  for (const [index, end] of edges.slice(1).entries()) yield bytes.subarray(edges[index], end);
}

const clean = (line: string): string => line.replaceAll(/[\r\n]/g, "·");
const repeated = (line: string): AsyncIterable<Uint8Array> => pieces(Buffer.from(line.repeat(100)), []);

async function read(text: string, cuts: readonly number[] = []): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  for await (const event of readSse(pieces(Buffer.from(text), cuts))) events.push(event);
  return events;
}

describe("a server-sent event stream", () => {
  it("gives name and data of each event", async () => {
    expect(await read('event: a\ndata: {"x":1}\n\ndata: two\n\n')).toEqual([
      { event: "a", data: '{"x":1}' },
      { data: "two" },
    ]);
  });

  it("joins the lines of one event's data", async () => {
    expect(await read("data: one\ndata:\ndata:  two\n\n")).toEqual([{ data: "one\n\n two" }]);
  });

  it.each(["\n", "\r", "\r\n"])("takes %j as a line end", async (end) => {
    const text = ["event: a", "data: 1", "data: 2", "", "data: 3", "", ""].join(end);
    expect(await read(text)).toEqual([{ event: "a", data: "1\n2" }, { data: "3" }]);
  });

  it("leaves out comments, unknown fields and events without data", async () => {
    expect(await read(": ping\n\nid: 7\nretry: 1\nevent: nothing\n\ndatabase: no\neventful\ndata: yes\n\n")).toEqual([
      { data: "yes" },
    ]);
  });

  it("takes a field without a colon or a value as empty", async () => {
    expect(await read("data\n\nevent:\ndata:x\n\n")).toEqual([{ data: "" }, { event: "", data: "x" }]);
  });

  it("passes over a byte order mark, even one that is cut", async () => {
    expect(await read("\uFEFFdata: x\n\n")).toEqual([{ data: "x" }]);
    expect(await read("\uFEFFdata: x\n\n", [1, 2])).toEqual([{ data: "x" }]);
  });

  it("gives the last event though its blank line never came", async () => {
    expect(await read("data: x\n\ndata: y")).toEqual([{ data: "x" }, { data: "y" }]);
    expect(await read("data: y\r")).toEqual([{ data: "y" }]);
  });

  it("reads the same wherever it is cut", async () => {
    const end = constantFrom("\n", "\r", "\r\n");
    const events = array(
      record({ data: array(string({ unit: "grapheme" }), { minLength: 1, maxLength: 3 }), end, comment: nat(1) }),
    );
    await assert(
      asyncProperty(events, array(nat(400), { maxLength: 40 }), async (parts, cuts) => {
        const text = parts
          .map((part) =>
            [part.comment === 1 ? ": ping" : "id: 1", ...part.data.map((line) => `data: ${clean(line)}`), "", ""].join(
              part.end,
            ),
          )
          .join("");
        const expected = parts.map((part) => ({ data: part.data.map((line) => clean(line)).join("\n") }));
        expect(await read(text, cuts)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("refuses an event over its bound, in one line or in many", async () => {
    await expect(readSse(repeated("data: 0123456789"), 100).next()).rejects.toMatchObject({ code: "bad_answer" });
    await expect(readSse(repeated("data: 0123456789\n"), 100).next()).rejects.toMatchObject({ code: "bad_answer" });
  });

  it("bounds events, not streams", async () => {
    const events: SseEvent[] = [];
    for await (const event of readSse(pieces(Buffer.from("data: 0123456789\n\n".repeat(100)), [7]), 100))
      events.push(event);
    expect(events).toHaveLength(100);
  });

  it("closes the body when its reader stops early", async () => {
    let closed = false;
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.from("data: x\n\ndata: y\n\n");
      } finally {
        closed = true;
      }
    }
    for await (const event of readSse(body())) if (event.data === "x") break;
    expect(closed).toBe(true);
  });
});
