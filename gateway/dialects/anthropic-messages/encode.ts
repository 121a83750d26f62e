import type { GatewayError } from "../../../router/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import type { AnswerFrame } from "../../../router/provider.ts";
import { noUsage, type Usage } from "../../../router/usage.ts";
import type { AnswerInfo, StreamEncoder, WholeEncoder } from "../dialect.ts";
import { type BlockStep, BlockWriter } from "./block-writer.ts";
import { anthropicErrorBody } from "./error.ts";

/** Feeds on frames, ends as a `message`. A whole answer of the same protocol is passed on byte for byte. */
export function createWholeEncoder(info: AnswerInfo): WholeEncoder {
  const blocks = new BlockWriter();
  const content: JsonObject[] = [];
  let raw: string | undefined;
  return {
    push(frame: AnswerFrame) {
      if (info.passThrough && !info.request.stream && frame.raw !== undefined) raw = frame.raw;
      else
        for (const event of frame.events)
          for (const step of blocks.step(event)) if (step.type === "close") content.push(step.block);
    },
    end() {
      if (raw !== undefined) return raw;
      for (const step of blocks.finish()) if (step.type === "close") content.push(step.block);
      return JSON.stringify({
        ...messageHead(info, blocks),
        content,
        ...blocks.stop(),
        usage: toAnthropicUsage(blocks.usage),
      });
    },
  };
}

/**
 * Writes the events of a message: message_start → (block start → deltas → block stop)* → message_delta → message_stop.
 * One block is open at a time. Events of the same protocol pass through byte for byte.
 */
export function createStreamEncoder(info: AnswerInfo): StreamEncoder {
  const blocks = new BlockWriter();
  let begun = false;
  let passed = false;

  function begin(): string {
    if (begun) return "";
    begun = true;
    const message = {
      ...messageHead(info, blocks),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: toAnthropicUsage(noUsage),
    };
    return sse("message_start", { type: "message_start", message });
  }

  return {
    push(frame: AnswerFrame) {
      if (info.passThrough && frame.raw !== undefined) {
        passed = true;
        return `event: ${rawType(frame.raw)}\ndata: ${frame.raw}\n\n`;
      }
      let text = "";
      if (passed) return text;
      for (const event of frame.events) {
        const steps = blocks.step(event);
        if (event.type !== "start" && event.type !== "warning") text += begin();
        text += write(steps);
      }
      return text;
    },
    end() {
      // The vendor's own events end the message; a host that answered whole has sent none.
      if (passed) return "";
      const closing = begin() + write(blocks.finish());
      const delta = sse("message_delta", {
        type: "message_delta",
        delta: blocks.stop(),
        usage: toAnthropicUsage(blocks.usage),
      });
      return `${closing}${delta}${sse("message_stop", { type: "message_stop" })}`;
    },
    fail(error: GatewayError) {
      return sse("error", anthropicErrorBody(error, info.trace));
    },
  };
}

function write(steps: readonly BlockStep[]): string {
  let text = "";
  for (const step of steps) {
    switch (step.type) {
      case "open":
        text += sse("content_block_start", {
          type: "content_block_start",
          index: step.index,
          content_block: step.block,
        });
        break;
      case "delta":
        text += sse("content_block_delta", { type: "content_block_delta", index: step.index, delta: step.delta });
        break;
      case "close":
        text += sse("content_block_stop", { type: "content_block_stop", index: step.index });
        break;
    }
  }
  return text;
}

function messageHead(info: AnswerInfo, blocks: BlockWriter): JsonObject {
  return {
    id: blocks.id ?? `msg_${info.trace}`,
    type: "message",
    role: "assistant",
    model: blocks.model ?? info.modelId,
  };
}

/** Anthropic counts input that no cache touched apart from the rest, as we do. */
function toAnthropicUsage(usage: Usage): JsonObject {
  return {
    input_tokens: usage.inputTokens,
    cache_creation_input_tokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    cache_read_input_tokens: usage.cacheReadTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite5mTokens,
      ephemeral_1h_input_tokens: usage.cacheWrite1hTokens,
    },
    output_tokens: usage.outputTokens,
    service_tier: usage.serviceTier ?? "standard",
  };
}

/** The vendor writes the type first; anything else is read properly. */
function rawType(raw: string): string {
  const quick = /^\{"type":"([a-z_]+)"/.exec(raw);
  if (quick?.[1] !== undefined) return quick[1];
  const value: JsonValue = JSON.parse(raw);
  return isJsonObject(value) && typeof value["type"] === "string" ? value["type"] : "message";
}

function sse(event: string, data: JsonObject): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
