import type { Owner } from "./memory.ts";

/** One thing at a time per owner within this process: erasing waits for a running job, and a job for an erasure. */
export type OwnerLocks = {
  run<T>(owner: Owner, work: () => Promise<T>): Promise<T>;
};

export function createOwnerLocks(): OwnerLocks {
  const last = new Map<string, Promise<unknown>>();
  return {
    async run(owner, work) {
      const key = JSON.stringify([owner.tenant, owner.user]);
      const before = last.get(key) ?? Promise.resolve();
      // How the work before ended is its own caller's matter.
      const mine = before.then(work, work);
      last.set(key, mine);
      try {
        return await mine;
      } finally {
        if (last.get(key) === mine) last.delete(key);
      }
    },
  };
}
