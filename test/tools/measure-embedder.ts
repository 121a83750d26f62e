/**
 * Recall of evidence turns by words, by the default embedder and by both, on the conversations in `../shared`; then time, memory
 * and load. `node test/tools/measure-embedder.ts [tune|report|all]`. The numbers stand in docs/decisions/2026-11-21-default-embedder.md.
 */
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createStaticEmbedder, type StaticEmbedder } from "../../memory/static-embedder.ts";

type Question = { readonly text: string; readonly evidence: readonly number[] };
type Chat = {
  readonly turns: readonly string[];
  readonly withNeighbours: readonly string[];
  readonly questions: readonly Question[];
};
/** One row per question: a score for each turn. */
type Scores = readonly (readonly number[])[];

const cutoffs = [5, 10, 30];
const files = {
  tune: { locomo: ["locomo-26", "locomo-30", "locomo-41"], beam: ["beam-100k-1", "beam-100k-2", "beam-100k-3"] },
  report: { locomo: ["locomo-42", "locomo-43"], beam: ["beam-100k-4", "beam-100k-5", "beam-100k-6"] },
};

const stopWords = new Set(
  "a an the and or but if of to in on at for with by from as is are was were be been being am do does did have has had i you he she it we they me him her us them my your his its our their this that these those what which who whom when where why how not no so than then there here can could will would should may might must about into over after before up down out off again just also too very s t d ll m re ve".split(
    " ",
  ),
);

const rssBefore = process.memoryUsage().rss;
const loadStart = performance.now();
const embedder = await createStaticEmbedder();
const loadMs = performance.now() - loadStart;
globalThis.gc?.();
const rssGrowth = process.memoryUsage().rss - rssBefore;

const wanted = process.argv[2] ?? "all";
for (const [split, sets] of Object.entries(files)) {
  if (wanted !== "all" && wanted !== split) continue;
  for (const [name, chats] of Object.entries(sets))
    measureSet(
      `${split} ${name}`,
      chats.map((file) => read(name, file)),
    );
}
measureTime(embedder);

function measureSet(label: string, chats: readonly Chat[]): void {
  const arms = chats.map((chat) => ({ chat, lexical: byWords(chat), dense: byVectors(chat) }));
  const report = (name: string, pick: (arm: (typeof arms)[number]) => Scores): void => {
    const rows = arms.flatMap((arm) =>
      arm.chat.questions.map((question, row) => found(pick(arm)[row] ?? [], question)),
    );
    const means = cutoffs.map((_, at) => (100 * rows.reduce((sum, row) => sum + (row[at] ?? 0), 0)) / rows.length);
    console.log(`${label.padEnd(16)} ${name.padEnd(18)} ${means.map((mean) => mean.toFixed(1).padStart(5)).join(" ")}`);
  };
  report("words", (arm) => arm.lexical);
  report("vectors", (arm) => arm.dense);
  report("both, 1 : 1", (arm) => fuse(arm.lexical, arm.dense, 1));
  report("both, 1 : 0.5", (arm) => fuse(arm.lexical, arm.dense, 0.5));
}

function measureTime(under: StaticEmbedder): void {
  const words =
    "I went to the farmers market with Caroline on Saturday and bought some fresh tomatoes, basil and a loaf of sourdough bread because we were planning to cook dinner for our friends who just moved here from Germany".split(
      " ",
    );
  for (const count of [12, 100]) {
    const text = Array.from({ length: count }, (_, index) => words[(index * 7) % words.length]).join(" ");
    for (let run = 0; run < 5000; run += 1) under.embedOne(text);
    const times = Array.from({ length: 500 }, () => {
      const start = performance.now();
      for (let run = 0; run < 20; run += 1) under.embedOne(text);
      return ((performance.now() - start) * 1000) / 20;
    }).toSorted((a, b) => a - b);
    console.log(`${count} words: median ${times[250]?.toFixed(1)} µs, p95 ${times[475]?.toFixed(1)} µs`);
  }
  console.log(`load ${loadMs.toFixed(0)} ms, resident memory +${(rssGrowth / 1e6).toFixed(0)} MB`);
}

function read(set: string, file: string): Chat {
  const json = JSON.parse(readFileSync(new URL(`../../../shared/${set}/${file}.json`, import.meta.url), "utf8"));
  return set === "locomo" ? readLocomo(json) : readBeam(json);
}

