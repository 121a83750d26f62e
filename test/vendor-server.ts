import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import type { ChatEvent } from "../router/chat.ts";
import type { JsonObject } from "../router/json.ts";
import type { AnswerFrame } from "../router/provider.ts";

export type SeenRequest = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: JsonObject;
};

export type VendorServer = {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** Settles when the client of the latest request has gone before its answer ended. */
  readonly gone: Promise<void>;
  close(): Promise<void>;
};

/** A vendor on loopback. `answer` gets each request once its body is here. */
export async function startVendor(
  answer: (response: ServerResponse, seen: SeenRequest) => void,
): Promise<VendorServer> {
  const seen: SeenRequest[] = [];
  const gone = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body: JsonObject = JSON.parse(Buffer.concat(chunks).toString("utf8") || "{}");
      const { method = "", url = "", headers } = request;
      seen.push({ method, url, headers, body });
      response.on("close", () => {
        if (!response.writableEnded) gone.resolve();
      });
      answer(response, { method, url, headers, body });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    gone: gone.promise,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export function answerJson(response: ServerResponse, status: number, body: string, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body);
}

/** Events as their vendor frames them; Anthropic names them too. */
export function toSse(events: readonly string[], named: boolean): string {
  return events.map((data) => `${named ? `event: ${typeOf(data)}\n` : ""}data: ${data}\n\n`).join("");
}

function typeOf(data: string): string {
  return /"type":"(\w+)"/.exec(data)?.[1] ?? "message";
}

const recordings = join(import.meta.dirname, "../../shared/wire");
export const noRecordings = existsSync(recordings) ? false : "skipped: no recorded answers in ../shared/wire";

export function recorded(name: string): string {
  return readFileSync(join(recordings, name), "utf8");
}

export function recordedEvents(name: string): string[] {
  return recorded(name)
    .split("\n")
    .filter((line) => line.trim() !== "");
}

export async function eventsOf(frames: AsyncIterable<AnswerFrame>): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  for await (const frame of frames) events.push(...frame.events);
  return events;
}

/** The words of an answer, however they were cut. */
export function textOf(events: readonly ChatEvent[]): string {
  return events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
}
