import { GatewayError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../json.ts";

/**
 * The object behind a tool call's JSON text; `""` is a call without arguments. Throws `GatewayError`
 * (`invalid_request`) naming `param` when it is no JSON object: vendors that want an object cannot be told the text.
 */
export function parseToolArguments(text: string, param: string): JsonObject {
  if (text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("invalid_request", `The arguments of a tool call are not JSON (${param}).`, {
      param,
      cause,
    });
  }
  if (!isJsonObject(value)) {
    throw new GatewayError("invalid_request", `The arguments of a tool call are not a JSON object (${param}).`, {
      param,
    });
  }
  return value;
}
