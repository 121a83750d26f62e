import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import type { SandboxModel } from "./models.ts";
import { openSeal } from "./seal.ts";
import { Refusal, asNumber, asObjects, asText } from "./wire.ts";

const bodyFields = new Set(
  "contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent labels model store serviceTier".split(
    " ",
  ),
);
const configFields = new Set(
  `temperature topP topK candidateCount maxOutputTokens stopSequences responseLogprobs logprobs presencePenalty
  frequencyPenalty seed responseMimeType responseSchema responseJsonSchema routingConfig responseModalities
  mediaResolution speechConfig audioTimestamp thinkingConfig imageConfig enableEnhancedCivicAnswers`.split(/\s+/u),
);
/** The fields of Gemini's own Schema, a part of OpenAPI's: every other keyword is an unknown name. */
const schemaFields = new Set(
  `anyOf default description enum example format items maxItems maxLength maxProperties maximum minItems minLength
  minProperties minimum nullable pattern properties propertyOrdering required title type`.split(/\s+/u),
);
/** Google's own stand-ins for a signature that a client has not got. */
const noSignature = new Set(["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"]);

/** Refuses what generateContent would refuse, with its words. */
export function checkGenerate(body: JsonObject, model: SandboxModel): void {
  refuseUnknown(body, bodyFields, "");
  const config = isJsonObject(body["generationConfig"]) ? body["generationConfig"] : {};
  refuseUnknown(config, configFields, "generation_config");
  checkConfig(config, model);
  for (const [index, tool] of asObjects(body["tools"]).entries()) checkDeclarations(tool, index);
  checkContents(asObjects(body["contents"]), model);
}

function refuseUnknown(value: JsonObject, known: ReadonlySet<string>, place: string): void {
  const unknown = Object.keys(value).find((name) => !known.has(name));
  if (unknown === undefined) return;
  const where = place === "" ? "" : ` at '${place}'`;
  throw new Refusal(400, `Invalid JSON payload received. Unknown name "${unknown}"${where}: Cannot find field.`);
}

function checkConfig(config: JsonObject, model: SandboxModel): void {
  const temperature = asNumber(config["temperature"]);
  if (temperature !== undefined && (temperature < 0 || temperature > 2)) {
    throw new Refusal(
      400,
      `* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].`,
    );
  }
  const most = asNumber(config["maxOutputTokens"]);
  if (most !== undefined && most < 1)
    throw new Refusal(
      400,
      "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.",
    );
  const stops = config["stopSequences"];
  if (Array.isArray(stops) && stops.length > 5)
    throw new Refusal(
      400,
      "* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences are allowed.",
    );
  const schema = config["responseSchema"];
  if (schema !== undefined) checkSchema(schema, "generation_config.response_schema", 0);
  if (
    (schema !== undefined || config["responseJsonSchema"] !== undefined) &&
    config["responseMimeType"] !== "application/json"
  ) {
    throw new Refusal(
      400,
      "* GenerateContentRequest.generation_config.response_schema: only allowed for response_mime_type application/json.",
    );
  }
  if (schema !== undefined && config["responseJsonSchema"] !== undefined) {
    throw new Refusal(400, "response_schema and response_json_schema cannot both be set.");
  }
  checkThinkingConfig(config["thinkingConfig"], model);
}

function checkThinkingConfig(thinking: JsonValue | undefined, model: SandboxModel): void {
  if (!isJsonObject(thinking)) return;
  refuseUnknown(
    thinking,
    new Set(["includeThoughts", "thinkingBudget", "thinkingLevel"]),
    "generation_config.thinking_config",
  );
  const level = asText(thinking["thinkingLevel"]).toLowerCase();
  if (level === "" || level === "thinking_level_unspecified") return;
  if (thinking["thinkingBudget"] !== undefined)
    throw new Refusal(400, "You can only set only one of thinking budget and thinking level.");
  if (model.efforts.length === 0) throw new Refusal(400, "Thinking level is not supported for this model.");
  if (!model.efforts.includes(level)) {
    throw new Refusal(
      400,
      `Thinking level ${level.toUpperCase()} is not supported for this model. Please retry with other thinking level.`,
    );
  }
}

function checkDeclarations(tool: JsonObject, index: number): void {
  asObjects(tool["functionDeclarations"]).forEach((declaration, position) => {
    const place = `tools[${index}].function_declarations[${position}]`;
    if (!/^[a-zA-Z_][\w.:-]{0,127}$/u.test(asText(declaration["name"]))) {
      throw new Refusal(
        400,
        `* GenerateContentRequest.${place}.name: Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128.`,
      );
    }
    if (declaration["parameters"] !== undefined) checkSchema(declaration["parameters"], `${place}.parameters`, 0);
    if (declaration["parameters"] !== undefined && declaration["parametersJsonSchema"] !== undefined) {
      throw new Refusal(
        400,
        `* GenerateContentRequest.${place}: parameters and parameters_json_schema cannot both be set.`,
      );
    }
  });
}

