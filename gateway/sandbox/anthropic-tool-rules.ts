import { isJsonObject, type JsonObject } from "../../router/json.ts";
import { isThinking, toMessages, type Message } from "./anthropic-blocks.ts";
import type { SandboxModel } from "./models.ts";
import { Refusal, asObjects, asText } from "./wire.ts";

/** The rules about tools: their definitions, the choice among them, and how calls and results follow each other. */
export function checkToolUse(body: JsonObject, model: SandboxModel): void {
  const tools = asObjects(body["tools"]);
  checkDefinitions(tools);
  checkChoice(body["tool_choice"], tools, model);
  const messages = toMessages(body);
  messages.forEach((message, index) => {
    if (message.role === "assistant") checkCalls(message, index, messages[index + 1]);
    if (message.role === "user") checkResults(message, index, messages[index - 1]);
  });
  checkThinkingLeads(body, messages);
}

function checkDefinitions(tools: readonly JsonObject[]): void {
  const seen = new Set<string>();
  tools.forEach((tool, index) => {
    // Server tools (`web_search_20250305` and such) have a type of their own and no schema.
    if (tool["type"] !== undefined && tool["type"] !== "custom") return;
    const name = asText(tool["name"]);
    if (!/^[a-zA-Z0-9_-]{1,128}$/u.test(name)) {
      throw new Refusal(400, `tools.${index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'`);
    }
    if (!isJsonObject(tool["input_schema"]))
      throw new Refusal(400, `tools.${index}.custom.input_schema: Field required`);
    if (tool["input_schema"]["type"] !== "object")
      throw new Refusal(400, `tools.${index}.custom.input_schema.type: Input should be 'object'`);
    if (seen.has(name)) throw new Refusal(400, "tools: Tool names must be unique.");
    seen.add(name);
  });
}

function checkChoice(choice: unknown, tools: readonly JsonObject[], model: SandboxModel): void {
  if (!isJsonObject(choice)) return;
  const type = asText(choice["type"]);
  if (!["auto", "any", "tool", "none"].includes(type)) {
    throw new Refusal(
      400,
      `tool_choice: Input tag '${type}' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'`,
    );
  }
  if (tools.length === 0) throw new Refusal(400, "tool_choice may only be specified while providing tools");
  if (type !== "any" && type !== "tool") return;
  if (!model.takesForcedTools)
    throw new Refusal(400, 'tool_choice: type "tool" and "any" are not supported for this model.');
  const name = asText(choice["name"]);
  if (type === "tool" && !tools.some((tool) => tool["name"] === name))
    throw new Refusal(400, `Tool '${name}' not found in provided tools`);
}

function checkCalls(message: Message, index: number, next: Message | undefined): void {
  const calls = message.blocks.filter((block) => block["type"] === "tool_use");
  calls.forEach((call) => {
    const id = asText(call["id"]);
    const position = message.blocks.indexOf(call);
    if (!/^[a-zA-Z0-9_-]{1,64}$/u.test(id)) {
      throw new Refusal(
        400,
        `messages.${index}.content.${position}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`,
      );
    }
    if (!isJsonObject(call["input"])) {
      throw new Refusal(
        400,
        `messages.${index}.content.${position}.tool_use.input: Input should be a valid dictionary`,
      );
    }
  });
  // Only results at the head of the next message count: text before them hides them.
  const answered = new Set<string>();
  for (const block of next?.blocks ?? []) {
    if (block["type"] !== "tool_result") break;
    answered.add(asText(block["tool_use_id"]));
  }
  const orphans = calls.map((call) => asText(call["id"])).filter((id) => !answered.has(id));
  if (orphans.length === 0) return;
  throw new Refusal(
    400,
    `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${orphans.join(", ")}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
  );
}

function checkResults(message: Message, index: number, previous: Message | undefined): void {
  const called = new Set(
    previous?.role === "assistant"
      ? previous.blocks.filter((block) => block["type"] === "tool_use").map((block) => asText(block["id"]))
      : [],
  );
  const seen = new Set<string>();
  message.blocks.forEach((block, position) => {
    if (block["type"] !== "tool_result") return;
    const id = asText(block["tool_use_id"]);
    if (!called.has(id)) {
      throw new Refusal(
        400,
        `messages.${index}.content.${position}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
      );
    }
    if (seen.has(id)) {
      throw new Refusal(
        400,
        `messages.${index}.content.${position}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${id}`,
      );
    }
    seen.add(id);
  });
}

/** With a thinking budget, the tool loop that is under way must bring its thinking along. */
function checkThinkingLeads(body: JsonObject, messages: readonly Message[]): void {
  const thinking = body["thinking"];
  if (!isJsonObject(thinking) || thinking["type"] !== "enabled") return;
  const last = messages.at(-1);
  if (last?.role !== "user" || last.blocks[0]?.["type"] !== "tool_result") return;
  const index = messages.length - 2;
  const first = messages[index]?.blocks[0];
  if (first === undefined || isThinking(first)) return;
  throw new Refusal(
    400,
    `messages.${index}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${asText(first["type"])}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block (preceeding the lastmost set of \`tool_use\` and \`tool_result\` blocks). To avoid this requirement, disable \`thinking\`.`,
  );
}
