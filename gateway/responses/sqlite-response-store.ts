import type { SQLOutputValue } from "node:sqlite";
import type { Database } from "../../memory/sqlite/database.ts";
import { array, arrays } from "../../memory/sqlite/owners.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../router/json.ts";
import { parseState } from "../dialects/openai-responses/sealed-state.ts";
import { type KnownItem, maxItems } from "../dialects/openai-responses/parse-items.ts";
import type { NewResponse, ResponseOwner, ResponseReader, ResponseStore, Thread, ThreadAt } from "./response-store.ts";

export type SqliteResponseStoreOptions = {
  /** Milliseconds, as `Date.now`. */
  readonly clock: () => number;
  readonly maxAgeMs?: number;
  readonly maxResponses?: number;
  readonly maxBytes?: number;
};

const MAX_AGE_MS = 30 * 24 * 60 * 60 * 1_000;
const MAX_RESPONSES = 200_000;
const MAX_BYTES = 4 * 1024 * 1024 * 1024;
/** What is too old or too much is looked for after this many writes. */
const PRUNE_EVERY = 64;
/** One prune holds the write lock for at most this many conversations. */
const PRUNE_BATCH = 200;

/** A thread is the tree of responses that continue each other; `head` is where its conversation goes on. */
const schema = [
  `
  CREATE TABLE response_thread (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, user TEXT NOT NULL, session TEXT NOT NULL,
    conversation TEXT, head INTEGER, touched INTEGER NOT NULL, responses INTEGER NOT NULL, bytes INTEGER NOT NULL,
    UNIQUE (tenant, user, conversation)
  ) STRICT;
  CREATE INDEX response_thread_touched ON response_thread (touched);
  CREATE TABLE response (
    id INTEGER PRIMARY KEY AUTOINCREMENT, thread INTEGER NOT NULL REFERENCES response_thread ON DELETE CASCADE,
    parent INTEGER, name TEXT NOT NULL, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX response_name ON response (name);
  CREATE INDEX response_thread_of ON response (thread);
  CREATE INDEX response_parent ON response (parent);
  CREATE TABLE response_item (
    response INTEGER NOT NULL REFERENCES response ON DELETE CASCADE, position INTEGER NOT NULL, output INTEGER NOT NULL,
    name TEXT, item TEXT NOT NULL, state TEXT, PRIMARY KEY (response, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX response_item_name ON response_item (name) WHERE name IS NOT NULL;
  `,
];

type Found = { readonly id: number; readonly thread: number; readonly body: string };

export class SqliteResponseStore implements ResponseStore {
  readonly #database: Database;
  readonly #clock: () => number;
  readonly #limits: { readonly maxAgeMs: number; readonly maxResponses: number; readonly maxBytes: number };
  #writes = 0;

  constructor(database: Database, options: SqliteResponseStoreOptions) {
    const { clock, maxAgeMs = MAX_AGE_MS, maxResponses = MAX_RESPONSES, maxBytes = MAX_BYTES } = options;
    database.migrate("responses", schema);
    this.#database = database;
    this.#clock = clock;
    this.#limits = { maxAgeMs, maxResponses, maxBytes };
  }

  async get(reader: ResponseReader, id: string): Promise<JsonObject | undefined> {
    const found = this.#find(reader, id);
    return found && parseObject(found.body);
  }

