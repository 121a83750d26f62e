import type { Content, GenerateContentConfig } from "@google/genai";
import type { ProviderCall } from "../../provider.ts";
import { createToolNames, type ToolNames } from "../tool-names.ts";
import { geminiToolNames, toConfig } from "./config.ts";
import { toContents } from "./contents.ts";

export type GenerateRequest = {
  readonly params: { readonly model: string; readonly contents: Content[]; readonly config: GenerateContentConfig };
  /** Turns the names in the answer back into the client's. */
  readonly names: ToolNames;
};

/**
 * Our request as `generateContent` takes it. Depends on the request alone, so a conversation's prefix stays the same
 * from turn to turn. Throws `GatewayError` (`unsupported`, `invalid_request`) for what cannot be said at all.
 */
export function toGenerateRequest(call: Pick<ProviderCall, "request" | "model" | "warn">): GenerateRequest {
  const names = createToolNames(geminiToolNames);
  const { system, contents } = toContents(call, names);
  const { config, instructions } = toConfig(call, names);
  const parts = [...system, ...instructions];
  return {
    params: {
      model: call.model.id,
      contents,
      config: { ...config, ...(parts.length === 0 ? undefined : { systemInstruction: { parts } }) },
    },
    names,
  };
}
