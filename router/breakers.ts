import type { BreakerOptions, BreakerState } from "./breaker.ts";
import { Breaker } from "./breaker.ts";
import type { FailureCode } from "./errors.ts";
import { failures } from "./errors.ts";
import { modelKey } from "./model-key.ts";
import type { Model } from "./model.ts";

/** A model's health: its own breaker, and its host's, which all models of the host share. */
export type Health = Pick<Breaker, "admit" | "succeed" | "release" | "fail" | "stateAt">;

export type Breakers = {
  of(model: Model): Health;
  /** Reads without remembering the model. */
  stateOf(model: Model, now: number): BreakerState;
  /** Every model that has been asked, and every host as `provider/*`. */
  states(now: number): readonly { readonly model: string; readonly state: BreakerState }[];
};

/** Breakers of names that clients made up (snapshots, users' adapters) are forgotten past this many. */
const maxBreakers = 2_000;

/** Breakers for every model that is asked. */
export function createBreakers(options: BreakerOptions): Breakers {
  const breakers = new Map<string, Breaker>();

  function breaker(name: string): Breaker {
    const existing = breakers.get(name);
    if (existing !== undefined) return existing;
    if (breakers.size >= maxBreakers) breakers.clear();
    const created = new Breaker(options);
    breakers.set(name, created);
    return created;
  }

  return {
    of: (model) => joined(breaker(modelKey(model)), breaker(hostKey(model))),
    stateOf(model, now) {
      const own = breakers.get(modelKey(model))?.stateAt(now) ?? "closed";
      const host = breakers.get(hostKey(model))?.stateAt(now) ?? "closed";
      return worse(own, host);
    },
    states: (now) => [...breakers].map(([model, one]) => ({ model, state: one.stateAt(now) })),
  };
}

/** Does this failure lie with the host and its key, so that its other models will fail alike? */
export function isHostFailure(code: FailureCode): boolean {
  return code === "provider_auth" || code === "provider_billing" || code === "unreachable";
}

function hostKey(model: Model): string {
  return `${model.provider}/*`;
}

function joined(own: Breaker, host: Breaker): Health {
  return {
    stateAt: (now) => worse(own.stateAt(now), host.stateAt(now)),
    admit(now) {
      if (!host.admit(now)) return false;
      if (own.admit(now)) return true;
      host.release();
      return false;
    },
    succeed() {
      own.succeed();
      host.succeed();
    },
    release() {
      own.release();
      host.release();
    },
    fail(code, now, retryAfterMs) {
      if (isHostFailure(code)) {
        own.release();
        host.fail(code, now, retryAfterMs);
        return;
      }
      own.fail(code, now, retryAfterMs);
      // Whatever the model answered, its host did answer; a timeout or a refusal of ours says nothing about it.
      if (failures[code].retry === "same") host.succeed();
      else host.release();
    },
  };
}

function worse(a: BreakerState, b: BreakerState): BreakerState {
  if (a === "open" || b === "open") return "open";
  return a === "half-open" || b === "half-open" ? "half-open" : "closed";
}
