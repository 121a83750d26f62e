import { isJsonObject, type JsonObject } from "../../router/json.ts";
import { answer } from "./brain.ts";
import { toEmbedding } from "./embedding.ts";
import { toChunks, toGeminiResponse } from "./gemini-answer.ts";
import { toGeminiError } from "./gemini-error.ts";
import { checkGenerate } from "./gemini-rules.ts";
import type { SandboxModel } from "./models.ts";
import { digest } from "./seal.ts";
import { attachmentTokens, countTokens } from "./tokens.ts";
import {
  emptyTurn,
  type Attachment,
  type PromptSegment,
  type RequestView,
  type ToolChoiceView,
  type Turn,
} from "./view.ts";
import {
  Refusal,
  asNumber,
  asObjects,
  asText,
  asTexts,
  toAttachment,
  toDataFrame,
  type Exchange,
  type Problem,
  type Reply,
  type SandboxState,
  type VendorWire,
} from "./wire.ts";

/** Gemini's protocol: generateContent in its three forms, token counting, embeddings and the model list. */
export function createGeminiWire(state: SandboxState): VendorWire {
  return {
    vendor: "gemini",
    readKey: (headers, query) => asText(headers["x-goog-api-key"]?.toString()) || (query.get("key") ?? undefined),
    toKeyProblem: (key) => {
      if (key !== undefined)
        return { status: 400, code: "API_KEY_INVALID", message: "API key not valid. Please pass a valid API key." };
      return {
        status: 403,
        message:
          "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
      };
    },
    toError: toGeminiError,
    handle: (exchange) => route(state, exchange),
  };
}

function route(state: SandboxState, exchange: Exchange): Reply {
  const match = /^\/v1(?:beta|alpha)?\/models(?:\/([^:/]+))?(?::(\w+))?$/u.exec(exchange.path);
  if (match === null) throw new Refusal(404, "Requested entity was not found.");
  const [, rawId = "", action] = match;
  const id = decodeURIComponent(rawId);
  if (exchange.method === "GET") return listModels(state, id);
  const model = needModel(state, id, action ?? "");
  switch (action) {
    case "generateContent":
    case "streamGenerateContent":
      return generate(state, exchange, model);
    case "countTokens":
      return countPrompt(state, exchange, model);
    default:
      return embed(state, exchange, model);
  }
}

function needModel(state: SandboxState, id: string, action: string): SandboxModel {
  const model = state.models.find("gemini", id);
  const methods = model === undefined ? [] : methodsOf(model);
  if (model !== undefined && methods.includes(action)) return model;
  throw new Refusal(
    404,
    `models/${id} is not found for API version v1beta, or is not supported for ${action}. Call ListModels to see the list of available models and their supported methods.`,
  );
}

function methodsOf(model: SandboxModel): string[] {
  return model.kind === "embedding"
    ? ["embedContent", "batchEmbedContents"]
    : ["generateContent", "streamGenerateContent", "countTokens"];
}

function listModels(state: SandboxState, id: string): Reply {
  const delivery = state.failures.take("gemini", id, undefined);
  if (id === "") return { kind: "json", body: { models: state.models.list("gemini").map(toRow) }, delivery };
  const model = state.models.find("gemini", id);
  if (model === undefined) throw new Refusal(404, `Model is not found: models/${id} for api version v1beta`);
  return { kind: "json", body: toRow(model), delivery };
}

function generate(state: SandboxState, exchange: Exchange, model: SandboxModel): Reply {
  const { body, apiKey } = exchange;
  checkGenerate(body, model);
  const view = toView(body, model);
  const { refuse, words, ...delivery } = state.failures.take("gemini", model.id, view);
  const result = answer(view, { refuse, words });
  const segments = toSegments(body);
  const promptTokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
  const cachedTokens = Math.min(state.cache.automatic(`${apiKey}/${model.id}`, segments).read, promptTokens);
  const made = {
    body,
    model,
    result,
    promptTokens,
    cachedTokens,
    responseId: `sandbox-${state.nextNumber()}-${digest(JSON.stringify(body))}`,
  };
  if (!exchange.path.endsWith(":streamGenerateContent"))
    return { kind: "json", body: toGeminiResponse(made), delivery };
  const chunks = toChunks(made);
  if (exchange.query.get("alt") === "sse") {
    return {
      kind: "stream",
      contentType: "text/event-stream",
      frames: chunks.map(toDataFrame),
      toErrorFrames: toEventError,
      delivery,
    };
  }
  const frames = chunks.map((chunk, index) => `${index === 0 ? "[" : ",\r\n"}${JSON.stringify(chunk, undefined, 2)}`);
  return {
    kind: "stream",
    contentType: "application/json; charset=UTF-8",
    frames: [...frames, "]"],
    toErrorFrames: toListError,
    delivery,
  };
}

