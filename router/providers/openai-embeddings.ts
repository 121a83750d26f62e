import { GatewayError } from "../errors.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { isJsonObject } from "../json.ts";
import { readWhole } from "../pooled-fetch.ts";
import type { EmbedAnswer, EmbedCall } from "../provider.ts";
import { failureOf, parseVendorJson } from "../vendor-call.ts";
import { embeddedFailure } from "../vendor-errors.ts";
import { toEndUser } from "./openai-chat/request.ts";
import { toChatUsage } from "./openai-chat/usage.ts";
import type { OpenAiClient } from "./openai-client.ts";
import { openAiErrors } from "./openai-errors.ts";
import { toWellFormedJson } from "./well-formed-json.ts";

/** Vectors in the order of the input. `endUser` only for hosts that take one. `encoding` `base64` is a third of the bytes, where the host knows it. */
export async function callEmbeddings(
  client: OpenAiClient,
  encoding: "base64" | "float",
  call: EmbedCall,
  endUser?: string,
): Promise<EmbedAnswer> {
  const { provider } = client;
  const json = toWellFormedJson({
    model: call.model,
    input: call.tokens ?? call.input,
    encoding_format: encoding,
    ...(call.dimensions === undefined ? undefined : { dimensions: call.dimensions }),
    ...(endUser === undefined ? undefined : { user: toEndUser(endUser) }),
  });
  const response = await client.post("/embeddings", json, call.signal);
  let text: string;
  try {
    text = (await readWhole(response)).toString("utf8");
  } catch (error) {
    throw failureOf(provider, error, call.signal);
  }
  const body = parseVendorJson(provider, text);
  if (!isJsonObject(body)) throw broken(provider, "answered something that is no object");
  if (isJsonObject(body["error"])) throw embeddedFailure({ provider, body, rules: openAiErrors });
  const usage = toChatUsage(isJsonObject(body["usage"]) ? body["usage"] : {}, undefined);
  return { vectors: vectorsOf(provider, body, (call.tokens ?? call.input).length), usage };
}

function vectorsOf(provider: string, body: JsonObject, wanted: number): Float32Array[] {
  const rows = Array.isArray(body["data"]) ? body["data"] : [];
  if (rows.length !== wanted) throw broken(provider, `answered ${rows.length} vectors for ${wanted} texts`);
  const vectors: (Float32Array | undefined)[] = Array.from({ length: wanted });
  for (const [place, row] of rows.entries()) {
    if (!isJsonObject(row)) continue;
    vectors[typeof row["index"] === "number" ? row["index"] : place] = vectorOf(row["embedding"]);
  }
  const whole = vectors.filter((vector) => vector !== undefined && vector.length > 0);
  if (whole.length !== wanted) throw broken(provider, "answered with a vector missing");
  return whole.filter((vector) => vector !== undefined);
}

function vectorOf(embedding: JsonValue | undefined): Float32Array | undefined {
  if (typeof embedding === "string") {
    const bytes = Buffer.from(embedding, "base64");
    // Copied, because a pooled buffer need not begin at a multiple of four.
    return bytes.length % 4 === 0 ? new Float32Array(Uint8Array.from(bytes).buffer) : undefined;
  }
  if (!Array.isArray(embedding)) return undefined;
  const vector = Float32Array.from(embedding, (value) => (typeof value === "number" ? value : Number.NaN));
  return vector.includes(Number.NaN) ? undefined : vector;
}

function broken(provider: string, what: string): GatewayError {
  return new GatewayError("bad_answer", `${provider} ${what}.`);
}
