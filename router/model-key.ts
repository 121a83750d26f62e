import type { Model } from "./model.ts";
import { modelName } from "./model.ts";

const keys = new WeakMap<Model, string>();

/** `modelName`, made once per model: planning asks for it several times for every model of the catalogue. */
export function modelKey(model: Model): string {
  const known = keys.get(model);
  if (known !== undefined) return known;
  const key = modelName(model);
  keys.set(model, key);
  return key;
}
