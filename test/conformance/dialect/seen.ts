import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import {
  type Answer,
  readChatWhole,
  readError,
  readMessagesWhole,
  readResponsesWhole,
  type Seen,
  type StreamEvent,
} from "./answer.ts";
import type { DialectName } from "./ask.ts";
import { readChatStream } from "./seen-chat.ts";
import { readMessagesStream } from "./seen-messages.ts";
import { readResponsesStream } from "./seen-responses.ts";

const streamReaders: Readonly<Record<DialectName, (events: readonly StreamEvent[]) => Answer>> = {
  "openai-chat": readChatStream,
  "openai-responses": readResponsesStream,
  "anthropic-messages": readMessagesStream,
};
const wholeReaders: Readonly<Record<DialectName, (body: JsonObject) => Answer>> = {
  "openai-chat": readChatWhole,
  "openai-responses": readResponsesWhole,
  "anthropic-messages": readMessagesWhole,
};

/** Reads an answer to its end, whole, streamed or failed. */
export async function readSeen(dialect: DialectName, response: Response): Promise<Seen> {
  const { status, headers } = response;
  const body = await response.text();
  const head = { status, headers };
  if (headers.get("content-type")?.startsWith("text/event-stream") === true) {
    return { ...streamReaders[dialect](toEvents(body)), ...head };
  }
  const parsed = JSON.parse(body) as JsonValue;
  if (!isJsonObject(parsed)) throw new Error(`The answer is no object: ${body.slice(0, 200)}`);
  return { ...(status === 200 ? wholeReaders[dialect](parsed) : readError(dialect, parsed)), ...head };
}

/** Server-sent events as the standard has it: comments skipped, data lines joined. */
export function toEvents(body: string): StreamEvent[] {
  return body
    .split(/\r?\n\r?\n/)
    .map((block) => block.split(/\r?\n/))
    .flatMap((lines) => {
      const field = (name: string): string[] =>
        lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart());
      const data = field("data");
      return data.length === 0 ? [] : [{ event: field("event")[0], data: data.join("\n") }];
    });
}
