import type { Database } from "./database.ts";
import { array } from "./owners.ts";

export type EmbedderNumber = {
  /** The embedder's number in the file; 0, which no vector has, while there is none. */
  find(): number;
  /** Inside a write. */
  findOrAdd(): number;
};

/** The dimensions that an embedder's vectors in the file have; the newest, if they changed. */
export function recordedDimensions(database: Database, name: string): number | undefined {
  const select = database.prepare("SELECT dimensions FROM embedder WHERE name = ? ORDER BY id DESC LIMIT 1");
  const found = array(select.get(name))?.[0];
  return found === undefined ? undefined : Number(found);
}

/** An embedder's name and dimensions are kept once in the file; each vector carries their number. */
export function createEmbedderNumber(database: Database, name: string, dimensions: number): EmbedderNumber {
  let known = 0;
  function find(): number {
    if (known !== 0) return known;
    const select = database.prepare("SELECT id FROM embedder WHERE name = ? AND dimensions = ?");
    known = Number(array(select.get(name, dimensions))?.[0] ?? 0);
    return known;
  }
  return {
    find,
    findOrAdd() {
      const found = find();
      if (found !== 0) return found;
      // Not remembered here: the transaction may yet be undone.
      const insert = database.prepare("INSERT INTO embedder (name, dimensions) VALUES (?, ?)");
      return Number(insert.run(name, dimensions).lastInsertRowid);
    },
  };
}
