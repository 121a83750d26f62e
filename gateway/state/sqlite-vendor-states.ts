import type { Database } from "../../memory/sqlite/database.ts";
import { array, arrays, checkOwner } from "../../memory/sqlite/owners.ts";
import { type StateHolder, type VendorStateStore, vendorStateBounds } from "./vendor-states.ts";

export type SqliteVendorStatesOptions = {
  readonly clock: () => number;
  readonly bounds?: Partial<Record<keyof typeof vendorStateBounds, number>>;
};

const steps = [
  `
  CREATE TABLE vendor_state_session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    holder TEXT NOT NULL,
    name TEXT NOT NULL,
    touched INTEGER NOT NULL,
    UNIQUE (tenant, kind, holder, name)
  ) STRICT;
  CREATE INDEX vendor_state_session_touched ON vendor_state_session (touched);

  CREATE TABLE vendor_state (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES vendor_state_session (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (session, key)
  ) STRICT;
  `,
];

/** One write removes at most this many sessions, so that it holds the lock for milliseconds. */
const pruneBatch = 500;
const maxPruneBatches = 1_000;

/** The embedded store: two tables in the file that memory has too, so one commit serves both. */
export function createSqliteVendorStates(database: Database, options: SqliteVendorStatesOptions): VendorStateStore {
  const { clock } = options;
  const bounds = { ...vendorStateBounds, ...options.bounds };
  database.migrate("vendor-state", steps);
  const known = new Set(listSessions(database).map(([holder, session]) => placeOf(holder, session)));
  // The file's version changes only when another connection writes to it: then `known` may lack its sessions.
  const readVersion = () => Number(array(database.prepare("PRAGMA data_version").get())?.[0]);
  const knownAt = readVersion();

  function find(holder: StateHolder, session: string): number | undefined {
    checkHolder(holder);
    const select = database.prepare(
      "SELECT id FROM vendor_state_session WHERE tenant = ? AND kind = ? AND holder = ? AND name = ? AND touched >= ?",
    );
    const oldest = clock() - bounds.maxAgeMs;
    const row = array(select.get(holder.tenant, holder.kind, holder.name, session, oldest));
    return row && Number(row[0]);
  }

  /** Inside a write. */
  function touch({ tenant, kind, name }: StateHolder, session: string): number {
    const upsert = database.prepare(`
      INSERT INTO vendor_state_session (tenant, kind, holder, name, touched) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (tenant, kind, holder, name) DO UPDATE SET touched = excluded.touched RETURNING id`);
    return Number(array(upsert.get(tenant, kind, name, session, clock()))?.[0]);
  }

  async function pruneOnce(): Promise<number> {
    const gone = await database.write(() => prune(database, clock() - bounds.maxAgeMs, bounds.maxSessions));
    for (const [holder, session] of gone) known.delete(placeOf(holder, session));
    return gone.length;
  }

  return {
    mayHold(holder, session) {
      if (known.has(placeOf(holder, session))) return true;
      return readVersion() !== knownAt && find(holder, session) !== undefined;
    },

    async find(holder, session, keys) {
      const found = new Map<string, string>();
      const id = find(holder, session);
      if (id === undefined) return found;
      const select = database.prepare("SELECT value FROM vendor_state WHERE session = ? AND key = ?");
      for (const key of keys) {
        const row = array(select.get(id, key));
        if (row !== undefined) found.set(key, String(row[0]));
      }
      return found;
    },

    async put(holder, session, key, value) {
      checkHolder(holder);
      if (Buffer.byteLength(value) > bounds.valueBytes) {
        throw new RangeError(`A vendor's state of more than ${bounds.valueBytes} bytes is not kept.`);
      }
      await database.write(() => insert(database, touch(holder, session), { key, value }, bounds.entriesPerSession));
      known.add(placeOf(holder, session));
      if (known.size > bounds.maxSessions) await pruneOnce();
    },

    async erase(holder) {
      checkHolder(holder);
      const erased = await database.write(() => removeAll(database, holder));
      for (const place of known) if (place.startsWith(placeOf(holder, ""))) known.delete(place);
      database.scrub();
      return erased;
    },

    async prune() {
      let removed = 0;
      for (let batch = 0; batch < maxPruneBatches; batch += 1) {
        const gone = await pruneOnce();
        removed += gone;
        if (gone === 0) break;
      }
      return removed;
    },
  };
}

/** Half a surrogate pair would be stored as another character, and two names become one. */
function checkHolder({ tenant, name }: StateHolder): void {
  checkOwner({ tenant, user: name });
}

type Place = readonly [holder: StateHolder, session: string];

/** JSON keeps names with separators in them apart. */
function placeOf({ tenant, kind, name }: StateHolder, session: string): string {
  return JSON.stringify([tenant, kind, name]) + session;
}

function listSessions(database: Database): readonly Place[] {
  return toPlaces(arrays(database.prepare("SELECT tenant, kind, holder, name FROM vendor_state_session").all()));
}

type Entry = { readonly key: string; readonly value: string };

/** Not an update in place: what is written last is the newest, and is dropped last. */
function insert(database: Database, session: number, { key, value }: Entry, most: number): void {
  database
    .prepare("INSERT OR REPLACE INTO vendor_state (session, key, value) VALUES (?, ?, ?)")
    .run(session, key, value);
  const dropOldest = database.prepare(`
    DELETE FROM vendor_state WHERE number IN (
      SELECT number FROM vendor_state WHERE session = ? ORDER BY number DESC LIMIT ${pruneBatch} OFFSET ?)`);
  dropOldest.run(session, most);
}

function removeAll(database: Database, { tenant, kind, name }: StateHolder): number {
  const owned = "tenant = ? AND kind = ? AND holder = ?";
  const count = database.prepare(
    `SELECT count(*) FROM vendor_state WHERE session IN (SELECT id FROM vendor_state_session WHERE ${owned})`,
  );
  const values = Number(array(count.get(tenant, kind, name))?.[0]);
  database.prepare(`DELETE FROM vendor_state_session WHERE ${owned}`).run(tenant, kind, name);
  return values;
}

function prune(database: Database, before: number, maxSessions: number): readonly Place[] {
  const total = Number(array(database.prepare("SELECT count(*) FROM vendor_state_session").get())?.[0]);
  const oldest = "SELECT id, touched FROM vendor_state_session ORDER BY touched LIMIT";
  const remove = database.prepare(`
    DELETE FROM vendor_state_session WHERE id IN (
      SELECT id FROM (${oldest} ?1) WHERE touched < ?2 UNION SELECT id FROM (${oldest} ?3))
    RETURNING tenant, kind, holder, name`);
  const beyond = Math.min(Math.max(0, total - maxSessions), pruneBatch);
  return toPlaces(arrays(remove.all(pruneBatch, before, beyond)));
}

function toPlaces(rows: readonly (readonly unknown[])[]): readonly Place[] {
  return rows.map(([tenant, kind, holder, name]) => [
    { tenant: String(tenant), kind: kind === "key" ? "key" : "user", name: String(holder) },
    String(name),
  ]);
}