function toEventError(problem: Problem): string[] {
  return [toDataFrame(toGeminiError(problem).body)];
}

function toListError(problem: Problem, sent: number): string[] {
  return [`${sent === 0 ? "[" : ",\r\n"}${JSON.stringify(toGeminiError(problem).body)}`, "]"];
}

function countPrompt(state: SandboxState, { body }: Exchange, model: SandboxModel): Reply {
  const inner = isJsonObject(body["generateContentRequest"]) ? body["generateContentRequest"] : body;
  if (asObjects(inner["contents"]).length === 0)
    throw new Refusal(400, "* CountTokensRequest.contents: contents is not specified");
  const totalTokens = toSegments(inner).reduce((sum, segment) => sum + segment.tokens, 0);
  const details = [{ modality: "TEXT", tokenCount: totalTokens }];
  return {
    kind: "json",
    body: { totalTokens, promptTokensDetails: details },
    delivery: state.failures.take("gemini", model.id, undefined),
  };
}

const mostInputs = 100;

function embed(state: SandboxState, { body, path }: Exchange, model: SandboxModel): Reply {
  const delivery = state.failures.take("gemini", model.id, undefined);
  const isBatch = path.endsWith(":batchEmbedContents");
  const requests = isBatch ? asObjects(body["requests"]) : [body];
  if (requests.length === 0 || requests.length > mostInputs)
    throw new Refusal(
      400,
      `* BatchEmbedContentsRequest.requests: between 1 and ${mostInputs} requests are allowed in one batch.`,
    );
  const embeddings = requests.map((request) => {
    const content = isJsonObject(request["content"]) ? request["content"] : {};
    const text = asObjects(content["parts"])
      .map((part) => asText(part["text"]))
      .join("\n");
    if (text === "") throw new Refusal(400, "* EmbedContentRequest.content: content is empty");
    const config = isJsonObject(request["embedContentConfig"]) ? request["embedContentConfig"] : request;
    const dimensions = asNumber(config["outputDimensionality"]) ?? model.dimensions;
    if (dimensions < 1 || dimensions > model.dimensions)
      throw new Refusal(400, `* EmbedContentRequest.output_dimensionality: must be between 1 and ${model.dimensions}.`);
    return { values: toEmbedding(text, dimensions) };
  });
  return { kind: "json", body: isBatch ? { embeddings } : { embedding: embeddings[0] ?? { values: [] } }, delivery };
}

function toView(body: JsonObject, model: SandboxModel): RequestView {
  const config = isJsonObject(body["generationConfig"]) ? body["generationConfig"] : {};
  const system = textsOf(body["systemInstruction"]);
  const schema = config["responseJsonSchema"] ?? config["responseSchema"];
  const isJson = config["responseMimeType"] === "application/json";
  const maxTokens = asNumber(config["maxOutputTokens"]);
  const thinking = effortOf(config, model);
  return {
    turns: [
      ...(system.length === 0 ? [] : [{ ...emptyTurn("system"), texts: system }]),
      ...asObjects(body["contents"]).map(toTurn),
    ],
    tools: asObjects(body["tools"]).flatMap((tool) => {
      return asObjects(tool["functionDeclarations"]).map((declaration) => {
        const parameters = declaration["parametersJsonSchema"] ?? declaration["parameters"];
        return {
          name: asText(declaration["name"]),
          description: asText(declaration["description"]),
          parameters: isJsonObject(parameters) ? parameters : { type: "object", properties: {} },
        };
      });
    }),
    toolChoice: toToolChoice(body["toolConfig"]),
    parallelToolCalls: true,
    format: isJsonObject(schema) ? { type: "schema", schema } : isJson ? { type: "json-object" } : { type: "text" },
    stop: asTexts(config["stopSequences"]),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(thinking === undefined ? {} : { thinking }),
  };
}

