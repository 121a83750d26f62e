import type { JsonObject } from "../../../router/json.ts";

/** A client's request in no dialect's words: what a scenario wants to say, once for all dialects. */
export type Ask = {
  readonly system?: string;
  readonly turns: readonly Turn[];
  readonly tools?: readonly AskTool[];
  readonly toolChoice?: "auto" | "none" | "required" | { readonly tool: string };
  readonly parallel?: boolean;
  readonly schema?: JsonObject;
  readonly maxTokens?: number;
  readonly stop?: readonly string[];
  readonly effort?: string;
  readonly showThinking?: boolean;
};

export type AskTool = { readonly name: string; readonly parameters: JsonObject };

export type AskPart =
  | { readonly text: string; readonly cache?: "5m" | "1h" }
  | { readonly image: string; readonly mediaType: string }
  | { readonly imageUrl: string }
  | { readonly pdf: string; readonly name: string };

export type AskResult = {
  readonly id: string;
  readonly text: string;
  readonly image?: string;
  readonly isError?: boolean;
};

export type Turn =
  | { readonly role: "user"; readonly parts: readonly AskPart[] }
  | { readonly role: "system"; readonly text: string }
  | {
      readonly role: "assistant";
      readonly text?: string;
      readonly calls?: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
    }
  /** What an earlier request was answered, given back as it came. */
  | { readonly role: "echo"; readonly items: readonly JsonObject[] }
  | { readonly role: "results"; readonly results: readonly AskResult[] };

export const dialects = ["openai-chat", "openai-responses", "anthropic-messages"] as const;
export type DialectName = (typeof dialects)[number];

export const dialectPaths: Readonly<Record<DialectName, string>> = {
  "openai-chat": "/v1/chat/completions",
  "openai-responses": "/v1/responses",
  "anthropic-messages": "/v1/messages",
};

/** The body of the dialect's own route, without the model. */
export const bodyIn: Readonly<Record<DialectName, (ask: Ask, stream: boolean) => JsonObject>> = {
  "openai-chat": chatBody,
  "openai-responses": responsesBody,
  "anthropic-messages": messagesBody,
};

export const say = (text: string): Turn => ({ role: "user", parts: [{ text }] });
export const answered = (text: string): Turn => ({ role: "assistant", text });

