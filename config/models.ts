import type { Model } from "../router/model.ts";
import { anthropicModels } from "./models/anthropic.ts";
import { googleModels } from "./models/google.ts";
import { openaiModels } from "./models/openai.ts";

/** Every model known without configuration. */
export const catalogue: readonly Model[] = [...openaiModels, ...anthropicModels, ...googleModels];

/** Other words for a vendor before the slash of a model's name. */
export const providerSynonyms: Readonly<Record<string, string>> = { gemini: "google" };
