import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

export type Suite = "locomo" | "beam";

/** One turn of recorded data. Its id is unique within its conversation. */
export type Said = {
  readonly id: string;
  readonly session: string;
  readonly text: string;
  /** Where people are named. */
  readonly speaker?: string;
};

/** What one chat request brings: a user's turn, and the answer when there was one. */
export type Exchange = { readonly session: string; readonly at: Date; readonly user: Said; readonly answer?: Said };

export type Question = {
  readonly text: string;
  /** LoCoMo's category or BEAM's ability. */
  readonly category: string;
  /** Ids of turns that are there; a question with none is not measured. */
  readonly evidence: readonly string[];
};

export type Conversation = {
  readonly suite: Suite;
  readonly id: string;
  /** In the order in which it was said. */
  readonly said: readonly Said[];
  readonly exchanges: readonly Exchange[];
  readonly questions: readonly Question[];
  /** When the questions are asked: the day after the last turn. */
  readonly askedAt: Date;
};

/** Every `*.json` of a folder as conversations. An absent folder gives none; a file of another shape throws. */
export function loadConversations(suite: Suite, folder: string): readonly Conversation[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .toSorted((one, other) => one.localeCompare(other, "en", { numeric: true }))
    .map((name) => {
      const content: unknown = JSON.parse(readFileSync(join(folder, name), "utf8"));
      return suite === "locomo" ? toLocomo(locomoFile.parse(content)) : toBeam(beamFile.parse(content));
    });
}

/** The `prompt` of each line. An absent file gives none. */
export function loadPrompts(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => promptLine.parse(JSON.parse(line)).prompt);
}

const promptLine = z.object({ prompt: z.string() });

export function keyOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 27);
}

const id = z.union([z.string(), z.number()]).transform(String);

const locomoFile = z.object({
  id,
  sessions: z.array(
    z.object({
      date: z.string(),
      turns: z.array(
        z.object({ id, speaker: z.string(), text: z.string().default(""), imageCaption: z.string().optional() }),
      ),
    }),
  ),
  questions: z.array(
    z.object({ question: z.string(), category: z.union([z.string(), z.number()]), evidence: z.array(id).default([]) }),
  ),
});

const beamFile = z.object({
  id,
  messages: z.array(z.object({ id, role: z.string(), date: z.string(), content: z.string() })),
  questions: z.array(z.object({ ability: z.string(), question: z.string(), evidence: z.array(id).default([]) })),
});

const categoryNames: Readonly<Record<string, string>> = {
  1: "multi-hop",
  2: "temporal",
  3: "open-domain",
  4: "single-hop",
};
const dayMs = 24 * 60 * 60 * 1000;

/**
 * Two people's conversation as a gateway would see it: both write as users of one room, each under their own name, and
 * no model answers. A picture is its caption. The fifth category (questions without an answer) is left out.
 */
function toLocomo(file: z.infer<typeof locomoFile>): Conversation {
  const said: Said[] = [];
  const exchanges: Exchange[] = [];
  let last = 0;
  for (const [index, { date, turns }] of file.sessions.entries()) {
    const session = `session-${index + 1}`;
    const at = parseDate(date);
    last = Math.max(last, at.getTime());
    const heard = turns.map(({ id: turn, speaker, text, imageCaption }): Said => ({
      id: turn,
      session,
      speaker,
      text: `${text}${imageCaption === undefined ? "" : ` [shares ${imageCaption}]`}`,
    }));
    said.push(...heard);
    exchanges.push(...heard.map((user) => ({ session, at, user })));
  }
  const known = new Set(said.map((turn) => turn.id));
  const questions = file.questions
    .map(({ question, category, evidence }) => ({
      text: question,
      category: categoryNames[category] ?? "",
      evidence: evidence.filter((turn) => known.has(turn)),
    }))
    .filter(({ category }) => category !== "");
  return { suite: "locomo", id: file.id, said, exchanges, questions, askedAt: new Date(last + dayMs) };
}

/** A user and an assistant; each anchored date is a session of its own. */
function toBeam(file: z.infer<typeof beamFile>): Conversation {
  const said: Said[] = [];
  const exchanges: Exchange[] = [];
  let session = 0;
  let dateBefore: string | undefined;
  let last = 0;
  let open: Exchange | undefined;
  for (const { id: message, role, date, content } of file.messages) {
    if (date !== dateBefore) {
      session += 1;
      open = undefined;
    }
    dateBefore = date;
    const at = parseDate(date);
    last = Math.max(last, at.getTime());
    const turn: Said = { id: message, session: `session-${session}`, text: content };
    said.push(turn);
    if (role === "user") {
      open = { session: turn.session, at, user: turn };
      exchanges.push(open);
    } else if (open?.answer === undefined && open !== undefined) {
      exchanges[exchanges.length - 1] = { ...open, answer: turn };
      open = undefined;
    } // An answer to nothing is no part of a chat request: it is not remembered, and counts as not found.
  }
  const known = new Set(said.map((turn) => turn.id));
  const questions = file.questions.map(({ question, ability, evidence }) => ({
    text: question,
    category: ability,
    evidence: evidence.filter((turn) => known.has(turn)),
  }));
  return { suite: "beam", id: file.id, said, exchanges, questions, askedAt: new Date(last + dayMs) };
}

/** "1:56 pm on 8 May, 2023" or "March-15-2024". */
function parseDate(text: string): Date {
  const clock = /^(\d{1,2}):(\d{2}) ([ap])m on (.+)$/iu.exec(text);
  const day = new Date(`${(clock?.[4] ?? text).replaceAll(/[-,]/gu, " ")} UTC`);
  if (Number.isNaN(day.getTime())) throw new Error(`'${text}' is not a date that this benchmark can read.`);
  if (clock === null) return new Date(day.getTime() + dayMs / 2);
  const hours = (Number(clock[1]) % 12) + (clock[3]?.toLowerCase() === "p" ? 12 : 0);
  return new Date(day.getTime() + (hours * 60 + Number(clock[2])) * 60_000);
}
