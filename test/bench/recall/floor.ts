import type { Conversation, Said } from "./dataset.ts";

/**
 * The floor: plain BM25 over turns, each indexed with one neighbour on either side. Shares no code with the memory, so
 * that a fault of the harness shows: on the five conversations of LoCoMo in `../shared` it gives R@10 68.0 and R@30 78.4.
 */
export function rankByWords(conversation: Conversation): (question: string) => readonly string[] {
  const { said } = conversation;
  const documents = said.map((turn, index) => tokens(withNeighbours(said, turn, index)));
  const counts = documents.map(countWords);
  const holders = new Map<string, number>();
  for (const words of counts) for (const word of words.keys()) holders.set(word, (holders.get(word) ?? 0) + 1);
  const meanLength = documents.reduce((sum, words) => sum + words.length, 0) / Math.max(1, documents.length);
  return (question) => {
    const asked = new Set(tokens(question));
    return said
      .map((turn, index) => {
        let score = 0;
        for (const word of asked) {
          const times = counts[index]?.get(word) ?? 0;
          const held = holders.get(word) ?? 0;
          const rarity = Math.log(1 + (said.length - held + 0.5) / (held + 0.5));
          const norm = k1 * (1 - b + (b * (documents[index]?.length ?? 0)) / meanLength);
          score += (rarity * times * (k1 + 1)) / (times + norm);
        }
        return { id: turn.id, score };
      })
      .toSorted((one, other) => other.score - one.score)
      .map(({ id }) => id);
  };
}

const k1 = 1.2;
const b = 0.75;

function withNeighbours(said: readonly Said[], turn: Said, index: number): string {
  return [said[index - 1], turn, said[index + 1]]
    .flatMap((near) => (near?.session === turn.session ? [near.speaker ?? "", near.text] : []))
    .join(" ");
}

function countWords(words: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function tokens(text: string): readonly string[] {
  return (text.toLowerCase().match(/[a-z0-9]+/gu) ?? []).filter((word) => !stopWords.has(word)).map(stem);
}

function stem(word: string): string {
  const ending = ["ing", "ed", "ly", "es", "s"].find((end) => word.endsWith(end) && word.length - end.length >= 4);
  return ending === undefined ? word : word.slice(0, -ending.length);
}

const stopWords = new Set(
  "a an the is are was were be been to of in on at for and or did do does what when where who how which why with by his her their has have had it that this from as".split(
    " ",
  ),
);
