import type { Content, FunctionResponsePart, Part } from "@google/genai";
import type { AssistantPart, TextPart, ToolResultPart, UserPart, VendorState } from "../../chat.ts";
import { GatewayError } from "../../errors.ts";
import { isJsonObject } from "../../json.ts";
import type { ProviderCall } from "../../provider.ts";
import { parseToolArguments } from "../tool-arguments.ts";
import { withoutHarnessLines } from "../harness-lines.ts";
import type { ToolNames } from "../tool-names.ts";
import { isMadeCallId } from "./call-ids.ts";
import { toMediaPart } from "./media.ts";
import { geminiVersion } from "./version.ts";

export type Contents = { readonly system: Part[]; readonly contents: Content[] };

type FunctionCallRef = { readonly id: string; readonly name: string };
type Turn = {
  readonly role: "user" | "model";
  readonly parts: Part[];
  readonly calls: FunctionCallRef[];
  /** By the id of the call they answer. */
  readonly results: Map<string, Part>;
};

type Context = {
  readonly call: Pick<ProviderCall, "request" | "model" | "warn">;
  readonly names: ToolNames;
  readonly version: number;
  /** Every call of the conversation so far: Gemini wants a result to name its function, and other dialects do not say. */
  readonly functions: Map<string, string>;
};

/**
 * Our messages as Gemini's `systemInstruction` and `contents`: leading instructions hoisted, roles alternating, every
 * call answered in the next turn in the calls' order, signatures on the parts they came with.
 */
export function toContents(call: Context["call"], names: ToolNames): Contents {
  const context: Context = { call, names, version: geminiVersion(call.model.id), functions: new Map() };
  const system: Part[] = [];
  const turns: Turn[] = [];
  for (const [index, message] of call.request.messages.entries()) {
    const path = `messages[${message.source ?? index}]`;
    if (message.role !== "tool" && message.name !== undefined) call.warn(`${path}.name: not carried to Gemini`);
    switch (message.role) {
      case "system":
      case "developer": {
        const texts = message.content
          .map((part) => withoutHarnessLines(part.text))
          .filter((text) => text.trim() !== "");
        if (turns.length === 0) system.push(...texts.map(textPart));
        else if (texts.length > 0) {
          turnOf(turns, "user").parts.push(...texts.map((text) => textPart(`<system>\n${text}\n</system>`)));
        }
        break;
      }
      case "user":
      case "tool":
        addUserParts(turnOf(turns, "user"), message.content, path, call.request.injections.get(index), context);
        break;
      case "assistant":
        addModelParts(turnOf(turns, "model"), message.content, path, context);
        break;
    }
  }
  return { system, contents: settle(turns, context) };
}

function turnOf(turns: Turn[], role: Turn["role"]): Turn {
  const last = turns.at(-1);
  if (last?.role === role) return last;
  const turn: Turn = { role, parts: [], calls: [], results: new Map() };
  turns.push(turn);
  return turn;
}

function addUserParts(
  turn: Turn,
  parts: readonly UserPart[],
  path: string,
  injection: string | undefined,
  context: Context,
): void {
  if (injection !== undefined) turn.parts.push(textPart(injection));
  for (const [index, part] of parts.entries()) {
    const param = `${path}.content[${index}]`;
    switch (part.type) {
      case "text":
        if (part.text !== "") turn.parts.push(textPart(part.text));
        break;
      case "image":
      case "file":
      case "audio":
        turn.parts.push(toMediaPart(part, param));
        break;
      case "tool-result":
        addResult(turn, part, param, context);
        break;
      case "vendor":
        turn.parts.push(...vendorParts(part.state, param, context));
        break;
    }
  }
}

function addResult(turn: Turn, part: ToolResultPart, param: string, { functions, version, call }: Context): void {
  const id = part.toolCallId;
  const name = functions.get(id);
  if (name === undefined) {
    throw new GatewayError("invalid_request", `The tool result in ${param} answers "${id}", which no call has.`, {
      param: `${param}.tool_call_id`,
    });
  }
  if (turn.results.has(id)) {
    call.warn(`tool result "${id}": left out, its call was answered before`);
    return;
  }
  const texts = part.content.filter((item) => item.type === "text").map((item) => item.text.toWellFormed());
  const media = part.content.filter((item) => item.type !== "text").map((item) => toMediaPart(item, param));
  // Before Gemini 3 a response held no media: there it stands beside it.
  const nested = version >= 3 && media.length > 0;
  if (!nested) turn.parts.push(...media);
  turn.results.set(id, {
    functionResponse: {
      ...idOf(id, version),
      name,
      response: { [part.isError === true ? "error" : "output"]: texts.join("\n") },
      ...(nested ? { parts: media.map(toResponsePart) } : undefined),
    },
  });
}

