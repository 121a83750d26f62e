import { endianness } from "node:os";
import type { JsonObject, JsonValue } from "../../router/json.ts";
import type { EmbedAnswer } from "../../router/provider.ts";
import { invalid, nameOf, optionalChoice, optionalInteger, optionalString, readString } from "../dialects/read.ts";

export type EmbeddingsRequest = {
  readonly model: string;
  readonly input: readonly string[];
  /** In place of `input`, where the client sent tokens. */
  readonly tokens?: readonly (readonly number[])[];
  readonly encoding: "float" | "base64";
  readonly dimensions?: number;
  readonly user?: string;
  /** Fields that no embeddings request has. */
  readonly unknownFields: readonly string[];
};

/** As at OpenAI. */
const maxInputs = 2048;
const maxDimensions = 65_536;
const knownFields = new Set(["model", "input", "encoding_format", "dimensions", "user"]);

/** OpenAI's body. Throws `invalid_request` naming the field, an entry by its place. */
export function parseEmbeddings(body: JsonObject): EmbeddingsRequest {
  const dimensions = optionalInteger(body["dimensions"], "dimensions", 1, maxDimensions);
  const user = optionalString(body["user"], "user");
  return {
    model: readString(body["model"], "model"),
    encoding: optionalChoice(body["encoding_format"], "encoding_format", ["float", "base64"]) ?? "float",
    unknownFields: Object.keys(body).filter((field) => !knownFields.has(field)),
    ...parseInput(body["input"]),
    ...(dimensions === undefined ? {} : { dimensions }),
    ...(user === undefined || user === "" ? {} : { user }),
  };
}

type Input = Pick<EmbeddingsRequest, "input" | "tokens">;

function parseInput(value: JsonValue | undefined): Input {
  if (typeof value === "string") return { input: [textAt(value, "input")] };
  if (!Array.isArray(value)) throw invalid("input", `must be a string or an array, not ${nameOf(value)}.`);
  const entries: readonly JsonValue[] = value;
  const [first] = entries;
  if (first === undefined) throw invalid("input", "is empty: send at least one text.");
  if (typeof first === "number") return { input: [], tokens: [tokensAt(entries, "input")] };
  if (entries.length > maxInputs) {
    throw invalid("input", `has ${entries.length} entries; at most ${maxInputs} are taken at once.`);
  }
  if (Array.isArray(first)) return { input: [], tokens: entries.map((entry, at) => tokensAt(entry, `input[${at}]`)) };
  return { input: entries.map((entry, at) => textAt(readString(entry, `input[${at}]`), `input[${at}]`)) };
}

function textAt(text: string, path: string): string {
  if (text === "") throw invalid(path, "is empty: there is nothing to embed.");
  return text;
}

function tokensAt(value: JsonValue, path: string): readonly number[] {
  if (!Array.isArray(value)) throw invalid(path, `must be an array of tokens like the first, not ${nameOf(value)}.`);
  if (value.length === 0) throw invalid(path, "is empty: there is nothing to embed.");
  return value.map((token: JsonValue, at) => {
    if (typeof token === "number" && Number.isSafeInteger(token) && token >= 0) return token;
    throw invalid(`${path}[${at}]`, "must be a token: a whole number from 0.");
  });
}

/** OpenAI's answer. */
export function toEmbeddingsBody(
  answer: EmbedAnswer,
  { model, encoding }: { readonly model: string; readonly encoding: EmbeddingsRequest["encoding"] },
): JsonObject {
  const tokens = answer.usage.inputTokens;
  return {
    object: "list",
    data: answer.vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: encoding === "base64" ? toBase64(vector) : Array.from(vector),
    })),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** Little-endian 32-bit floats, whatever this machine's own order. */
function toBase64(vector: Float32Array): string {
  const bytes = Buffer.from(Float32Array.from(vector).buffer);
  return (endianness() === "LE" ? bytes : bytes.swap32()).toString("base64");
}
