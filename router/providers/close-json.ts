/**
 * The JSON text with the brackets it still owes. Hosts have been recorded that leave the last brace off an event: what
 * it says is all there. Absent when it breaks off inside a string or is not merely unclosed.
 */
export function closeJson(text: string): string | undefined {
  const owed: string[] = [];
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === "\\") index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{") owed.push("}");
    else if (character === "[") owed.push("]");
    else if ((character === "}" || character === "]") && owed.pop() !== character) return undefined;
  }
  return inString || owed.length === 0 ? undefined : text + owed.toReversed().join("");
}
