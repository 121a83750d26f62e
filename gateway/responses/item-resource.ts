import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";

/** An input item as the list of them shows it: with the fields that a client may leave out. Its id it has already. */
export function toItemResource(item: JsonObject): JsonObject {
  const type = typeof item["type"] === "string" ? item["type"] : "message";
  switch (type) {
    case "message":
      return { ...item, type, status: item["status"] ?? "completed", content: toContent(item) };
    case "function_call":
    case "function_call_output":
    case "custom_tool_call":
    case "custom_tool_call_output":
      return { ...item, status: item["status"] ?? "completed" };
    case "reasoning":
      return { ...item, summary: item["summary"] ?? [] };
    default:
      return item;
  }
}

function toContent(item: JsonObject): JsonValue {
  const { role, content } = item;
  const parts: readonly JsonValue[] =
    typeof content === "string" ? [{ type: "input_text", text: content }] : Array.isArray(content) ? content : [];
  return parts.map((part) => (isJsonObject(part) ? toPart(part, role === "assistant") : part));
}

function toPart(part: JsonObject, isAnswer: boolean): JsonObject {
  const { type, text } = part;
  if (type === "input_image") return { ...part, detail: part["detail"] ?? "auto" };
  if (type !== "input_text" && type !== "output_text" && type !== "text") return part;
  if (!isAnswer) return { type: "input_text", text };
  const { annotations = [], logprobs = [] } = part;
  return { ...part, type: "output_text", annotations, logprobs };
}
