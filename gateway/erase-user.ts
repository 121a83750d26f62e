import type { JobQueue } from "../memory/job-queue.ts";
import type { SessionLedger } from "../memory/ledger.ts";
import type { Owner } from "../memory/memory.ts";
import type { MemoryStore } from "../memory/memory-store.ts";
import type { ResponseStore } from "./responses/response-store.ts";
import type { VendorStateStore } from "./state/vendor-states.ts";

export type EraseParts = {
  /** Memory's own way, which waits for its running jobs; absent while memory is switched off. */
  readonly memory: { erase(owner: Owner): Promise<number> } | undefined;
  readonly store: Pick<MemoryStore, "erase">;
  readonly queue: Pick<JobQueue, "erase">;
  readonly ledger: Pick<SessionLedger, "erase">;
  readonly vendorStates: Pick<VendorStateStore, "erase">;
  readonly responses: Pick<ResponseStore, "erase">;
};

/** Removes everything kept of a user, memory switched off or not. Resolves with how many memories there were. */
export type EraseUser = (owner: Owner) => Promise<number>;

export function createEraseUser({ memory, store, queue, ledger, vendorStates, responses }: EraseParts): EraseUser {
  return async (owner) => {
    await vendorStates.erase({ tenant: owner.tenant, kind: "user", name: owner.user });
    await responses.erase(owner);
    if (memory !== undefined) return memory.erase(owner);
    // What was remembered before memory was switched off is still in the file.
    await queue.erase(owner);
    const count = await store.erase(owner);
    await ledger.erase(owner);
    return count;
  };
}
