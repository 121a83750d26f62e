import type { ProviderOptions } from "./provider-options.ts";
import type { Provider } from "./provider.ts";
import { createAnthropicProvider } from "./providers/anthropic.ts";
import { createGeminiProvider } from "./providers/gemini.ts";
import { compatibleHosts, createCompatibleProvider } from "./providers/openai-compatible.ts";
import { createOpenAiProvider } from "./providers/openai.ts";

export type CreateProvider = (options: ProviderOptions) => Provider;

/**
 * Every provider there is, by its id. A vendor with a protocol of its own is one line here; a host that speaks OpenAI's
 * is one row in `openai-compatible.ts`.
 */
export const providers: Readonly<Record<string, CreateProvider>> = {
  openai: createOpenAiProvider,
  anthropic: createAnthropicProvider,
  google: createGeminiProvider,
  ...Object.fromEntries(
    Object.entries(compatibleHosts).map(([id, host]): [string, CreateProvider] => [
      id,
      (options) => createCompatibleProvider(host, options),
    ]),
  ),
};
