import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";

const file = join(import.meta.dirname, "../../../shared/spec/openai.subset.json");
const noSchema = existsSync(file) ? false : "skipped: no ../shared/spec/openai.subset.json";

export type SchemaName =
  | "CreateChatCompletionResponse"
  | "CreateChatCompletionStreamResponse"
  | "Response"
  | "ResponseStreamEvent"
  | "ListModelsResponse"
  | "Model"
  | "ErrorResponse";

const validators = new Map<SchemaName, ValidateFunction>();
let ajv: Ajv | undefined;

/** What OpenAI's own schema finds wrong with a value, as `path: what`; empty when it is right, or the schema absent. */
export function faultsOf(name: SchemaName, value: unknown): readonly string[] {
  if (noSchema !== false) return [];
  const validate = validators.get(name) ?? compile(name);
  validators.set(name, validate);
  if (validate(value)) return [];
  const found = (validate.errors ?? []).map(({ instancePath, message }) => `${name}${instancePath}: ${message ?? "?"}`);
  return [...found, JSON.stringify(value).slice(0, 2_000)];
}

function compile(name: SchemaName): ValidateFunction {
  if (ajv === undefined) {
    ajv = new Ajv({ strict: false, validateFormats: false, discriminator: false });
    ajv.addSchema(JSON.parse(readFileSync(file, "utf8"), toJsonSchema), "spec");
  }
  return ajv.compile({ $ref: `spec#/components/schemas/${name}` });
}

/** OpenAPI 3.0's `nullable` in JSON Schema's words. */
function toJsonSchema(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("nullable" in value) || value.nullable !== true) return value;
  const { nullable: _nullable, ...rest } = value;
  return { anyOf: [rest, { type: "null" }] };
}

/**
 * A `fetch` for the `openai` client that holds every chat answer, chunk and error against the schema on its way, and
 * hands it on unchanged. `settle` throws when one since the last call was wrong.
 */
export function createCheckedFetch(): { readonly fetch: typeof fetch; settle(): void } {
  const faults: string[] = [];
  const checked: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const text = await response.text();
    if (!response.ok) faults.push(...faultsOf("ErrorResponse", JSON.parse(text)));
    else if (response.headers.get("content-type")?.startsWith("text/event-stream") === true) {
      for (const chunk of eventsIn(text, faults)) faults.push(...faultsOf("CreateChatCompletionStreamResponse", chunk));
    } else faults.push(...faultsOf("CreateChatCompletionResponse", JSON.parse(text)));
    return new Response(text, { status: response.status, headers: response.headers });
  };
  const settle = () => {
    const found = faults.splice(0);
    if (found.length > 0) throw new Error(`OpenAI's schema says:\n${found.join("\n")}`);
  };
  return { fetch: checked, settle };
}

/** The JSON of a stream's events; notes in `faults` a stream that does not end as OpenAI's do. */
function eventsIn(text: string, faults: string[]): unknown[] {
  const data = [...text.matchAll(/^data: (.*)$/gmu)].map((match) => match[1] ?? "");
  if (data.at(-1) !== "[DONE]") faults.push(`a stream ends with ${data.at(-1) ?? "nothing"}`);
  return data.slice(0, -1).map((line): unknown => JSON.parse(line));
}
