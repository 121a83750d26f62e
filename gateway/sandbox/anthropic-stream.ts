import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { toAnthropicError } from "./anthropic-error.ts";
import { splitArguments, splitIntoDeltas } from "./tokens.ts";
import { asObjects, asText, type Problem } from "./wire.ts";

/** The events that lead to a finished message, framed with their names. */
export function toMessageFrames(message: JsonObject): string[] {
  const usage = isJsonObject(message["usage"]) ? message["usage"] : {};
  const { output_tokens_details: details, ...counted } = usage;
  const { stop_details: stopDetails, ...whole } = message;
  const begun = {
    ...whole,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...counted, output_tokens: 1 },
  };
  const events: JsonObject[] = [{ type: "message_start", message: begun }];
  const blocks = asObjects(message["content"]);
  blocks.forEach((block, index) => events.push(...toBlockEvents(block, index)));
  if (blocks.length === 0) events.push({ type: "ping" });
  const delta = {
    stop_reason: message["stop_reason"],
    stop_sequence: message["stop_sequence"],
    ...(stopDetails === undefined ? {} : { stop_details: stopDetails }),
  };
  events.push({
    type: "message_delta",
    delta,
    usage: {
      input_tokens: usage["input_tokens"],
      cache_creation_input_tokens: usage["cache_creation_input_tokens"],
      cache_read_input_tokens: usage["cache_read_input_tokens"],
      output_tokens: usage["output_tokens"],
      ...(details === undefined ? {} : { output_tokens_details: details }),
    },
  });
  events.push({ type: "message_stop" });
  return events.map(toFrame);
}

export function toErrorFrame(problem: Problem): string {
  const { body } = toAnthropicError(problem);
  return toFrame(isJsonObject(body) ? body : {});
}

function toFrame(event: JsonObject): string {
  return `event: ${asText(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`;
}

function toBlockEvents(block: JsonObject, index: number): JsonObject[] {
  const { empty, deltas } = open(block);
  const events: JsonObject[] = [{ type: "content_block_start", index, content_block: empty }];
  // A ping may come anywhere; the first block is where the vendor sends one most often.
  if (index === 0) events.push({ type: "ping" });
  events.push(...deltas.map((delta) => ({ type: "content_block_delta", index, delta })));
  events.push({ type: "content_block_stop", index });
  return events;
}

function open(block: JsonObject): { readonly empty: JsonValue; readonly deltas: readonly JsonObject[] } {
  switch (block["type"]) {
    case "thinking": {
      const pieces = splitIntoDeltas(asText(block["thinking"])).map((thinking) => ({
        type: "thinking_delta",
        thinking,
      }));
      return {
        empty: { type: "thinking", thinking: "", signature: "" },
        deltas: [...pieces, { type: "signature_delta", signature: asText(block["signature"]) }],
      };
    }
    case "tool_use": {
      const input = JSON.stringify(block["input"] ?? {});
      // A tool without arguments is streamed as one empty delta and nothing else.
      const pieces = input === "{}" ? [""] : ["", ...splitArguments(input)];
      return {
        empty: { ...block, input: {} },
        deltas: pieces.map((json) => ({ type: "input_json_delta", partial_json: json })),
      };
    }
    default:
      return {
        empty: { type: "text", text: "" },
        deltas: splitIntoDeltas(asText(block["text"])).map((text) => ({ type: "text_delta", text })),
      };
  }
}