function effortOf(config: JsonObject, model: SandboxModel): string | undefined {
  if (model.thinks === "never") return undefined;
  const thinking = isJsonObject(config["thinkingConfig"]) ? config["thinkingConfig"] : undefined;
  if (thinking === undefined) return model.thinks === "always" ? "medium" : undefined;
  const level = asText(thinking["thinkingLevel"]).toLowerCase();
  if (level !== "") return level;
  const budget = asNumber(thinking["thinkingBudget"]);
  if (budget === 0) return model.thinks === "always" ? "low" : "none";
  return budget !== undefined && budget >= 10_000 ? "high" : "medium";
}

function toToolChoice(toolConfig: unknown): ToolChoiceView {
  const calling = isJsonObject(toolConfig) ? toolConfig["functionCallingConfig"] : undefined;
  if (!isJsonObject(calling)) return { type: "auto" };
  if (calling["mode"] === "NONE") return { type: "none" };
  if (calling["mode"] !== "ANY") return { type: "auto" };
  const names = asTexts(calling["allowedFunctionNames"]);
  return names.length === 0 ? { type: "required" } : { type: "required", names };
}

function textsOf(content: unknown): string[] {
  return isJsonObject(content) ? asObjects(content["parts"]).map((part) => asText(part["text"])) : [];
}

function toTurn(content: JsonObject): Turn {
  const parts = asObjects(content["parts"]);
  return {
    role: content["role"] === "model" ? "assistant" : "user",
    texts: parts
      .filter((part) => typeof part["text"] === "string" && part["thought"] !== true && part["text"] !== "")
      .map((part) => asText(part["text"])),
    attachments: parts.flatMap(toAttachments),
    toolCalls: parts.flatMap(({ functionCall: call }) => {
      return isJsonObject(call)
        ? [
            {
              id: asText(call["id"]),
              name: asText(call["name"]),
              arguments: isJsonObject(call["args"]) ? call["args"] : {},
            },
          ]
        : [];
    }),
    toolResults: parts.flatMap(({ functionResponse: response }) => {
      if (!isJsonObject(response)) return [];
      const value = isJsonObject(response["response"]) ? response["response"] : {};
      const plain = value["output"] ?? value["result"] ?? value["error"];
      const text = typeof plain === "string" ? plain : JSON.stringify(plain ?? value);
      return [{ id: asText(response["id"]), name: asText(response["name"]), text, isError: "error" in value }];
    }),
  };
}

function toAttachments(part: JsonObject): Attachment[] {
  const { inlineData: inline, fileData: file } = part;
  if (isJsonObject(inline)) {
    const type = asText(inline["mimeType"]);
    const kind = type.startsWith("image/") ? "image" : type.startsWith("audio/") ? "audio" : "file";
    return [toAttachment(kind, `data:${type};base64,${asText(inline["data"])}`)];
  }
  return isJsonObject(file) ? [toAttachment("file", asText(file["fileUri"]))] : [];
}

function toSegments(body: JsonObject): PromptSegment[] {
  const texts = [
    ...textsOf(body["systemInstruction"]),
    ...asObjects(body["tools"]).map((tool) => JSON.stringify(tool)),
  ];
  const segments = texts.map((text) => ({ text, tokens: countTokens(text) }));
  for (const content of asObjects(body["contents"])) {
    for (const part of asObjects(content["parts"])) {
      const { thoughtSignature: _signature, ...said } = part;
      if (part["inlineData"] !== undefined || part["fileData"] !== undefined) {
        segments.push({ text: digest(JSON.stringify(said)), tokens: attachmentTokens });
      } else {
        const text = `${asText(content["role"])}\n${typeof said["text"] === "string" ? said["text"] : JSON.stringify(said)}`;
        segments.push({ text, tokens: countTokens(text) });
      }
    }
  }
  return segments;
}

function toRow(model: SandboxModel): JsonObject {
  return {
    name: `models/${model.id}`,
    version: "sandbox",
    displayName: `${model.id} (sandbox)`,
    inputTokenLimit: model.contextTokens,
    outputTokenLimit: model.maxOutputTokens,
    supportedGenerationMethods: methodsOf(model),
    thinking: model.thinks !== "never",
  };
}
