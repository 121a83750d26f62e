import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import type { SandboxModel } from "./models.ts";
import { Refusal, asNumber, asText } from "./wire.ts";

/** What both OpenAI endpoints refuse; `effort` is where each of them keeps it. */
export function checkSampling(body: JsonObject, model: SandboxModel, effort: string | undefined): void {
  const thinks =
    model.sampling === "refused" ||
    (model.sampling === "refused-when-thinking" && effort !== undefined && effort !== "none");
  for (const name of ["temperature", "top_p"]) {
    const value = asNumber(body[name]);
    if (value === undefined) continue;
    const most = name === "top_p" ? 1 : 2;
    if (value < 0 || value > most) {
      throw new Refusal(400, `Invalid '${name}': expected a value between 0 and ${most}, but got ${value} instead.`, {
        code: value < 0 ? "decimal_below_min_value" : "decimal_above_max_value",
        param: name,
      });
    }
    if (thinks && value !== 1) {
      throw new Refusal(
        400,
        `Unsupported value: '${name}' does not support ${value} with this model. Only the default (1) value is supported.`,
        {
          code: "unsupported_value",
          param: name,
        },
      );
    }
  }
}

export function checkEffort(effort: string | undefined, model: SandboxModel, param: string): void {
  if (effort === undefined || model.efforts.includes(effort)) return;
  if (model.efforts.length === 0) {
    throw new Refusal(400, `Unsupported parameter: '${param}' is not supported with this model.`, {
      code: "unsupported_parameter",
      param,
    });
  }
  const allowed = model.efforts.map((name) => `'${name}'`).join(", ");
  throw new Refusal(
    400,
    `Unsupported value: '${effort}' is not supported with the '${model.id}' model. Supported values are: ${allowed}.`,
    {
      code: "unsupported_value",
      param,
    },
  );
}

export function checkMaxTokens(body: JsonObject, name: string, model: SandboxModel, least: number): void {
  const value = body[name];
  if (value === undefined || value === null) return;
  const number = asNumber(value);
  if (number === undefined || number < least || !Number.isInteger(number)) {
    throw new Refusal(
      400,
      `Invalid '${name}': integer below minimum value. Expected a value >= ${least}, but got ${JSON.stringify(value)} instead.`,
      {
        code: "integer_below_min_value",
        param: name,
      },
    );
  }
  if (number > model.maxOutputTokens) {
    throw new Refusal(
      400,
      `${name} is too large: ${number}. This model supports at most ${model.maxOutputTokens} completion tokens, whereas you provided ${number}.`,
      { param: name },
    );
  }
}

/** `tool` is the function object: `name` and `parameters` side by side. */
export function checkTool(tool: JsonObject, param: string): void {
  const name = asText(tool["name"]);
  if (name === "")
    throw new Refusal(400, `Missing required parameter: '${param}.name'.`, {
      code: "missing_required_parameter",
      param: `${param}.name`,
    });
  if (!/^[a-zA-Z0-9_-]{1,64}$/u.test(name)) {
    throw new Refusal(
      400,
      `Invalid '${param}.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`,
      {
        code: "invalid_value",
        param: `${param}.name`,
      },
    );
  }
  const parameters = tool["parameters"];
  if (tool["strict"] === true && isJsonObject(parameters)) {
    checkStrict(
      parameters,
      [],
      (where, what) => `Invalid schema for function '${name}': In context=(${where}), ${what}`,
      `${param}.parameters`,
    );
  }
}

export function checkStrictFormat(schema: JsonObject, name: string, param: string): void {
  checkStrict(
    schema,
    [],
    (where, what) => `Invalid schema for response_format '${name}': In context=(${where}), ${what}`,
    param,
  );
}

/** Strict schemas: every object closed, every property required. */
function checkStrict(
  schema: JsonValue | undefined,
  path: readonly string[],
  toMessage: (where: string, what: string) => string,
  param: string,
): void {
  if (!isJsonObject(schema) || path.length > 20) return;
  const refuse = (what: string): never => {
    const where = path.map((step) => `'${step}'`).join(", ");
    const code = param.endsWith(".parameters") ? "invalid_function_parameters" : "invalid_json_schema";
    throw new Refusal(400, toMessage(where, what), { code, param });
  };
  const properties = schema["properties"];
  if (schema["type"] === "object" || properties !== undefined) {
    if (schema["additionalProperties"] !== false)
      refuse("'additionalProperties' is required to be supplied and to be false.");
    const names = isJsonObject(properties) ? Object.keys(properties) : [];
    const required = schema["required"];
    const missing = names.find((name) => !Array.isArray(required) || !required.includes(name));
    if (missing !== undefined) {
      refuse(
        `'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`,
      );
    }
  }
  const inner: readonly (readonly [string, JsonValue | undefined])[] = [
    ...(isJsonObject(properties)
      ? Object.entries(properties).map(([name, value]) => [`properties', '${name}`, value] as const)
      : []),
    ...(isJsonObject(schema["$defs"])
      ? Object.entries(schema["$defs"]).map(([name, value]) => [`$defs', '${name}`, value] as const)
      : []),
    ["items", schema["items"]],
    ...(Array.isArray(schema["anyOf"])
      ? schema["anyOf"].map((value, index) => [`anyOf', '${index}`, value] as const)
      : []),
  ];
  for (const [step, value] of inner) checkStrict(value, [...path, step], toMessage, param);
}
