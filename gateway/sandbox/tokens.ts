/** One token for four bytes of UTF-8, rounded up: simple, the same for every vendor, and documented. */
export const bytesPerToken = 4;
/** What an image or a file costs, whatever its size. */
export const attachmentTokens = 256;

export function countTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / bytesPerToken);
}

/** The longest beginning of `text` that costs no more than `tokens`, never cutting a character in two. */
export function cutToTokens(text: string, tokens: number): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > tokens * bytesPerToken) break;
    end += character.length;
  }
  return text.slice(0, end);
}

const wordsPerDelta = 2;
const longestDelta = 24;

/**
 * Cuts a text into the deltas of a stream: a few words each, with the space before a word at its front, as the vendors
 * do. A run without spaces (Chinese, a long JSON string) is cut between whole characters.
 */
export function splitIntoDeltas(text: string): string[] {
  const words = text.match(/\s*\S+|\s+$/gu) ?? [];
  const deltas: string[] = [];
  for (let index = 0; index < words.length; index += wordsPerDelta) {
    const delta = words.slice(index, index + wordsPerDelta).join("");
    deltas.push(...(delta.length > longestDelta ? splitCharacters(delta) : [delta]));
  }
  return deltas;
}

function splitCharacters(text: string): string[] {
  const characters = Array.from(new Intl.Segmenter().segment(text), (part) => part.segment);
  const pieces: string[] = [];
  for (let index = 0; index < characters.length; index += longestDelta) {
    pieces.push(characters.slice(index, index + longestDelta).join(""));
  }
  return pieces;
}

const piecesPerArguments = 3;

/** Tool arguments arrive in pieces that are no JSON by themselves. */
export function splitArguments(text: string): string[] {
  const characters = Array.from(text);
  const size = Math.max(1, Math.ceil(characters.length / piecesPerArguments));
  return Array.from({ length: Math.ceil(characters.length / size) }, (_, index) => {
    return characters.slice(index * size, (index + 1) * size).join("");
  });
}
