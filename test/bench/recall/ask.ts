import type { Prepared } from "../../../memory/inject.ts";
import { renderLine } from "../../../memory/render.ts";
import type { Conversation, Question } from "./dataset.ts";
import { rankByWords } from "./floor.ts";
import { userTurn } from "./remember.ts";
import type { Remembered } from "./remember.ts";
import type { Subject } from "./subject.ts";

export const cutoffs = [5, 10, 30] as const;

/** What became of one question. Shares are of its evidence turns, 0 to 1. */
export type Asked = {
  readonly conversation: string;
  readonly question: string;
  readonly category: string;
  /** By cutoff, in the search a client can make. */
  readonly found: readonly number[];
  /** By budget, in the block that a chat request gets. */
  readonly injected: readonly number[];
  /** What each block cost, estimated. */
  readonly tokens: readonly number[];
  readonly floor: readonly number[];
  /** Evidence turns without a place in the largest block. */
  readonly missed: readonly string[];
  readonly prepareMs: readonly number[];
};

/** Every question as the first turn of a new session, and as a search. */
export async function askAll(
  subject: Subject,
  conversation: Conversation,
  remembered: Remembered,
  limit: number,
): Promise<readonly Asked[]> {
  subject.at(conversation.askedAt);
  const floor = rankByWords(conversation);
  const questions = conversation.questions.filter(({ evidence }) => evidence.length > 0).slice(0, limit);
  const asked: Asked[] = [];
  for (const [index, question] of questions.entries()) {
    const blocks = [];
    for (const [budget, memory] of subject.within) {
      const startedAt = performance.now();
      const prepared = await memory.prepare(
        {
          scope: remembered.scope,
          session: `question ${index} within ${budget}`,
          turns: [userTurn(question.text)],
          read: true,
          trace: `question ${index}`,
        },
        AbortSignal.timeout(10_000),
      );
      const ms = performance.now() - startedAt;
      blocks.push({ ms, tokens: prepared.tokens, turns: turnsInside(prepared, remembered, conversation.askedAt) });
      if (prepared.tokens > budget)
        throw new Error(`A block within ${budget} tokens has ${prepared.tokens}: '${question.text}'.`);
    }
    const results = await subject.memory.search(remembered.scope, question.text, { limit: searchDepth });
    const order = new Set(results.flatMap(({ memory }) => remembered.turnsOf.get(memory.id) ?? [memory.id]));
    const largest = blocks.at(-1)?.turns ?? new Set();
    asked.push({
      conversation: conversation.id,
      question: question.text,
      category: question.category,
      found: sharesByCutoff(question, [...order]),
      injected: blocks.map(({ turns }) => share(question, turns)),
      tokens: blocks.map(({ tokens }) => tokens),
      floor: sharesByCutoff(question, floor(question.text)),
      missed: question.evidence.filter((turn) => !largest.has(turn)),
      prepareMs: blocks.map(({ ms }) => ms),
    });
  }
  return asked;
}

/** How much of what is asked about something else is given memories all the same. */
export async function askUnrelated(
  subject: Subject,
  remembered: Remembered,
  prompts: readonly string[],
): Promise<readonly boolean[]> {
  const answers: boolean[] = [];
  for (const [index, text] of prompts.entries()) {
    const prepared = await subject.memory.prepare(
      {
        scope: remembered.scope,
        session: `unrelated ${index}`,
        turns: [userTurn(text)],
        read: true,
        trace: `unrelated ${index}`,
      },
      AbortSignal.timeout(10_000),
    );
    answers.push(prepared.recalled.some(({ via }) => via !== "core"));
  }
  return answers;
}

const searchDepth = 120;

/** The turns whose words, or what was learned from them, stand in the block. Trusts the bytes, not the list beside them. */
function turnsInside(prepared: Prepared, { turnsOf }: Remembered, now: Date): ReadonlySet<string> {
  const block = [...prepared.injections.values()].join("");
  return new Set(
    prepared.recalled
      .filter(({ memory }) => block.includes(renderLine(memory, now)))
      .flatMap(({ memory }) => turnsOf.get(memory.id) ?? []),
  );
}

function sharesByCutoff(question: Question, order: readonly string[]): readonly number[] {
  return cutoffs.map((cutoff) => share(question, new Set(order.slice(0, cutoff))));
}

function share({ evidence }: Question, turns: ReadonlySet<string>): number {
  return evidence.filter((turn) => turns.has(turn)).length / evidence.length;
}