function chatBody(ask: Ask, stream: boolean): JsonObject {
  return {
    messages: [
      ...(ask.system === undefined ? [] : [{ role: "system", content: ask.system }]),
      ...ask.turns.flatMap(chatMessages),
    ],
    ...(ask.tools === undefined
      ? {}
      : { tools: ask.tools.map((tool) => ({ type: "function", function: { ...tool } })) }),
    ...(ask.toolChoice === undefined
      ? {}
      : {
          tool_choice:
            typeof ask.toolChoice === "string"
              ? ask.toolChoice
              : { type: "function", function: { name: ask.toolChoice.tool } },
        }),
    ...(ask.parallel === undefined ? {} : { parallel_tool_calls: ask.parallel }),
    ...(ask.schema === undefined
      ? {}
      : {
          response_format: { type: "json_schema", json_schema: { name: "answer", schema: ask.schema, strict: true } },
        }),
    ...(ask.maxTokens === undefined ? {} : { max_completion_tokens: ask.maxTokens }),
    ...(ask.stop === undefined ? {} : { stop: ask.stop }),
    ...(ask.effort === undefined ? {} : { reasoning_effort: ask.effort }),
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
}

function chatMessages(turn: Turn): JsonObject[] {
  switch (turn.role) {
    case "user":
      return [{ role: "user", content: turn.parts.map(chatPart) }];
    case "system":
      return [{ role: "system", content: turn.text }];
    case "assistant":
      return [
        {
          role: "assistant",
          content: turn.text ?? null,
          ...(turn.calls === undefined
            ? {}
            : {
                tool_calls: turn.calls.map(({ id, name, arguments: written }) => ({
                  id,
                  type: "function",
                  function: { name, arguments: written },
                })),
              }),
        },
      ];
    case "echo":
      return [...turn.items];
    case "results":
      return turn.results.map(({ id, text, image }) => ({
        role: "tool",
        tool_call_id: id,
        content: image === undefined ? text : [chatPart({ text }), chatPart({ image, mediaType: "image/png" })],
      }));
  }
}

function chatPart(part: AskPart): JsonObject {
  if ("text" in part) {
    const mark = part.cache === undefined ? {} : { cache_control: { type: "ephemeral", ttl: part.cache } };
    return { type: "text", text: part.text, ...mark };
  }
  if ("imageUrl" in part) return { type: "image_url", image_url: { url: part.imageUrl } };
  if ("image" in part) return { type: "image_url", image_url: { url: `data:${part.mediaType};base64,${part.image}` } };
  return { type: "file", file: { filename: part.name, file_data: `data:application/pdf;base64,${part.pdf}` } };
}

function responsesBody(ask: Ask, stream: boolean): JsonObject {
  return {
    ...(ask.system === undefined ? {} : { instructions: ask.system }),
    input: ask.turns.flatMap(responsesItems),
    ...(ask.tools === undefined
      ? {}
      : { tools: ask.tools.map((tool) => ({ type: "function", ...tool, strict: false })) }),
    ...(ask.toolChoice === undefined
      ? {}
      : {
          tool_choice:
            typeof ask.toolChoice === "string" ? ask.toolChoice : { type: "function", name: ask.toolChoice.tool },
        }),
    ...(ask.parallel === undefined ? {} : { parallel_tool_calls: ask.parallel }),
    ...(ask.schema === undefined
      ? {}
      : { text: { format: { type: "json_schema", name: "answer", schema: ask.schema, strict: true } } }),
    ...(ask.maxTokens === undefined ? {} : { max_output_tokens: ask.maxTokens }),
    ...(ask.effort === undefined && ask.showThinking !== true
      ? {}
      : {
          reasoning: {
            ...(ask.effort === undefined ? {} : { effort: ask.effort }),
            ...(ask.showThinking === true ? { summary: "auto" } : {}),
          },
        }),
    include: ["reasoning.encrypted_content"],
    store: false,
    ...(stream ? { stream: true } : {}),
  };
}

function responsesItems(turn: Turn): JsonObject[] {
  switch (turn.role) {
    case "user":
      return [{ type: "message", role: "user", content: turn.parts.map(responsesPart) }];
    case "system":
      return [{ type: "message", role: "system", content: turn.text }];
    case "assistant":
      return [
        ...(turn.text === undefined
          ? []
          : [
              {
                type: "message",
                role: "assistant",
                content: [{ type: "output_text", text: turn.text, annotations: [] }],
              },
            ]),
        ...(turn.calls ?? []).map((call) => ({
          type: "function_call",
          call_id: call.id,
          name: call.name,
          arguments: call.arguments,
        })),
      ];
    case "echo":
      return [...turn.items];
    case "results":
      return turn.results.map(({ id, text, image }) => ({
        type: "function_call_output",
        call_id: id,
        output:
          image === undefined ? text : [responsesPart({ text }), responsesPart({ image, mediaType: "image/png" })],
      }));
  }
}

function responsesPart(part: AskPart): JsonObject {
  if ("text" in part) return { type: "input_text", text: part.text };
  if ("imageUrl" in part) return { type: "input_image", image_url: part.imageUrl, detail: "auto" };
  if ("image" in part)
    return { type: "input_image", image_url: `data:${part.mediaType};base64,${part.image}`, detail: "auto" };
  return { type: "input_file", filename: part.name, file_data: `data:application/pdf;base64,${part.pdf}` };
}

function messagesBody(ask: Ask, stream: boolean): JsonObject {
  return {
    max_tokens: ask.maxTokens ?? 4_000,
    ...(ask.system === undefined ? {} : { system: ask.system }),
    messages: ask.turns.map(message),
    ...(ask.tools === undefined
      ? {}
      : { tools: ask.tools.map(({ name, parameters }) => ({ name, input_schema: parameters })) }),
    ...toolChoiceOf(ask),
    ...(ask.schema === undefined && ask.effort === undefined
      ? {}
      : {
          output_config: {
            ...(ask.schema === undefined ? {} : { format: { type: "json_schema", schema: ask.schema } }),
            ...(ask.effort === undefined ? {} : { effort: ask.effort }),
          },
        }),
    ...(ask.stop === undefined ? {} : { stop_sequences: ask.stop }),
    ...(ask.showThinking === true ? { thinking: { type: "adaptive", display: "summarized" } } : {}),
    ...(stream ? { stream: true } : {}),
  };
}

function toolChoiceOf({ toolChoice, parallel }: Ask): JsonObject {
  if (toolChoice === undefined && parallel === undefined) return {};
  const serial = parallel === false ? { disable_parallel_tool_use: true } : {};
  if (typeof toolChoice === "object") return { tool_choice: { type: "tool", name: toolChoice.tool, ...serial } };
  const type = toolChoice === "required" ? "any" : (toolChoice ?? "auto");
  return { tool_choice: type === "none" ? { type } : { type, ...serial } };
}

function message(turn: Turn): JsonObject {
  switch (turn.role) {
    case "user":
      return { role: "user", content: turn.parts.map(block) };
    case "system":
      return { role: "system", content: turn.text };
    case "assistant":
      return {
        role: "assistant",
        content: [
          ...(turn.text === undefined ? [] : [{ type: "text", text: turn.text }]),
          ...(turn.calls ?? []).map(({ id, name, arguments: written }) => ({
            type: "tool_use",
            id,
            name,
            input: JSON.parse(written === "" ? "{}" : written) as JsonObject,
          })),
        ],
      };
    case "echo":
      return turn.items[0] ?? { role: "assistant", content: [] };
    case "results":
      return {
        role: "user",
        content: turn.results.map(({ id, text, image, isError }) => ({
          type: "tool_result",
          tool_use_id: id,
          content: image === undefined ? text : [block({ text }), block({ image, mediaType: "image/png" })],
          ...(isError === undefined ? {} : { is_error: isError }),
        })),
      };
  }
}

function block(part: AskPart): JsonObject {
  if ("text" in part) {
    const mark = part.cache === undefined ? {} : { cache_control: { type: "ephemeral", ttl: part.cache } };
    return { type: "text", text: part.text, ...mark };
  }
  if ("imageUrl" in part) return { type: "image", source: { type: "url", url: part.imageUrl } };
  if ("image" in part) {
    return { type: "image", source: { type: "base64", media_type: part.mediaType, data: part.image } };
  }
  return {
    type: "document",
    title: part.name,
    source: { type: "base64", media_type: "application/pdf", data: part.pdf },
  };
}
