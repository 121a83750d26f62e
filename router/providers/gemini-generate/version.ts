/** `gemini-3.8-flash` is 3.8, `gemini-2.5-pro` is 2.5; a name without one is taken for the newest. */
export function geminiVersion(modelId: string): number {
  const found = /gemini-(\d+(?:\.\d+)?)/.exec(modelId);
  return found === null ? Infinity : Number(found[1]);
}