function toResponsePart({ inlineData, fileData }: Part): FunctionResponsePart {
  if (inlineData !== undefined) return { inlineData };
  return fileData === undefined ? {} : { fileData };
}

function addModelParts(turn: Turn, parts: readonly AssistantPart[], path: string, context: Context): void {
  for (const [index, part] of parts.entries()) {
    const param = `${path}.content[${index}]`;
    switch (part.type) {
      case "text":
        turn.parts.push(...modelText(part));
        break;
      case "refusal":
        if (part.text !== "") turn.parts.push(textPart(part.text));
        break;
      case "thinking": {
        const signature = signatureOf(part.state);
        // Unsigned or another vendor's thinking tells Gemini nothing it can trust.
        if (signature !== undefined) turn.parts.push({ text: part.text, thought: true, thoughtSignature: signature });
        break;
      }
      case "tool-call": {
        const name = context.names.toVendor(part.name);
        const signature = signatureOf(part.state);
        context.functions.set(part.id, name);
        turn.calls.push({ id: part.id, name });
        turn.parts.push({
          functionCall: {
            ...idOf(part.id, context.version),
            name,
            args: { ...parseToolArguments(part.arguments, param) },
          },
          ...(signature === undefined ? undefined : { thoughtSignature: signature }),
        });
        break;
      }
      case "vendor":
        turn.parts.push(...vendorParts(part.state, param, context));
        break;
    }
  }
}

/** A signature may come on a text of nothing; without the part it would be lost. */
function modelText(part: TextPart): Part[] {
  const signature = signatureOf(part.state);
  if (signature !== undefined) return [{ text: part.text.toWellFormed(), thoughtSignature: signature }];
  return part.text === "" ? [] : [textPart(part.text)];
}

function vendorParts(state: VendorState, param: string, { call }: Context): Part[] {
  if (state.protocol === "gemini-generate" && isJsonObject(state.value)) return [{ ...state.value }];
  call.warn(`${param}: a block of ${state.protocol} was left out`);
  return [];
}

function settle(turns: readonly Turn[], context: Context): Content[] {
  const contents: Content[] = [];
  let calls: readonly FunctionCallRef[] = [];
  for (const turn of turns) {
    // Calls nobody answered, with the model speaking on or the conversation at its end.
    if (turn.role === "model" && calls.length > 0)
      contents.push({ role: "user", parts: answersTo(calls, undefined, context) });
    const answers = turn.role === "user" ? answersTo(calls, turn, context) : [];
    calls = turn.calls;
    const parts = [...answers, ...turn.parts];
    if (context.version >= 3) signFirstCall(parts);
    if (parts.length > 0) contents.push({ role: turn.role, parts });
  }
  if (calls.length > 0) contents.push({ role: "user", parts: answersTo(calls, undefined, context) });
  if (contents[0]?.role !== "user") {
    contents.unshift({ role: "user", parts: [textPart("(Start of the conversation.)")] });
  }
  return contents;
}

/** Gemini matches responses to calls by place as well as by name: as many of them, in the same order. */
function answersTo(calls: readonly FunctionCallRef[], turn: Turn | undefined, { call, version }: Context): Part[] {
  for (const id of turn?.results.keys() ?? []) {
    if (!calls.some((asked) => asked.id === id)) {
      call.warn(`tool result "${id}": left out, it does not follow its call`);
    }
  }
  return calls.map(({ id, name }) => {
    const result = turn?.results.get(id);
    if (result !== undefined) return result;
    call.warn(`tool call "${id}": it has no result, so an error was sent as one`);
    return { functionResponse: { ...idOf(id, version), name, response: { error: "No result provided" } } };
  });
}

/** Documented for calls that Gemini 3 did not make itself: https://ai.google.dev/gemini-api/docs/thought-signatures */
const skipValidation = "skip_thought_signature_validator";

/** Only the first call of a group carries a signature; without one Gemini 3 refuses the request. */
function signFirstCall(parts: Part[]): void {
  const first = parts.find((part) => part.functionCall !== undefined);
  if (first !== undefined && first.thoughtSignature === undefined) first.thoughtSignature = skipValidation;
}

function signatureOf(state: VendorState | undefined): string | undefined {
  if (state?.protocol !== "gemini-generate") return undefined;
  const value = isJsonObject(state.value) ? state.value["thoughtSignature"] : state.value;
  // The vendor refuses the whole request for one that is not base64.
  return typeof value === "string" && /^[A-Za-z0-9+/_-]+={0,2}$/.test(value) ? value : undefined;
}

/** Gemini 2 knows no ids, and an id of our making means nothing to Gemini 3. */
function idOf(id: string, version: number): { id?: string } {
  return version >= 3 && !isMadeCallId(id) ? { id } : {};
}

function textPart(text: string): Part {
  return { text: text.toWellFormed() };
}
