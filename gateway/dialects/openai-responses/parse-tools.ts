import type { ChatTool, ResponseFormat, ToolChoice } from "../../../router/chat.ts";
import type { JsonObject, JsonValue } from "../../../router/json.ts";
import {
  invalid,
  optionalBoolean,
  optionalChoice,
  optionalObject,
  optionalString,
  readArray,
  readObject,
  readString,
} from "../read.ts";

/** Function tools in our words; every other tool is the vendor's own and goes to it as it is. */
export function parseTools(value: JsonValue | undefined): readonly ChatTool[] {
  if (value === undefined || value === null) return [];
  const names = new Set<string>();
  return readArray(value, "tools").map((entry, index) => {
    const path = `tools[${index}]`;
    const tool = parseTool(readObject(entry, path), path);
    if (tool.type === "function") {
      if (names.has(tool.name)) throw invalid(`${path}.name`, `'${tool.name}' is used by two tools.`);
      names.add(tool.name);
    }
    return tool;
  });
}

function parseTool(tool: JsonObject, path: string): ChatTool {
  const type = readString(tool["type"], `${path}.type`);
  if (type !== "function") {
    const name = optionalString(tool["name"], `${path}.name`) ?? type;
    return { type: "vendor", name, state: { protocol: "openai-responses", value: tool } };
  }
  const name = readString(tool["name"], `${path}.name`);
  if (name === "") throw invalid(`${path}.name`, "is empty.");
  const description = optionalString(tool["description"], `${path}.description`);
  const parameters = optionalObject(tool["parameters"], `${path}.parameters`);
  const strict = optionalBoolean(tool["strict"], `${path}.strict`);
  return {
    type: "function",
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict }),
  };
}

export function parseToolChoice(value: JsonValue | undefined): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") {
    return { type: optionalChoice(value, "tool_choice", ["auto", "none", "required"]) ?? "auto" };
  }
  const choice = readObject(value, "tool_choice");
  const type = readString(choice["type"], "tool_choice.type");
  if (type === "allowed_tools") {
    const mode = optionalChoice(choice["mode"], "tool_choice.mode", ["auto", "required"]) ?? "auto";
    const names = readArray(choice["tools"], "tool_choice.tools").map((entry, index) => {
      const path = `tool_choice.tools[${index}]`;
      return toolName(readObject(entry, path), path);
    });
    return { type: "allowed", mode, names };
  }
  return { type: "tool", name: toolName(choice, "tool_choice") };
}

/** A function or custom tool goes by its name, a built-in one by its type. */
function toolName(tool: JsonObject, path: string): string {
  const type = readString(tool["type"], `${path}.type`);
  if (type === "function" || type === "custom") return readString(tool["name"], `${path}.name`);
  return optionalString(tool["name"], `${path}.name`) ?? type;
}

/** `text.format`, flat where Chat Completions nests. */
export function parseTextFormat(value: JsonValue | undefined): ResponseFormat | undefined {
  const format = optionalObject(value, "text.format");
  if (format === undefined) return undefined;
  const type = readString(format["type"], "text.format.type");
  switch (type) {
    case "text":
      return { type: "text" };
    case "json_object":
      return { type: "json-object" };
    case "json_schema": {
      const description = optionalString(format["description"], "text.format.description");
      const strict = optionalBoolean(format["strict"], "text.format.strict");
      return {
        type: "json-schema",
        name: readString(format["name"], "text.format.name"),
        schema: readObject(format["schema"], "text.format.schema"),
        ...(description === undefined ? {} : { description }),
        ...(strict === undefined ? {} : { strict }),
      };
    }
    default:
      throw invalid("text.format.type", `must be text, json_object or json_schema, not '${type.slice(0, 40)}'.`);
  }
}
