import type { QdrantClient, Schemas } from "@qdrant/js-client-rest";
import { createHash } from "node:crypto";
import { MemoryStoreError } from "../memory-store-error.ts";
import type { Connection } from "./connection.ts";
import { statusOf } from "./failures.ts";

export type CollectionOptions = {
  readonly collection: string;
  readonly dimensions: number;
  readonly embedderId: string;
};

/** An opened collection. */
export type Collection = {
  /** The dense vector of the embedder in use. */
  readonly vectorName: string;
  /** Whether the server counts a term's rarity within one owner; before 1.19 it counts over all. */
  readonly ownRarity: boolean;
  /** Runs one request on the collection, by name. */
  readonly ask: <T>(request: (client: QdrantClient, name: string) => Promise<T>) => Promise<T>;
};

/** The text arm's vector, `sparse.ts`. */
export const SPARSE = "bm25";

const MINIMUM = { major: 1, minor: 18 };
/** From here `params.idf` takes a corpus. */
const OWN_RARITY = { major: 1, minor: 19 };
const SCHEMA = 1;
const MAX_LIMIT = 2_048;
/** Edges of each owner's own graph; without owner there is none, for no search is without owner. */
const PAYLOAD_M = 16;

/** Every field that a filter names. Only the owner's gets graphs of its own. */
const indexes: Readonly<Record<string, Schemas["PayloadSchemaParams"]>> = {
  owner: { type: "keyword", is_tenant: true },
  kind: { type: "keyword", enable_hnsw: false },
  status: { type: "keyword", enable_hnsw: false },
  session: { type: "keyword", enable_hnsw: false },
  agent: { type: "keyword", enable_hnsw: false },
  embedder: { type: "keyword", enable_hnsw: false },
  core: { type: "bool", enable_hnsw: false },
  recorded: { type: "integer", enable_hnsw: false },
  superseded: { type: "integer", enable_hnsw: false },
  expires: { type: "integer", enable_hnsw: false },
  position: { type: "integer", enable_hnsw: false },
  order: { type: "integer", enable_hnsw: false },
  version: { type: "integer", enable_hnsw: false },
};

/**
 * Finds the collection or makes it: checks the server's version and the collection's own, makes what indexes are missing,
 * and adds the embedder's vector when it is a new one. Safe to run in several processes at once.
 */
export async function openCollection(connection: Connection, options: CollectionOptions): Promise<Collection> {
  const version = await probeVersion(connection);
  const name = options.collection;
  const vectorName = toVectorName(options.embedderId, options.dimensions);
  const info = await findOrCreate(connection, options, vectorName);
  checkSchema(info, connection.address, name);
  for (const [field, schema] of Object.entries(indexes)) {
    if (info.payload_schema[field] !== undefined) continue;
    const args = { field_name: field, field_schema: schema, wait: true };
    await connection.ask((client) => client.createPayloadIndex(name, args));
  }
  await ensureVector(connection, info, options, vectorName);
  return {
    vectorName,
    ownRarity: isAtLeast(version, OWN_RARITY),
    ask: (request) => connection.ask((client) => request(client, name)),
  };
}

/** Names of two embedders never meet: what is left out of the readable part is in the hash. */
function toVectorName(embedderId: string, dimensions: number): string {
  const slug = embedderId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/gu, "-")
    .slice(0, 40);
  const hash = createHash("sha256").update(`${dimensions}:${embedderId}`).digest("hex").slice(0, 8);
  return `dense_${slug}_${dimensions}_${hash}`;
}

/** The key under which the collection's metadata says which embedder a vector is of. */
export function metadataKey(vectorName: string): string {
  return `vector:${vectorName}`;
}

type Version = { readonly major: number; readonly minor: number };

async function probeVersion({ ask, address }: Connection): Promise<Version> {
  const { version } = await ask((client) => client.versionInfo());
  const match = /^(\d{1,4})\.(\d{1,4})/u.exec(version ?? "");
  if (match === null) {
    throw new MemoryStoreError("unavailable", `What answers at ${address} is no Qdrant: correct QDRANT_URL.`);
  }
  const found = { major: Number(match[1]), minor: Number(match[2]) };
  if (isAtLeast(found, MINIMUM)) return found;
  const needed = `${MINIMUM.major}.${MINIMUM.minor}`;
  throw new MemoryStoreError(
    "unavailable",
    `Qdrant at ${address} is version ${version}; memories need ${needed} or newer. Update it, or unset QDRANT_URL.`,
  );
}

