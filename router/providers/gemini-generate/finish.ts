import type { FinishReason } from "../../chat.ts";

/** What a `finishReason` means; `malformed` for answers that are none and should be asked for again. */
export function toFinish(reason: string, calledTools: boolean): FinishReason | "malformed" | undefined {
  switch (reason) {
    case "STOP":
      return calledTools ? "tool-calls" : "stop";
    case "MAX_TOKENS":
      return "length";
    case "SAFETY":
    case "RECITATION":
    case "LANGUAGE":
    case "BLOCKLIST":
    case "PROHIBITED_CONTENT":
    case "SPII":
    case "IMAGE_SAFETY":
    case "IMAGE_PROHIBITED_CONTENT":
    case "IMAGE_RECITATION":
    case "IMAGE_OTHER":
      return "content-filter";
    case "MALFORMED_FUNCTION_CALL":
    case "MALFORMED_RESPONSE":
    case "UNEXPECTED_TOOL_CALL":
    case "TOO_MANY_TOOL_CALLS":
      return "malformed";
    case "CONTINUATION":
      return "pause";
    case "OTHER":
    case "NO_IMAGE":
    case "FINISH_REASON_UNSPECIFIED":
      return "unknown";
    default:
      return undefined;
  }
}