function checkSchema(schema: JsonValue | undefined, place: string, depth: number): void {
  if (!isJsonObject(schema) || depth > 20) return;
  refuseUnknown(schema, schemaFields, place);
  if (Array.isArray(schema["type"]))
    throw new Refusal(400, `Invalid value at '${place}.type' (type), Proto field is not repeating, cannot start list.`);
  for (const [name, inner] of Object.entries(isJsonObject(schema["properties"]) ? schema["properties"] : {})) {
    checkSchema(inner, `${place}.properties[0].value`, depth + 1);
    if (name === "") throw new Refusal(400, `* ${place}.properties: keys must not be empty.`);
  }
  checkSchema(schema["items"], `${place}.items`, depth + 1);
  for (const [index, inner] of (Array.isArray(schema["anyOf"]) ? schema["anyOf"] : []).entries()) {
    checkSchema(inner, `${place}.any_of[${index}]`, depth + 1);
  }
}

function checkContents(contents: readonly JsonObject[], model: SandboxModel): void {
  if (contents.length === 0) throw new Refusal(400, "* GenerateContentRequest.contents: contents is not specified");
  contents.forEach((content, index) => {
    const role = asText(content["role"]) || "user";
    if (!["user", "model", "function"].includes(role)) throw new Refusal(400, "Please use a valid role: user, model.");
    const parts = asObjects(content["parts"]);
    if (parts.length === 0)
      throw new Refusal(400, `* GenerateContentRequest.contents[${index}].parts: contents.parts must not be empty.`);
    parts.forEach((part, position) => checkPart(part, `contents[${index}].parts[${position}]`));
    checkTurns(contents, index, parts);
  });
  checkSignatures(contents, model);
}

function checkPart(part: JsonObject, place: string): void {
  const data = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
  ];
  if (!data.some((name) => part[name] !== undefined))
    throw new Refusal(
      400,
      `* GenerateContentRequest.${place}.data: required oneof field 'data' must have one initialized field`,
    );
  const response = part["functionResponse"];
  if (isJsonObject(response)) {
    if (asText(response["name"]) === "")
      throw new Refusal(400, `* GenerateContentRequest.${place}.function_response.name: Name cannot be empty.`);
    if (!isJsonObject(response["response"]))
      throw new Refusal(
        400,
        `Invalid value at '${place}.function_response.response' (type.googleapis.com/google.protobuf.Struct)`,
      );
  }
  const call = part["functionCall"];
  if (isJsonObject(call) && asText(call["name"]) === "")
    throw new Refusal(400, `* GenerateContentRequest.${place}.function_call.name: Name cannot be empty.`);
}

function checkTurns(contents: readonly JsonObject[], index: number, parts: readonly JsonObject[]): void {
  const calls = parts.filter((part) => part["functionCall"] !== undefined).length;
  const responses = parts.filter((part) => part["functionResponse"] !== undefined).length;
  if (calls > 0 && (index === 0 || contents[index - 1]?.["role"] === "model")) {
    throw new Refusal(
      400,
      "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
    );
  }
  if (responses === 0) return;
  const asked = asObjects(contents[index - 1]?.["parts"]).filter((part) => part["functionCall"] !== undefined).length;
  if (asked === 0)
    throw new Refusal(400, "Please ensure that function response turn comes immediately after a function call turn.");
  if (asked !== responses) {
    throw new Refusal(
      400,
      "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
    );
  }
}

/** Every signature must be one we made; in the turn under way the first call of each step must carry one. */
function checkSignatures(contents: readonly JsonObject[], model: SandboxModel): void {
  const turnStart = contents.findLastIndex((content) => {
    return (
      content["role"] !== "model" && asObjects(content["parts"]).some((part) => part["functionResponse"] === undefined)
    );
  });
  contents.forEach((content, index) => {
    const parts = asObjects(content["parts"]);
    for (const part of parts) {
      const signature = part["thoughtSignature"];
      if (signature === undefined || noSignature.has(asText(signature))) continue;
      if (openSeal(asText(signature))?.["kind"] !== "thought") throw new Refusal(400, "Corrupted thought signature.");
    }
    if (content["role"] !== "model" || index < turnStart || model.thinks !== "always") return;
    const position = parts.findIndex((part) => part["functionCall"] !== undefined);
    const first = parts[position];
    if (first === undefined || first["thoughtSignature"] !== undefined) return;
    const name = isJsonObject(first["functionCall"]) ? asText(first["functionCall"]["name"]) : "";
    throw new Refusal(
      400,
      `Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call \`default_api:${name}\` , position ${position + 1}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.`,
    );
  });
}
