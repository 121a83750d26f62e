import type { KnownItem } from "../dialects/openai-responses/parse-items.ts";
import type { JsonObject } from "../../router/json.ts";

/** Whose responses. `user` is `""` for requests that name nobody. */
export type ResponseOwner = { readonly tenant: string; readonly user: string };

/** Who reads. Without a user: whoever holds a key to the whole tenant. */
export type ResponseReader = { readonly tenant: string; readonly user?: string };

/** Where a new response goes: after another one, or at the end of a conversation. */
export type ThreadAt = { readonly response: string } | { readonly conversation: string };

/** A conversation as far as it is kept. `place` is the store's own; it goes back into `keep`. */
export type Thread = {
  readonly session: string;
  readonly items: readonly KnownItem[];
  readonly place: { readonly thread: number; readonly parent: number | undefined };
};

export type NewResponse = {
  readonly id: string;
  /** The object the client got. */
  readonly response: JsonObject;
  /** The items that came with this request alone, and those of its answer. */
  readonly input: readonly KnownItem[];
  readonly output: readonly KnownItem[];
  readonly session: string;
  readonly after: Thread["place"] | undefined;
  readonly conversation: string | undefined;
};

/**
 * The responses that clients may come back to. Kept for 30 days after the last use of their conversation, fewer when
 * there are too many; an owner's are never another's.
 */
export interface ResponseStore {
  get(reader: ResponseReader, id: string): Promise<JsonObject | undefined>;
  /** The items that came with the request, each with an id, first to last. */
  inputItems(reader: ResponseReader, id: string): Promise<readonly JsonObject[] | undefined>;
  /** Everything said up to there. `undefined` when there is no such response or conversation. */
  thread(owner: ResponseOwner, at: ThreadAt): Promise<Thread | undefined>;
  findItem(owner: ResponseOwner, id: string): Promise<KnownItem | undefined>;
  /** Resolves when it is durable. */
  keep(owner: ResponseOwner, entry: NewResponse): Promise<void>;
  /** Takes the response and its items out of what follows it, too. False when there is none. */
  delete(reader: ResponseReader, id: string): Promise<boolean>;
  /** Deletes all that is kept of a user, from the disk as well. Returns how many responses there were. */
  erase(owner: ResponseOwner): Promise<number>;
  /** Drops what is too old or too much. Returns how many conversations went. */
  prune(): Promise<number>;
}
