import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { toEmbedding } from "./embedding.ts";
import type { SandboxModel } from "./models.ts";
import { countTokens } from "./tokens.ts";
import { Refusal, asNumber, asText } from "./wire.ts";

const mostInputs = 2_048;
const knownFields = new Set(["input", "model", "dimensions", "encoding_format", "user"]);

/** The embeddings endpoint. Token arrays are taken too: their numbers stand for the text. */
export function embed(body: JsonObject, model: SandboxModel): JsonObject {
  const unknown = Object.keys(body).find((name) => !knownFields.has(name));
  if (unknown !== undefined) throw new Refusal(400, `Unrecognized request argument supplied: ${unknown}`);
  const inputs = toInputs(body["input"]);
  const dimensions = asNumber(body["dimensions"]) ?? model.dimensions;
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > model.dimensions) {
    throw new Refusal(
      400,
      `Invalid value for 'dimensions' = ${dimensions}. Must be between 1 and ${model.dimensions}.`,
      { param: "dimensions" },
    );
  }
  if (body["dimensions"] !== undefined && !model.id.startsWith("text-embedding-3")) {
    throw new Refusal(400, "This model does not support specifying dimensions.", { param: "dimensions" });
  }
  const tokens = inputs.map((text) => countTokens(text));
  const tooLong = tokens.find((count) => count > model.contextTokens);
  if (tooLong !== undefined) {
    throw new Refusal(
      400,
      `This model's maximum context length is ${model.contextTokens} tokens, however you requested ${tooLong} tokens. Please reduce your prompt.`,
    );
  }
  const asBase64 = body["encoding_format"] === "base64";
  const total = tokens.reduce((sum, count) => sum + count, 0);
  return {
    object: "list",
    data: inputs.map((text, index) => {
      const vector = toEmbedding(text, dimensions);
      return { object: "embedding", index, embedding: asBase64 ? toBase64(vector) : vector };
    }),
    model: asText(body["model"]),
    usage: { prompt_tokens: total, total_tokens: total },
  };
}

function toInputs(input: JsonValue | undefined): string[] {
  const list: readonly JsonValue[] = Array.isArray(input) && typeof input[0] !== "number" ? input : [input ?? ""];
  const texts = list.map((item) =>
    typeof item === "string" ? item : Array.isArray(item) ? item.join(" ") : undefined,
  );
  const isBad =
    texts.length === 0 ||
    texts.some((text) => text === undefined || text === "") ||
    list.some((item) => isJsonObject(item));
  if (isBad)
    throw new Refusal(
      400,
      "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
      { param: "input" },
    );
  if (texts.length > mostInputs)
    throw new Refusal(400, `Invalid 'input': array too long. Expected an array with maximum length ${mostInputs}.`, {
      param: "input",
    });
  return texts.filter((text) => text !== undefined);
}

function toBase64(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString("base64");
}
