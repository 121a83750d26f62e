import { GatewayError } from "./errors.ts";

/** One event of a vendor's stream. `event` is absent when the vendor gave it no name. */
export type SseEvent = { readonly event?: string; readonly data: string };

/** No vendor sends an event near this size; one that does would otherwise fill our memory. */
const maxSseEventBytes = 16 * 1024 * 1024;

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;

/**
 * The events of a server-sent event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html), with one
 * kindness: a last event whose blank line never came is given too, for hosts that end without it. Comments and
 * events without data are left out. Throws `GatewayError` (`bad_answer`) for an event over the bound, and whatever
 * `body` throws. Returning early returns from `body`.
 */
export async function* readSse(
  body: AsyncIterable<Uint8Array>,
  maxEventBytes = maxSseEventBytes,
): AsyncGenerator<SseEvent> {
  const parser = new SseParser(maxEventBytes);
  for await (const chunk of body) {
    const events = parser.push(chunk);
    // Most chunks hold exactly one event: no iterator for them.
    if (events.length === 1 && events[0] !== undefined) yield events[0];
    else yield* events;
  }
  yield* parser.end();
}

/**
 * Works on bytes: a line end is one byte in UTF-8 and never part of another character, so a chunk can be cut anywhere
 * and text is decoded once, when its line is whole.
 */
class SseParser {
  readonly #maxEventBytes: number;
  /** The start of a line whose end is not here yet. */
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  #eventBytes = 0;
  /** The last byte was a CR: an LF that follows belongs to the same line end. */
  #afterCr = false;
  #firstLine = true;
  #event: string | undefined;
  #data: string | undefined;

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes;
  }

  push(bytes: Uint8Array): SseEvent[] {
    const events: SseEvent[] = [];
    if (bytes.length === 0) return events;
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let start = this.#afterCr && chunk[0] === LF ? 1 : 0;
    this.#afterCr = false;
    let lf = chunk.indexOf(LF, start);
    let cr = chunk.indexOf(CR, start);
    while (lf !== -1 || cr !== -1) {
      const end = lf === -1 ? cr : cr === -1 ? lf : Math.min(lf, cr);
      this.#line(chunk, start, end, events);
      start = end + 1;
      if (end === cr) {
        if (start === chunk.length) this.#afterCr = true;
        else if (chunk[start] === LF) start += 1;
        cr = chunk.indexOf(CR, start);
      }
      if (lf < start && lf !== -1) lf = chunk.indexOf(LF, start);
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return events;
  }

  end(): SseEvent[] {
    const events: SseEvent[] = [];
    if (this.#restBytes > 0) this.#line(Buffer.alloc(0), 0, 0, events);
    this.#dispatch(events);
    return events;
  }

  #keep(piece: Uint8Array): void {
    this.#restBytes += piece.length;
    this.#checkBound(this.#eventBytes + this.#restBytes);
    this.#rest.push(piece);
  }

  #checkBound(bytes: number): void {
    if (bytes > this.#maxEventBytes) {
      throw new GatewayError("bad_answer", `One event of the vendor's stream is over ${this.#maxEventBytes} bytes.`);
    }
  }

  #line(chunk: Buffer, from: number, to: number, events: SseEvent[]): void {
    let line = chunk;
    let start = from;
    let end = to;
    if (this.#restBytes > 0) {
      line = Buffer.concat([...this.#rest, chunk.subarray(from, to)]);
      start = 0;
      end = line.length;
      this.#rest = [];
      this.#restBytes = 0;
    }
    if (this.#firstLine) {
      this.#firstLine = false;
      if (line[start] === 0xef && line[start + 1] === 0xbb && line[start + 2] === 0xbf && end - start >= 3) start += 3;
    }
    if (start === end) this.#dispatch(events);
    else this.#field(line, start, end);
  }

  #field(line: Buffer, start: number, end: number): void {
    this.#eventBytes += end - start;
    this.#checkBound(this.#eventBytes);
    const name = fieldName(line, start, end);
    if (name === "other") return;
    let from = start + name.length;
    if (from < end) from += 1;
    if (from < end && line[from] === SPACE) from += 1;
    const value = line.toString("utf8", from, end);
    if (name === "event") this.#event = value;
    else this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
  }

  #dispatch(events: SseEvent[]): void {
    if (this.#data !== undefined) {
      events.push(this.#event === undefined ? { data: this.#data } : { event: this.#event, data: this.#data });
    }
    this.#event = undefined;
    this.#data = undefined;
    this.#eventBytes = 0;
  }
}

/** Told by bytes, because a string a line would cost more than the rest of the parser. */
function fieldName(line: Buffer, start: number, end: number): "data" | "event" | "other" {
  // d a t a
  if (line[start] === 100 && line[start + 1] === 97 && line[start + 2] === 116 && line[start + 3] === 97) {
    if (end - start === 4 || line[start + 4] === COLON) return "data";
  }
  // e v e n t
  if (line[start] === 101 && end - start >= 5 && line.toString("latin1", start, start + 5) === "event") {
    if (end - start === 5 || line[start + 5] === COLON) return "event";
  }
  return "other";
}
