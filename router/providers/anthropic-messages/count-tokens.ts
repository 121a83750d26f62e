import { GatewayError } from "../../errors.ts";
import { isJsonObject } from "../../json.ts";
import { parseVendorJson } from "../../vendor-call.ts";
import type { MessagesRequest } from "./request.ts";

/** What counts: the endpoint refuses a message's other fields (`max_tokens`, `stream`, `temperature`). */
const countedFields = new Set([
  "model",
  "messages",
  "system",
  "tools",
  "tool_choice",
  "thinking",
  "cache_control",
  "output_config",
  "output_format",
  "context_management",
  "mcp_servers",
  "speed",
]);

/** A message's request as the body of `POST /v1/messages/count_tokens`. */
export function toCountRequest(request: MessagesRequest): MessagesRequest {
  const body = Object.fromEntries(Object.entries(request.body).filter(([field]) => countedFields.has(field)));
  return { ...request, body };
}

/** Throws `GatewayError` (`bad_answer`) for anything but a count. */
export function readTokenCount(provider: string, text: string): number {
  const body = parseVendorJson(provider, text);
  const count = isJsonObject(body) ? body["input_tokens"] : undefined;
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
  throw new GatewayError("bad_answer", `${provider} answered something that is no count of tokens.`);
}
