/** From this width on, a line that ends was broken for its width and not for its sense. */
const wrappedChars = 40;
const ownLine = /^\s*(?:[-*+•–]\s|\d{1,3}[.)]\s|[|>]| {4}|\t)/u;
const wide = /[\u3001-\u9fff\uff00-\uffef]$/u;

/** The lines of a paragraph with its line breaks undone. Items of lists, rows of tables and short lines stay lines. */
export function unwrapped(lines: readonly string[]): string {
  let text = "";
  let before = "";
  for (const line of lines) {
    const next = line.trimEnd();
    const isBroken = isWrapped(before) && !ownLine.test(next) && !/^\s*[|]/u.test(before);
    if (text === "") text = next;
    else if (!isBroken) text += `\n${next}`;
    else text = joined(text, next.trimStart());
    before = next;
  }
  return text;
}

function isWrapped(line: string): boolean {
  return line.length >= wrappedChars || (wide.test(line) && line.length >= wrappedChars / 2);
}

/** A word that was parted at the line's end is one word again; Chinese and Japanese have no space to put back. */
function joined(text: string, next: string): string {
  if (/\p{Ll}-$/u.test(text) && /^\p{Ll}/u.test(next)) return `${text.slice(0, -1)}${next}`;
  if (text.endsWith("\u00ad")) return `${text.slice(0, -1)}${next}`;
  return wide.test(text) ? `${text}${next}` : `${text} ${next}`;
}