  async inputItems(reader: ResponseReader, id: string): Promise<readonly JsonObject[] | undefined> {
    const found = this.#find(reader, id);
    if (found === undefined) return undefined;
    const select = this.#database.prepare(
      "SELECT item FROM response_item WHERE response = ? AND output = 0 ORDER BY position",
    );
    return arrays(select.all(found.id)).map((row) => parseObject(String(row[0])));
  }

  async thread(owner: ResponseOwner, at: ThreadAt): Promise<Thread | undefined> {
    const place = this.#findThread(owner, at);
    if (place === undefined) return undefined;
    const session = array(this.#database.prepare("SELECT session FROM response_thread WHERE id = ?").get(place.thread));
    return { session: String(session?.[0]), items: chain(this.#database, place.parent), place };
  }

  async findItem(owner: ResponseOwner, id: string): Promise<KnownItem | undefined> {
    const select = this.#database.prepare(`
      SELECT i.item, i.state FROM response_item i
      JOIN response r ON r.id = i.response JOIN response_thread t ON t.id = r.thread
      WHERE i.name = ? AND t.tenant = ? AND t.user = ? AND t.touched >= ? ORDER BY r.id DESC LIMIT 1`);
    const row = array(select.get(id, owner.tenant, owner.user, this.#oldest()));
    return row && toKnown(row[0], row[1]);
  }

  async keep(owner: ResponseOwner, entry: NewResponse): Promise<void> {
    await this.#database.write(() => this.#insert(owner, entry));
    this.#writes += 1;
    if (this.#writes % PRUNE_EVERY === 0) await this.prune();
  }

  async delete(reader: ResponseReader, id: string): Promise<boolean> {
    const deleted = await this.#database.write(() => {
      let any = false;
      // A host may have given the same id twice.
      for (let found = this.#find(reader, id); found !== undefined; found = this.#find(reader, id)) {
        remove(this.#database, found);
        any = true;
      }
      return any;
    });
    if (deleted) this.#database.scrub();
    return deleted;
  }

  async erase({ tenant, user }: ResponseOwner): Promise<number> {
    const erased = await this.#database.write(() => {
      const whose = "FROM response_thread WHERE tenant = ? AND user = ?";
      const count = array(this.#database.prepare(`SELECT sum(responses) ${whose}`).get(tenant, user));
      this.#database.prepare(`DELETE ${whose}`).run(tenant, user);
      return Number(count?.[0] ?? 0);
    });
    this.#database.scrub();
    return erased;
  }

  async prune(): Promise<number> {
    const { maxResponses, maxBytes } = this.#limits;
    return this.#database.write(() => prune(this.#database, this.#oldest(), maxResponses, maxBytes));
  }

  #oldest(): number {
    return this.#clock() - this.#limits.maxAgeMs;
  }

  #find(reader: ResponseReader, name: string): Found | undefined {
    const select = this.#database.prepare(`
      SELECT r.id, r.thread, r.body FROM response r JOIN response_thread t ON t.id = r.thread
      WHERE r.name = ?1 AND t.tenant = ?2 AND (?3 IS NULL OR t.user = ?3) AND t.touched >= ?4
      ORDER BY r.id DESC LIMIT 1`);
    const row = array(select.get(name, reader.tenant, reader.user ?? null, this.#oldest()));
    return row && { id: Number(row[0]), thread: Number(row[1]), body: String(row[2]) };
  }

  #findThread(owner: ResponseOwner, at: ThreadAt): Thread["place"] | undefined {
    if ("response" in at) {
      const found = this.#find(owner, at.response);
      return found && { thread: found.thread, parent: found.id };
    }
    const select = this.#database.prepare(`
      SELECT id, head FROM response_thread WHERE tenant = ? AND user = ? AND conversation = ? AND touched >= ?`);
    const row = array(select.get(owner.tenant, owner.user, at.conversation, this.#oldest()));
    return row && { thread: Number(row[0]), parent: row[1] === null ? undefined : Number(row[1]) };
  }

  /** Inside a write. */
  #insert(owner: ResponseOwner, entry: NewResponse): void {
    const { thread, parent } = this.#placeOf(owner, entry);
    const body = JSON.stringify(entry.response);
    const insert = this.#database.prepare(
      "INSERT INTO response (thread, parent, name, body) VALUES (?, ?, ?, ?) RETURNING id",
    );
    const id = Number(array(insert.get(thread, parent ?? null, entry.id, body))?.[0]);
    const bytes = body.length + this.#insertItems(id, entry);
    const touch = this.#database.prepare(`
      UPDATE response_thread SET touched = ?1, responses = responses + 1, bytes = bytes + ?2,
        head = CASE WHEN ?3 THEN ?4 ELSE head END WHERE id = ?5`);
    touch.run(this.#clock(), bytes, entry.conversation === undefined ? 0 : 1, id, thread);
  }

  #insertItems(response: number, { input, output }: NewResponse): number {
    const insert = this.#database.prepare(
      "INSERT INTO response_item (response, position, output, name, item, state) VALUES (?, ?, ?, ?, ?, ?)",
    );
    let bytes = 0;
    for (const [position, known] of [...input, ...output].entries()) {
      const item = JSON.stringify(known.item);
      const state = known.state === undefined ? null : JSON.stringify(known.state);
      const name = typeof known.item["id"] === "string" ? known.item["id"] : null;
      bytes += item.length + (state?.length ?? 0);
      insert.run(response, position, position < input.length ? 0 : 1, name, item, state);
    }
    return bytes;
  }

  /** Where a new response goes; its thread is made when there is none, or none any more. */
  #placeOf({ tenant, user }: ResponseOwner, entry: NewResponse): Thread["place"] {
    const conversation = entry.conversation ?? null;
    // A conversation goes on from where it is now: another answer may have been kept in the meantime.
    if (conversation !== null) {
      const known = this.#findThread({ tenant, user }, { conversation });
      if (known !== undefined) return known;
      const expired = this.#database.prepare(
        "DELETE FROM response_thread WHERE tenant = ? AND user = ? AND conversation = ?",
      );
      expired.run(tenant, user, conversation);
    } else if (entry.after !== undefined) {
      const known = this.#database.prepare("SELECT id FROM response_thread WHERE id = ?").get(entry.after.thread);
      if (known !== undefined) return entry.after;
    }
    const insert = this.#database.prepare(`
      INSERT INTO response_thread (tenant, user, session, conversation, touched, responses, bytes)
      VALUES (?, ?, ?, ?, ?, 0, 0) RETURNING id`);
    const row = array(insert.get(tenant, user, entry.session, conversation, this.#clock()));
    return { thread: Number(row?.[0]), parent: undefined };
  }
}

/** From the first response of the chain to `last`, each with its input before its output. */
function chain(database: Database, last: number | undefined): readonly KnownItem[] {
  if (last === undefined) return [];
  // One item more than a request may have is enough to be told so.
  const select = database.prepare(`
    WITH RECURSIVE chain (id, parent, depth) AS (
      SELECT id, parent, 0 FROM response WHERE id = ?1
      UNION ALL
      SELECT r.id, r.parent, c.depth + 1 FROM chain c JOIN response r ON r.id = c.parent WHERE c.depth < ?2
    )
    SELECT i.item, i.state FROM chain c JOIN response_item i ON i.response = c.id
    ORDER BY c.depth DESC, i.position LIMIT ?2`);
  return arrays(select.all(last, maxItems + 1)).map((row) => toKnown(row[0], row[1]));
}

/** What followed the response now follows what it followed itself. */
function remove(database: Database, { id, thread }: Found): void {
  const parent = array(database.prepare("SELECT parent FROM response WHERE id = ?").get(id))?.[0] ?? null;
  database.prepare("UPDATE response SET parent = ? WHERE parent = ?").run(parent, id);
  database.prepare("UPDATE response_thread SET head = ? WHERE id = ? AND head = ?").run(parent, thread, id);
  database.prepare("UPDATE response_thread SET responses = responses - 1 WHERE id = ?").run(thread);
  database.prepare("DELETE FROM response WHERE id = ?").run(id);
  database.prepare("DELETE FROM response_thread WHERE id = ? AND responses = 0 AND conversation IS NULL").run(thread);
}

function prune(database: Database, before: number, maxResponses: number, maxBytes: number): number {
  const expired = database.prepare(`
    DELETE FROM response_thread WHERE id IN (
      SELECT id FROM response_thread WHERE touched < ? ORDER BY touched LIMIT ${PRUNE_BATCH})`);
  let dropped = Number(expired.run(before).changes);
  const totals = array(database.prepare("SELECT sum(responses), sum(bytes) FROM response_thread").get());
  let responses = Number(totals?.[0] ?? 0);
  let bytes = Number(totals?.[1] ?? 0);
  const oldest = database.prepare(
    `SELECT id, responses, bytes FROM response_thread ORDER BY touched LIMIT ${PRUNE_BATCH}`,
  );
  const drop = database.prepare("DELETE FROM response_thread WHERE id = ?");
  for (const row of arrays(oldest.all())) {
    if (responses <= maxResponses && bytes <= maxBytes) break;
    drop.run(Number(row[0]));
    dropped += 1;
    responses -= Number(row[1]);
    bytes -= Number(row[2]);
  }
  return dropped;
}

function toKnown(item: SQLOutputValue | undefined, state: SQLOutputValue | undefined): KnownItem {
  const parsed = parseObject(String(item));
  const known = typeof state === "string" ? parseState(state) : undefined;
  return known === undefined ? { item: parsed } : { item: parsed, state: known };
}

function parseObject(text: string): JsonObject {
  const value: JsonValue = JSON.parse(text);
  return isJsonObject(value) ? value : {};
}
