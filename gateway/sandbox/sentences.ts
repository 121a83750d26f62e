import type { Turn } from "./view.ts";

/** Where a sentence of the prompt stands: the same words weigh differently in a rule, a memory and the user's mouth. */
type Place = "system" | "user" | "assistant" | "tool-result" | "block";

export type Sentence = {
  readonly text: string;
  readonly place: Place;
  /** Its place in the prompt, counted over all sentences from 0. */
  readonly position: number;
  /** Whether it stands in the last user turn. */
  readonly isCurrent: boolean;
};

const mostSentences = 5_000;
const longestSentence = 600;

/** Every sentence or line of the prompt, in order; the last ones where there are too many. */
export function readSentences(turns: readonly Turn[]): Sentence[] {
  const lastUser = turns.findLastIndex((turn) => turn.role === "user" && turn.texts.length > 0);
  const found: Omit<Sentence, "position">[] = [];
  turns.forEach((turn, index) => {
    for (const text of turn.texts) {
      for (const piece of splitBlocks(text)) {
        const place: Place = piece.isBlock && turn.role !== "assistant" ? "block" : turn.role;
        const sentences = splitSentences(place === "block" ? bulletsOf(piece.text) : piece.text);
        found.push(...sentences.map((sentence) => ({ text: sentence, place, isCurrent: index === lastUser })));
      }
    }
    for (const result of turn.toolResults) {
      const sentences = splitSentences(result.text);
      found.push(
        ...sentences.map((sentence) => ({
          text: sentence,
          place: "tool-result" as const,
          isCurrent: index === lastUser,
        })),
      );
    }
  });
  return found.slice(-mostSentences).map((sentence, position) => Object.assign(sentence, { position }));
}

/** In a block with a list, the list is what is known: the lines around it only introduce it. */
function bulletsOf(text: string): string {
  const lines = text.split("\n").filter((line) => /^\s*[-*•]\s/u.test(line));
  return lines.length === 0 ? text : lines.map(withNoteOnEverySentence).join("\n");
}

/** "(outdated since …)" at the end of a line is said of all of it, also of the sentences it does not stand beside. */
function withNoteOnEverySentence(line: string): string {
  const note = /\([^()]*\b(?:outdated|superseded|no longer)\b[^()]*\)\s*$/iu.exec(line)?.[0];
  if (note === undefined) return line;
  const sentences = splitSentences(line.slice(0, -note.length));
  // In front, where no full stop cuts it off again.
  return sentences.map((sentence) => `${note.trim()} ${sentence}`).join("\n");
}

/**
 * What the last user turn says outside of fenced blocks: `<memories>…</memories>` and the like were put there by
 * someone else, and neither a question nor a directive in them is the user's.
 */
export function ownWords(turns: readonly Turn[]): string {
  const turn = turns.findLast((candidate) => candidate.role === "user" && candidate.texts.length > 0);
  if (turn === undefined) return "";
  const texts = turn.texts.map((text) => {
    return splitBlocks(text)
      .filter((piece) => !piece.isBlock)
      .map((piece) => piece.text)
      .join("")
      .trim();
  });
  return texts.filter((text) => text !== "").join("\n");
}

export type Block = {
  readonly name: string;
  readonly attributes: string;
  readonly text: string;
  /** Where the block begins and ends in the text around it, tags included. */
  readonly from: number;
  readonly to: number;
};

const mostTags = 2_000;

/** The paired tags at the top level of a text; a tag that never closes is text. */
export function readBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  const opening = /<([A-Za-z][\w:.-]{0,63})(\s[^<>]{0,400})?>/gu;
  const neverCloses = new Set<string>();
  for (let count = 0; count < mostTags; count += 1) {
    const match = opening.exec(text);
    if (match === null) break;
    const [whole, name = "", attributes = ""] = match;
    const inside = match.index + whole.length;
    const end = neverCloses.has(name) ? -1 : text.indexOf(`</${name}>`, inside);
    // Remembered, because looking for each of a thousand open tags to the end of a long text takes seconds.
    if (end === -1) neverCloses.add(name);
    else {
      const to = end + name.length + 3;
      blocks.push({ name, attributes, text: text.slice(inside, end), from: match.index, to });
      opening.lastIndex = to;
    }
  }
  return blocks;
}

/** Cuts a text into what stands inside paired tags at its top level and what does not. */
function splitBlocks(text: string): { readonly text: string; readonly isBlock: boolean }[] {
  const pieces: { text: string; isBlock: boolean }[] = [];
  let from = 0;
  for (const block of readBlocks(text)) {
    if (block.from > from) pieces.push({ text: text.slice(from, block.from), isBlock: false });
    pieces.push({ text: block.text, isBlock: true });
    from = block.to;
  }
  if (from < text.length) pieces.push({ text: text.slice(from), isBlock: false });
  return pieces;
}

export function splitSentences(text: string): string[] {
  return text
    .split("\n")
    .flatMap((line) =>
      line.split(/(?<=[.!?](?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|e\.g|i\.e|No)\.)["”')]?)\s+|(?<=[。！？])/u),
    )
    .map((sentence) => sentence.replace(/^\s*(?:[-*•]|\d{1,3}[.)])\s+/u, "").trim())
    .filter((sentence) => /[\p{L}\p{N}]/u.test(sentence))
    .map((sentence) =>
      sentence.length > longestSentence ? `${sentence.slice(0, longestSentence)}…`.toWellFormed() : sentence,
    );
}

const questionWord =
  /^(?:(?:and|so|but|please|hey|hi|hello)[,\s]+)?(?:what|where|when|who|whom|whose|which|why|how|do|does|did|is|are|am|was|were|can|could|have|has|tell me|remind me|remember (?:what|where|who|when|how)|wo|wer|wie|wann|warum|welche[rs]?|qué|dónde|quién|cómo|cuándo|cuál|où|qui|comment|quand|quel(?:le)?|onde|quem|quando|qual|dove|chi)\b/iu;

export function isQuestion(sentence: string): boolean {
  return /[?？]["”')\]]*$/u.test(sentence) || /(?:か|吗|呢)[。？]?$/u.test(sentence) || questionWord.test(sentence);
}

const firstPerson =
  /\b(?:I|I'm|I’m|I've|I’ve|I'd|I’d|my|mine|me|we|our)\b|(?:^|[^\p{L}])(?:ich|mein(?:e|en|em|er)?|yo|soy|mi|vivo|me|je|j['’]|mon|ma|mes|eu|meu|minha|sou|moro|io|mio|mia|sono)(?![\p{L}])|[我私僕]/iu;

/** Whether the speaker says something about themselves. A question does not, and neither does a request. */
export function isFirstPersonStatement(sentence: string): boolean {
  if (isQuestion(sentence) || !firstPerson.test(sentence)) return false;
  return !/^(?:please\s+)?(?:tell|show|give|help|let|call|use|write|explain|send|find|make|remind|translate|summari[sz]e)\b/iu.test(
    sentence,
  );
}