function readLocomo(json: {
  readonly sessions: readonly {
    readonly turns: readonly { readonly id: string; readonly speaker: string; readonly text: string }[];
  }[];
  readonly questions: readonly {
    readonly question: string;
    readonly evidence: readonly string[];
    readonly category: number;
  }[];
}): Chat {
  const turns = json.sessions.flatMap((session, number) => session.turns.map((turn) => ({ ...turn, session: number })));
  return toChat(
    turns.map((turn) => ({ id: turn.id, text: `${turn.speaker}: ${turn.text}`, session: turn.session })),
    json.questions.filter((question) => question.category !== 5),
  );
}

function readBeam(json: {
  readonly messages: readonly { readonly id: number; readonly content: string }[];
  readonly questions: readonly { readonly question: string; readonly evidence: readonly number[] }[];
}): Chat {
  return toChat(
    json.messages.map((message) => ({ id: message.id, text: message.content, session: 0 })),
    json.questions,
  );
}

function toChat<Id>(
  turns: readonly { readonly id: Id; readonly text: string; readonly session: number }[],
  questions: readonly { readonly question: string; readonly evidence: readonly Id[] }[],
): Chat {
  const places = new Map(turns.map((turn, place) => [turn.id, place]));
  const near = (place: number, session: number): string[] => {
    const turn = turns[place];
    return turn?.session === session ? [turn.text] : [];
  };
  return {
    turns: turns.map((turn) => turn.text),
    withNeighbours: turns.map(({ text, session }, place) =>
      [...near(place - 1, session), text, ...near(place + 1, session)].join("\n"),
    ),
    questions: questions
      .map((question) => ({
        text: question.question,
        evidence: [...new Set(question.evidence)].map((id) => places.get(id) ?? -1),
      }))
      .filter((question) => question.evidence.length > 0 && !question.evidence.includes(-1)),
  };
}

function byWords({ withNeighbours, questions }: Chat): Scores {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE VIRTUAL TABLE turns USING fts5(text, tokenize='porter unicode61 remove_diacritics 2')");
  const insert = database.prepare("INSERT INTO turns(rowid, text) VALUES (?, ?)");
  for (const [place, text] of withNeighbours.entries()) insert.run(place, text);
  const search = database.prepare("SELECT rowid AS place, -bm25(turns) AS score FROM turns WHERE turns MATCH ?");
  return questions.map((question) => {
    const words = [...new Set(question.text.toLowerCase().match(/[\p{L}\p{N}]+/gu))];
    const telling = words.filter((word) => !stopWords.has(word));
    const scores = withNeighbours.map(() => 0);
    const query = (telling.length > 0 ? telling : words).map((word) => `"${word}"`).join(" OR ");
    for (const row of search.all(query)) scores[Number(row["place"])] = Number(row["score"]);
    return scores;
  });
}

function byVectors({ turns, questions }: Chat): Scores {
  const vectors = turns.map((turn) => embedder.embedOne(turn));
  return questions.map((question) => {
    const asked = embedder.embedOne(question.text);
    return vectors.map((vector) => vector.reduce((sum, value, index) => sum + value * (asked[index] ?? 0), 0));
  });
}

/** Reciprocal rank fusion (k = 60) of the first 100 of each arm. */
function fuse(lexical: Scores, dense: Scores, denseWeight: number): Scores {
  return lexical.map((row, question) => {
    const [first, second] = [ranks(row), ranks(dense[question] ?? [])];
    return row.map((_, turn) => share(first[turn] ?? 100) + denseWeight * share(second[turn] ?? 100));
  });
}

function share(rank: number): number {
  return rank < 100 ? 1 / (61 + rank) : 0;
}

function ranks(scores: readonly number[]): readonly number[] {
  const result: number[] = [];
  const order = scores.map((_, turn) => turn).toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  for (const [rank, turn] of order.entries()) result[turn] = rank;
  return result;
}

/** The share of the evidence among the first k, for each k. */
function found(scores: readonly number[], { evidence }: Question): readonly number[] {
  const rank = ranks(scores);
  return cutoffs.map((cutoff) => evidence.filter((turn) => (rank[turn] ?? cutoff) < cutoff).length / evidence.length);
}
