import type { VendorState } from "../../../router/chat.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import type { AnswerFrame } from "../../../router/provider.ts";

/** An answer as it is kept: the object the client got, and the states of its output by place. */
export type FinishedResponse = {
  readonly response: JsonObject;
  readonly states: ReadonlyMap<number, VendorState>;
};

/** An encoder whose answer can be kept. Complete once every frame was pushed. */
export interface FinishingEncoder {
  finished(): FinishedResponse;
}

/** The credentials that encrypted reasoning of a passed-through answer is bound to, by the item's id. */
export class PassedStates {
  readonly #byId = new Map<string, VendorState>();

  push(frame: AnswerFrame): void {
    for (const event of frame.events) {
      if (event.type !== "thinking-end" || event.state === undefined || !isJsonObject(event.state.value)) continue;
      const { id } = event.state.value;
      if (typeof id === "string") this.#byId.set(id, event.state);
    }
  }

  byPlace(output: JsonValue | undefined): ReadonlyMap<number, VendorState> {
    const states = new Map<number, VendorState>();
    if (!Array.isArray(output)) return states;
    for (const [place, item] of output.entries()) {
      const state = isJsonObject(item) && typeof item["id"] === "string" ? this.#byId.get(item["id"]) : undefined;
      if (state !== undefined) states.set(place, state);
    }
    return states;
  }
}
