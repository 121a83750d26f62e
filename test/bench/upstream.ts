import { createServer } from "node:http";
import { whenListening } from "./child.ts";

// An instant OpenAI: answers every Chat Completions request from memory, whole or as 200 events.

const answer = Buffer.from(
  JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion",
    created: 1_790_000_000,
    model: "gpt-6-luna",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "An instant answer of a dozen words or so, always the same one.",
          refusal: null,
        },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: { prompt_tokens: 250, completion_tokens: 16, total_tokens: 266 },
  }),
);

const eventCount = 200;
const chunk = (delta: object, finish: string | null) =>
  `data: ${JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "gpt-6-luna",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
  })}\n\n`;
// One write an event, as a vendor's tokens come: coalescing them would hide the cost per event.
const events = [
  chunk({ role: "assistant", content: "" }, null),
  ...Array.from({ length: eventCount - 3 }, (_, index) => chunk({ content: ` word${index}` }, null)),
  chunk({}, "stop"),
  `data: ${JSON.stringify({ id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1_790_000_000, model: "gpt-6-luna", choices: [], usage: { prompt_tokens: 250, completion_tokens: 197, total_tokens: 447 } })}\n\n`,
  "data: [DONE]\n\n",
].map((text) => Buffer.from(text));

const server = createServer((request, response) => {
  let streaming = false;
  request.on("data", (piece: Buffer) => {
    streaming ||= piece.includes('"stream":true');
  });
  request.on("end", () => {
    if (!streaming) {
      response.writeHead(200, { "content-type": "application/json", "content-length": answer.byteLength });
      response.end(answer);
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    let next = 0;
    const send = () => {
      const event = events[next];
      next += 1;
      if (event === undefined) response.end();
      else response.write(event, send);
    };
    send();
  });
});
server.keepAliveTimeout = 60_000;
whenListening(server);
