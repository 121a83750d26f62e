import { isJsonObject, type JsonObject } from "../../router/json.ts";
import type { SandboxModel } from "./models.ts";
import { checkEffort, checkMaxTokens, checkSampling, checkStrictFormat, checkTool } from "./openai-rules.ts";
import { digest, openSeal } from "./seal.ts";
import { Refusal, asObjects, asText } from "./wire.ts";

const knownFields = new Set(
  `access_programs background context_management conversation image include input instructions max_output_tokens
  max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key
  prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options
  temperature text tool_choice tools top_logprobs top_p truncation user`.split(/\s+/u),
);
/** Fields of the real endpoint that need what a sandbox has not: refused, so that nobody believes they work. */
const notOffered = ["background", "conversation", "prompt"];

export function checkResponses(body: JsonObject, model: SandboxModel): void {
  const unknown = Object.keys(body).find((name) => !knownFields.has(name));
  if (unknown !== undefined)
    throw new Refusal(400, `Unknown parameter: '${unknown}'.`, { code: "unknown_parameter", param: unknown });
  const missing = notOffered.find((name) => body[name] !== undefined && body[name] !== null && body[name] !== false);
  if (missing !== undefined)
    throw new Refusal(400, `[sandbox] '${missing}' is not offered by the sandbox.`, {
      code: "unsupported_parameter",
      param: missing,
    });
  const reasoning = isJsonObject(body["reasoning"]) ? body["reasoning"] : {};
  const effort = asText(reasoning["effort"]) || undefined;
  checkEffort(effort, model, "reasoning.effort");
  checkSampling(body, model, effort);
  checkMaxTokens(body, "max_output_tokens", model, 16);
  asObjects(body["tools"]).forEach((tool, index) => {
    if (tool["type"] === "function") checkTool(tool, `tools[${index}]`);
  });
  const format = isJsonObject(body["text"]) ? body["text"]["format"] : undefined;
  if (isJsonObject(format) && format["type"] === "json_schema") {
    if (asText(format["name"]) === "") {
      throw new Refusal(400, "Missing required parameter: 'text.format.name'.", {
        code: "missing_required_parameter",
        param: "text.format.name",
      });
    }
    if (format["strict"] === true && isJsonObject(format["schema"])) {
      checkStrictFormat(format["schema"], asText(format["name"]), "text.format.schema");
    }
  }
  if (
    typeof body["input"] !== "string" &&
    !Array.isArray(body["input"]) &&
    body["previous_response_id"] === undefined
  ) {
    throw new Refusal(400, "Missing required parameter: 'input'.", {
      code: "missing_required_parameter",
      param: "input",
    });
  }
}

const itemTypes = new Set([
  "message",
  "function_call",
  "function_call_output",
  "reasoning",
  "item_reference",
  "custom_tool_call",
  "custom_tool_call_output",
]);

/** Checks the whole conversation, stored items included. `isStored` knows the ids of items the sandbox keeps. */
export function checkItems(items: readonly JsonObject[], apiKey: string, isStored: (id: string) => boolean): void {
  const called = new Set<string>();
  const answered = new Set(
    items.filter((item) => item["type"] === "function_call_output").map((item) => asText(item["call_id"])),
  );
  items.forEach((item, index) => {
    const type = asText(item["type"]) || "message";
    if (!itemTypes.has(type)) {
      throw new Refusal(
        400,
        `Invalid value: '${type}'. Supported values are: ${[...itemTypes].map((name) => `'${name}'`).join(", ")}.`,
        {
          code: "invalid_value",
          param: `input[${index}]`,
        },
      );
    }
    const id = asText(item["call_id"]);
    if (type === "function_call") {
      called.add(id);
      if (!answered.has(id))
        throw new Refusal(400, `No tool output found for function call ${id}.`, { param: "input" });
    }
    if (type === "function_call_output" && !called.has(id)) {
      throw new Refusal(400, `No tool call found for function call output with call_id ${id}.`, { param: "input" });
    }
    if (type === "reasoning") checkReasoning(item, items[index + 1], apiKey, isStored);
  });
}

function checkReasoning(
  item: JsonObject,
  next: JsonObject | undefined,
  apiKey: string,
  isStored: (id: string) => boolean,
): void {
  const id = asText(item["id"]);
  const sealed = asText(item["encrypted_content"]);
  if (sealed === "" && !isStored(id)) {
    throw new Refusal(
      404,
      `Item with id '${id}' not found. Items are not persisted when \`store\` is set to false. Try again with \`store\` set to true, or remove this item from your input.`,
      {
        param: "input",
      },
    );
  }
  if (sealed !== "") {
    const seal = openSeal(sealed);
    if (seal?.["kind"] !== "reasoning" || seal["key"] !== digest(apiKey)) {
      throw new Refusal(
        400,
        `The encrypted content for item ${id} could not be verified. Reason: Encrypted content could not be decrypted or parsed.`,
        {
          code: "invalid_encrypted_content",
        },
      );
    }
  }
  const isFollowed =
    next !== undefined &&
    (next["role"] === "assistant" || ["function_call", "reasoning", "custom_tool_call"].includes(asText(next["type"])));
  if (!isFollowed)
    throw new Refusal(400, `Item '${id}' of type 'reasoning' was provided without its required following item.`, {
      param: "input",
    });
}
