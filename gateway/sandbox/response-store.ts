import type { JsonObject } from "../../router/json.ts";

export type StoredResponse = {
  readonly id: string;
  readonly response: JsonObject;
  /** The whole conversation up to and with the answer, as `previous_response_id` continues it. */
  readonly items: readonly JsonObject[];
};

const mostStored = 1_000;
const mostStoredBytes = 64 * 1024 * 1024;

/** The responses OpenAI keeps for `previous_response_id` and `GET`; the oldest goes first. */
export class ResponseStore {
  readonly #kept = new Map<string, StoredResponse & { readonly bytes: number }>();
  #bytes = 0;

  add(stored: StoredResponse): void {
    const bytes = JSON.stringify(stored).length;
    this.#kept.set(stored.id, { ...stored, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= mostStored && this.#bytes <= mostStoredBytes) break;
      this.delete(oldest);
    }
  }

  get(id: string): StoredResponse | undefined {
    return this.#kept.get(id);
  }

  delete(id: string): void {
    this.#bytes -= this.#kept.get(id)?.bytes ?? 0;
    this.#kept.delete(id);
  }

  findItem(id: string): JsonObject | undefined {
    for (const { items } of this.#kept.values()) {
      const found = items.find((item) => item["id"] === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
