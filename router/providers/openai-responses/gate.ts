import type { Effort } from "../../chat.ts";
import { effortLadder } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import { effortOn } from "../../estimate.ts";
import type { JsonValue } from "../../json.ts";
import { isJsonObject } from "../../json.ts";
import type { Model } from "../../model.ts";

/** A Responses body of ours, still being written. */
export type ResponsesBody = Record<string, JsonValue | undefined>;

type Gate = { readonly body: ResponsesBody; readonly model: Model; readonly warn: (warning: string) => void };

/** The vendor refuses fewer. */
const minOutputTokens = 16;

/** Brings a body to what this model accepts: each loss with a warning. Throws `GatewayError` (`unsupported`). */
export function gateResponsesBody(gate: Gate): void {
  gateTokens(gate);
  const effort = gateEffort(gate);
  gateSampling(gate, effort);
  gateTools(gate);
  const { body, model } = gate;
  const text = isJsonObject(body["text"]) ? body["text"] : {};
  const format = isJsonObject(text["format"]) ? text["format"] : {};
  if (format["type"] === "json_schema" && !model.capabilities.jsonSchema) {
    throw new GatewayError("unsupported", `${model.id} answers to no JSON schema.`, { param: "text.format" });
  }
}

function gateTokens({ body, model, warn }: Gate): void {
  const asked = body["max_output_tokens"];
  if (typeof asked !== "number") return;
  const used = Math.max(minOutputTokens, Math.min(asked, model.maxOutputTokens));
  if (used === asked) return;
  warn(`max_output_tokens: ${used} is used, ${used > asked ? "the least" : "the most"} this model takes`);
  body["max_output_tokens"] = used;
}

function gateEffort({ body, model, warn }: Gate): Effort | undefined {
  const { efforts, defaultEffort } = model.capabilities;
  const { reasoning } = body;
  const wanted = isJsonObject(reasoning) ? reasoning["effort"] : undefined;
  const asked = effortLadder.find((effort) => effort === wanted);
  if (efforts.length === 0) {
    if (asked !== undefined && asked !== "none") warn("reasoning.effort: this model does not think");
    // Even an empty `reasoning` is refused by a model that does not think.
    delete body["reasoning"];
    const { include } = body;
    // Asking such a model for what it cannot have is an error as well.
    if (Array.isArray(include))
      body["include"] = include.filter((entry: JsonValue) => entry !== "reasoning.encrypted_content");
    return "none";
  }
  if (asked === undefined) return defaultEffort;
  const effort = effortOn(model, asked, effortLadder);
  if (effort === undefined || effort === asked) return asked;
  warn(`reasoning.effort: "${asked}" is not offered, "${effort}" is used`);
  if (isJsonObject(reasoning)) body["reasoning"] = { ...reasoning, effort };
  return effort;
}

const maxTemperature = 2;

function gateSampling({ body, model, warn }: Gate, effort: Effort | undefined): void {
  const { sampling } = model.capabilities;
  if (sampling === "default-only" || (sampling === "when-not-thinking" && effort !== "none")) {
    for (const field of ["temperature", "top_p"]) {
      const value = body[field];
      if (value === undefined || value === null || value === 1) continue;
      warn(`${field}: this model takes only its default`);
      delete body[field];
    }
  }
  const temperature = body["temperature"];
  if (typeof temperature === "number" && temperature > maxTemperature) {
    warn(`temperature: lowered to ${maxTemperature}`);
    body["temperature"] = maxTemperature;
  }
}

function gateTools({ body, model, warn }: Gate): void {
  const { tools } = body;
  if (!Array.isArray(tools) || tools.length === 0) {
    // With stored state the tools may be the vendor's to know, so the client's own words about them stay.
    if (body["previous_response_id"] === undefined && body["prompt"] === undefined) {
      delete body["tool_choice"];
      delete body["parallel_tool_calls"];
    }
    return;
  }
  if (!model.capabilities.tools)
    throw new GatewayError("unsupported", `${model.id} calls no tools.`, { param: "tools" });
  const choice = body["tool_choice"];
  const forced = isJsonObject(choice) ? choice["type"] !== "allowed_tools" : choice === "required";
  if (forced && !model.capabilities.forcedToolChoice) {
    warn("tool_choice: this model cannot be forced to call a tool");
    body["tool_choice"] = "auto";
  }
}
