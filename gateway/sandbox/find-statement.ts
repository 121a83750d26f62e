import { contentWords, type Word } from "./words.ts";
import { isQuestion, type Sentence } from "./sentences.ts";

/** Below this share of the question's weight a sentence is about something else. */
const leastCoverage = 0.5;
const recencyWeight = 0.15;
const saidByUserBonus = 0.1;
const answerShapeBonus = 0.2;
const supersededPenalty = 0.6;
const categoryWeight = 0.4;
const nameWeight = 2;

const superseded =
  /\b(?:supersed\w*|no longer|not any ?more|outdated|formerly|used to|previously|was replaced|replaced by|obsolete|until \d{4})\b/iu;
const asksAboutPast = /\b(?:before|used to|previous|previously|formerly|earlier|did|was|were|old|past)\b/iu;

/**
 * The sentence of the prompt that answers the question, or undefined where none fits: the sandbox never claims to
 * know what the request does not say. Of two that fit alike the later statement wins, by its date where both have one.
 */
export function findStatement(question: string, sentences: readonly Sentence[]): Sentence | undefined {
  const asked = contentWords(question);
  if (asked.length === 0) return undefined;
  const candidates = sentences
    .filter((sentence) => mayAnswer(sentence, question))
    .map((sentence) => ({ sentence, stems: new Set(contentWords(sentence.text).map((word) => word.stem)) }));
  const weights = asked.map((word) => weightOf(word, candidates));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const latest = latestDates(candidates.map((candidate) => candidate.sentence));
  let best: { sentence: Sentence; score: number } | undefined;
  for (const { sentence, stems } of candidates) {
    if (asked.some((word) => word.isName && !stems.has(word.stem))) continue;
    const covered = asked.reduce((sum, word, index) => sum + (stems.has(word.stem) ? (weights[index] ?? 0) : 0), 0);
    if (covered / total < leastCoverage) continue;
    const score = covered / total + adjustments(sentence, question, sentences.length, latest);
    if (best === undefined || score >= best.score) best = { sentence, score };
  }
  return best?.sentence;
}

/** How a prompt talks to the model rather than about the world. */
const instruction =
  /^(?:you(?:['’]re| are| must| should| will| can| have| know)|use|answer|always|never|treat|reply|respond|be |do not|don['’]t|these|the following|below|if|when|note|data\b|not instructions)/iu;

function mayAnswer(sentence: Sentence, question: string): boolean {
  if ((sentence.place === "system" || sentence.place === "block") && instruction.test(sentence.text)) return false;
  if (isQuestion(sentence.text) || sentence.text === question) return false;
  // Its own made-up answers are no source, not even when somebody remembered them.
  return sentence.place === "user" || !/\[sandbox\]/u.test(sentence.text);
}

function weightOf(word: Word, candidates: readonly { readonly stems: ReadonlySet<string> }[]): number {
  if (word.isCategory) return categoryWeight;
  const holding = candidates.filter((candidate) => candidate.stems.has(word.stem)).length;
  const rarity = 1 + Math.log((candidates.length + 1) / (holding + 1)) / 4;
  return word.isName ? nameWeight * rarity : rarity;
}

function adjustments(
  sentence: Sentence,
  question: string,
  count: number,
  latest: ReadonlyMap<Sentence, number>,
): number {
  let score = recencyWeight * (latest.get(sentence) ?? sentence.position / count);
  if (sentence.place === "user") score += saidByUserBonus;
  if (sentence.place === "system" || sentence.place === "assistant") score -= saidByUserBonus;
  if (hasAnswerShape(sentence.text, question)) score += answerShapeBonus;
  if (superseded.test(sentence.text) && !asksAboutPast.test(question)) score -= supersededPenalty;
  return score;
}

/** Dated lines are ordered by their date, wherever they stand: a memory block may be ordered by relevance. */
function latestDates(sentences: readonly Sentence[]): Map<Sentence, number> {
  const dated = sentences.flatMap((sentence) => {
    const date = /\b\d{4}-\d{2}-\d{2}\b/u.exec(sentence.text)?.[0];
    return date === undefined ? [] : [{ sentence, date }];
  });
  const order = dated.toSorted((left, right) => (left.date < right.date ? -1 : left.date > right.date ? 1 : 0));
  return new Map(order.map(({ sentence }, index) => [sentence, (index + 1) / order.length]));
}

function hasAnswerShape(sentence: string, question: string): boolean {
  if (/\bwhere\b/iu.test(question)) return /\b(?:in|at|near|from|to)\s+\p{Lu}/u.test(sentence);
  if (/\bwhen\b|\bhow (?:many|much|old|long|far)\b/iu.test(question)) {
    return /\d/u.test(sentence.replace(/^\d{4}-\d{2}-\d{2}\b/u, ""));
  }
  if (/\bwho\b/iu.test(question)) return /\s\p{Lu}\p{Ll}/u.test(sentence);
  return false;
}
