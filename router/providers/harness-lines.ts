/**
 * A system prompt without the line by which a coding harness signs it for its own vendor's billing: it changes with
 * every request, which would cost another vendor's prompt cache, and is no words for its model.
 */
export function withoutHarnessLines(text: string): string {
  return text.replaceAll(/^x-anthropic-billing-header:.*(?:\r?\n|$)/gm, "");
}
