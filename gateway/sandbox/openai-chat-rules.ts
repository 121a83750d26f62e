import { isJsonObject, type JsonObject } from "../../router/json.ts";
import type { SandboxModel } from "./models.ts";
import { checkEffort, checkMaxTokens, checkSampling, checkStrictFormat, checkTool } from "./openai-rules.ts";
import { Refusal, asObjects, asText, asTexts } from "./wire.ts";

const knownFields = new Set(
  `messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
  metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options
  prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream
  stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options`.split(/\s+/u),
);
const roles = new Set(["system", "developer", "user", "assistant", "tool", "function"]);

/** Refuses what Chat Completions would refuse, with its words. */
export function checkChat(body: JsonObject, model: SandboxModel): void {
  const unknown = Object.keys(body).find((name) => !knownFields.has(name));
  if (unknown !== undefined) throw new Refusal(400, `Unrecognized request argument supplied: ${unknown}`);
  checkParameters(body, model);
  checkFormat(body);
  checkMessages(body);
}

function checkParameters(body: JsonObject, model: SandboxModel): void {
  const effort = asText(body["reasoning_effort"]) || undefined;
  checkEffort(effort, model, "reasoning_effort");
  checkSampling(body, model, effort);
  checkMaxTokens(body, "max_tokens", model, 1);
  checkMaxTokens(body, "max_completion_tokens", model, 1);
  if (model.efforts.length > 0 && body["max_tokens"] !== undefined && body["max_tokens"] !== null) {
    throw new Refusal(
      400,
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      {
        code: "unsupported_parameter",
        param: "max_tokens",
      },
    );
  }
  const stops = asTexts(body["stop"]);
  if (stops.length > 0 && !model.takesStop) {
    throw new Refusal(400, "Unsupported parameter: 'stop' is not supported with this model.", {
      code: "unsupported_parameter",
      param: "stop",
    });
  }
  if (stops.length > 4) {
    throw new Refusal(400, "Invalid 'stop': array too long. Expected an array with maximum length 4.", {
      code: "array_above_max_length",
      param: "stop",
    });
  }
  const tools = asObjects(body["tools"]);
  tools.forEach((tool, index) => {
    if (tool["type"] === "function")
      checkTool(isJsonObject(tool["function"]) ? tool["function"] : {}, `tools[${index}].function`);
  });
  if (tools.length > 0 && !model.takesToolsWithEffort && effort !== undefined && effort !== "none") {
    throw new Refusal(
      400,
      `Function tools with reasoning_effort are not supported for ${model.id} in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.`,
      {
        param: "reasoning_effort",
      },
    );
  }
  if (tools.length === 0 && body["tool_choice"] !== undefined && body["tool_choice"] !== null) {
    throw new Refusal(
      400,
      "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
      { param: "tool_choice" },
    );
  }
  if (body["stream_options"] !== undefined && body["stream_options"] !== null && body["stream"] !== true) {
    throw new Refusal(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", {
      param: "stream_options",
    });
  }
}

function checkFormat(body: JsonObject): void {
  const format = body["response_format"];
  if (!isJsonObject(format)) return;
  if (format["type"] === "json_object" && !/json/iu.test(JSON.stringify(body["messages"] ?? ""))) {
    throw new Refusal(
      400,
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
      { param: "messages" },
    );
  }
  if (format["type"] !== "json_schema") return;
  const wanted = isJsonObject(format["json_schema"]) ? format["json_schema"] : {};
  if (asText(wanted["name"]) === "") {
    throw new Refusal(400, "Missing required parameter: 'response_format.json_schema.name'.", {
      code: "missing_required_parameter",
      param: "response_format.json_schema.name",
    });
  }
  if (wanted["strict"] === true && isJsonObject(wanted["schema"])) {
    checkStrictFormat(wanted["schema"], asText(wanted["name"]), "response_format");
  }
}

function checkMessages(body: JsonObject): void {
  const raw = body["messages"];
  if (!Array.isArray(raw))
    throw new Refusal(400, "Missing required parameter: 'messages'.", {
      code: "missing_required_parameter",
      param: "messages",
    });
  if (raw.length === 0) {
    throw new Refusal(
      400,
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
      {
        code: "empty_array",
        param: "messages",
      },
    );
  }
  let open: string[] = [];
  asObjects(raw).forEach((message, index) => {
    const role = asText(message["role"]);
    if (!roles.has(role)) {
      throw new Refusal(
        400,
        `Invalid value: '${role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.`,
        {
          code: "invalid_value",
          param: `messages[${index}].role`,
        },
      );
    }
    if (role === "tool") {
      const id = asText(message["tool_call_id"]);
      if (!open.includes(id)) {
        throw new Refusal(
          400,
          "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          {
            param: `messages.[${index}].role`,
          },
        );
      }
      open = open.filter((other) => other !== id);
      return;
    }
    refuseOpenCalls(open, index);
    open = asObjects(message["tool_calls"]).map((call) => asText(call["id"]));
    checkContent(message, role, index);
  });
  refuseOpenCalls(open, raw.length);
}

function refuseOpenCalls(open: readonly string[], index: number): void {
  if (open.length === 0) return;
  throw new Refusal(
    400,
    `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${open.join(", ")}`,
    {
      param: `messages.[${index}].role`,
    },
  );
}

const partTypes: Readonly<Record<string, readonly string[]>> = {
  user: ["text", "image_url", "input_audio", "file"],
  assistant: ["text", "refusal"],
  system: ["text"],
  developer: ["text"],
};

function checkContent(message: JsonObject, role: string, index: number): void {
  const content = message["content"];
  const param = `messages.[${index}].content`;
  const mayBeEmpty = role === "assistant" && (message["tool_calls"] !== undefined || message["refusal"] !== undefined);
  if ((content === null || content === undefined) && !mayBeEmpty) {
    throw new Refusal(400, `Invalid value for 'content': expected a string, got null.`, { param });
  }
  const allowed = partTypes[role] ?? ["text"];
  asObjects(content).forEach((part, position) => {
    const type = asText(part["type"]);
    if (allowed.includes(type)) return;
    throw new Refusal(
      400,
      `Invalid value: '${type}'. Supported values are: ${allowed.map((name) => `'${name}'`).join(", ")}.`,
      {
        code: "invalid_value",
        param: `messages[${index}].content[${position}].type`,
      },
    );
  });
}
