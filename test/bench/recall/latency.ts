import { statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Embedder } from "../../../memory/embedder.ts";
import type { Database } from "../../../memory/sqlite/database.ts";
import { userTurn } from "./remember.ts";
import { quantiles } from "./report.ts";
import type { LatencyReport } from "./report.ts";
import { openSubject } from "./subject.ts";

const ofOneUser = 10_000;
const questions = 2_000;
const warmUp = 100;
const bytesPerMemory = 2_000;

/**
 * Time of `prepare` for a user with 10,000 memories while the file holds `inFile`. One user's memories are remembered
 * for real; the others' are copies of their rows, which is what makes a million of them cheap to build.
 */
export async function measureLatency(
  embedder: Embedder,
  inFile: number,
  progress: (line: string) => void,
): Promise<LatencyReport> {
  const { bavail, bsize } = statfsSync(tmpdir());
  const needed = inFile * bytesPerMemory * 2;
  if (bavail * bsize < needed) throw new Error(`--latency needs ${Math.ceil(needed / 1e9)} GB free in ${tmpdir()}`);
  const subject = await openSubject(embedder, [2_000], "sqlite");
  const scope = { tenant: "bench", user: "reader" };
  try {
    const say = createSpeaker();
    const said = new Date("2026-01-01T12:00:00Z");
    for (let from = 0; from < ofOneUser; from += 1_000) {
      const items = Array.from({ length: 1_000 }, (_, index) => ({
        text: say(8 + (index % 24)),
        kind: "episode" as const,
        session: `session ${Math.floor((from + index) / 40)}`,
        at: new Date(said.getTime() + (from + index) * 60_000),
      }));
      await subject.memory.add(scope, items);
    }
    progress(`${ofOneUser} memories of one user`);
    await copyRows(subject.database, Math.ceil(inFile / ofOneUser) - 1, progress);
    subject.at(new Date("2026-02-01T12:00:00Z"));
    const ask = async (index: number) => {
      const startedAt = performance.now();
      await subject.memory.prepare(
        {
          scope,
          session: `question ${index}`,
          turns: [userTurn(`What did I say about ${say(4)}?`)],
          read: true,
          trace: `question ${index}`,
        },
        AbortSignal.timeout(10_000),
      );
      return performance.now() - startedAt;
    };
    const firstMs = await ask(0);
    for (let index = 1; index <= warmUp; index += 1) await ask(index);
    const before = process.cpuUsage();
    const taken: number[] = [];
    for (let index = 1; index <= questions; index += 1) taken.push(await ask(warmUp + index));
    const { user, system } = process.cpuUsage(before);
    return {
      memoriesOfUser: ofOneUser,
      memoriesInFile: countRows(subject.database),
      fileMb: statSync(subject.database.path).size / 1024 / 1024,
      firstMs,
      prepareMs: quantiles(taken),
      cpuMs: (user + system) / 1_000 / questions,
      rssMb: process.memoryUsage().rss / 1024 / 1024,
    };
  } finally {
    await subject.close();
  }
}

/** `row` is `owner * 2^25 + number`, see `memory/sqlite/schema.ts`. */
const rowsPerOwner = 2 ** 25;

async function copyRows(database: Database, owners: number, progress: (line: string) => void): Promise<void> {
  const columns = database
    .prepare("SELECT name FROM pragma_table_info('memory')")
    .all()
    .map((row) => String(Object.values(row)[0]));
  const source = Number(Object.values(database.prepare("SELECT id FROM owner").get() ?? {})[0]);
  const values = columns.map((column) =>
    column === "row" ? `row + (?1 - ${source}) * ${rowsPerOwner}` : column === "owner" ? "?1" : column,
  );
  const copy = `INSERT INTO memory (${columns.join(", ")}) SELECT ${values.join(", ")} FROM memory WHERE owner = ${source}`;
  const addOwner = `
    INSERT INTO owner (tenant, user, last_row, changes)
    SELECT tenant, ?1, last_row + (SELECT seq + 1 - ${source} FROM sqlite_sequence WHERE name = 'owner') * ${rowsPerOwner}, changes
    FROM owner WHERE id = ${source}`;
  for (let index = 1; index <= owners; index += 1) {
    await database.write(() => {
      const { lastInsertRowid } = database.prepare(addOwner).run(`user ${index}`);
      database.prepare(copy).run(Number(lastInsertRowid));
    });
    if (index % 10 === 0) progress(`${(index + 1) * ofOneUser} memories in the file`);
  }
}

function countRows(database: Database): number {
  return Number(Object.values(database.prepare("SELECT count(*) FROM memory").get() ?? {})[0]);
}

/** Made-up prose whose words are as unevenly spread as in a real language: few are common, most are rare. */
function createSpeaker(): (words: number) => string {
  let state = 0x2545f491;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const syllables = [
    "ba",
    "den",
    "kor",
    "li",
    "mo",
    "nas",
    "pel",
    "ri",
    "sto",
    "tan",
    "ul",
    "ver",
    "wi",
    "xan",
    "zo",
    "gre",
  ];
  const word = () => {
    const rank = Math.floor(20_000 ** random());
    let name = "";
    for (let rest = rank; rest > 0; rest = Math.floor(rest / syllables.length))
      name += syllables[rest % syllables.length];
    return name;
  };
  return (words) => Array.from({ length: words }, word).join(" ");
}