function isAtLeast(version: Version, wanted: Version): boolean {
  return version.major > wanted.major || (version.major === wanted.major && version.minor >= wanted.minor);
}

async function findOrCreate(
  connection: Connection,
  options: CollectionOptions,
  vectorName: string,
): Promise<Schemas["CollectionInfo"]> {
  const name = options.collection;
  const found = await findCollection(connection, name);
  if (found !== undefined) return found;
  try {
    await connection.ask((client) => client.createCollection(name, newCollection(options, vectorName)));
  } catch (error) {
    const made = await findCollection(connection, name);
    if (made === undefined) throw error;
    return made; // another process was faster
  }
  return await connection.ask((client) => client.getCollection(name));
}

async function findCollection(connection: Connection, name: string): Promise<Schemas["CollectionInfo"] | undefined> {
  try {
    return await connection.ask((client) => client.getCollection(name));
  } catch (error) {
    if (error instanceof MemoryStoreError && statusOf(error.cause) === 404) return undefined;
    throw error;
  }
}

function newCollection({ dimensions, embedderId }: CollectionOptions, vectorName: string): Schemas["CreateCollection"] {
  return {
    vectors: { [vectorName]: { size: dimensions, distance: "Cosine" } },
    sparse_vectors: { [SPARSE]: { modifier: "idf" } },
    hnsw_config: { m: 0, payload_m: PAYLOAD_M },
    strict_mode_config: {
      enabled: true,
      unindexed_filtering_retrieve: false,
      unindexed_filtering_update: false,
      max_query_limit: MAX_LIMIT,
    },
    metadata: { schema: SCHEMA, [metadataKey(vectorName)]: { embedder: embedderId, dimensions } },
  };
}

function checkSchema(info: Schemas["CollectionInfo"], address: string, name: string): void {
  const schema = info.config.metadata?.["schema"];
  const which = `Collection ${name} of Qdrant at ${address}`;
  if (typeof schema !== "number") {
    throw new MemoryStoreError("corrupt", `${which} was not made by this program and was not changed. Name another.`);
  }
  if (schema > SCHEMA) {
    throw new MemoryStoreError("newer_schema", `${which} was made by a newer version of this program. Update it.`);
  }
}

/** A new embedder's vectors stand beside the old one's, under their own name, until `reindex` has made all of them. */
async function ensureVector(
  connection: Connection,
  info: Schemas["CollectionInfo"],
  { collection, dimensions, embedderId }: CollectionOptions,
  vectorName: string,
): Promise<void> {
  const key = metadataKey(vectorName);
  const size = sizeOf(info.config.params.vectors, vectorName);
  if (size !== undefined && size !== dimensions) {
    const what = `Vector ${vectorName} of collection ${collection} has ${size} dimensions instead of ${dimensions}.`;
    throw new MemoryStoreError("corrupt", `${what} Restore the collection, or name another.`);
  }
  if (size === undefined) {
    const config = { dense: { size: dimensions, distance: "Cosine" as const } };
    await connection.ask((client) => client.createVectorName(collection, vectorName, config, { wait: true }));
  }
  if (info.config.metadata?.[key] !== undefined) return;
  // Metadata merge by key, so two processes with two embedders do not undo each other.
  const metadata = { [key]: { embedder: embedderId, dimensions } };
  await connection.ask((client) => client.updateCollection(collection, { metadata }));
}

function sizeOf(vectors: unknown, vectorName: string): number | undefined {
  if (typeof vectors !== "object" || vectors === null) return undefined;
  const found: unknown = new Map<string, unknown>(Object.entries(vectors)).get(vectorName);
  if (typeof found !== "object" || found === null || !("size" in found)) return undefined;
  return typeof found.size === "number" ? found.size : undefined;
}
