import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import type { AnswerFrame } from "../../../router/provider.ts";
import type { AnswerInfo, WholeEncoder } from "../dialect.ts";
import { type FinishedResponse, type FinishingEncoder, PassedStates } from "./finished.ts";
import { ItemWriter } from "./item-writer.ts";
import { wantsEncryptedReasoning } from "./parse.ts";
import { conformResponse } from "./raw-events.ts";
import { begunResponse, endedResponse, stateFields } from "./response-body.ts";

/**
 * Feeds on frames, ends as a `response`. A whole answer of the same protocol is passed on byte for byte unless it says
 * something of its state that is not so here.
 */
export class WholeResponse implements WholeEncoder, FinishingEncoder {
  readonly #info: AnswerInfo;
  readonly #body: JsonObject;
  readonly #items: ItemWriter;
  readonly #passed = new PassedStates();
  #raw: string | undefined;
  #finished: FinishedResponse | undefined;

  /** `body` is what the client sent, before anything was put in front of it. */
  constructor(info: AnswerInfo, body: JsonObject) {
    this.#info = info;
    this.#body = body;
    this.#items = new ItemWriter({ trace: info.trace, sealsState: wantsEncryptedReasoning(body) });
  }

  push(frame: AnswerFrame): void {
    if (this.#info.passThrough && frame.raw !== undefined) {
      this.#raw = frame.raw;
      this.#passed.push(frame);
      return;
    }
    for (const event of frame.events) this.#items.step(event);
  }

  finished(): FinishedResponse {
    this.#finished ??= this.#raw === undefined ? this.#written() : this.#conformed(this.#raw);
    return this.#finished;
  }

  end(): string {
    const { response } = this.finished();
    // `#conformed` forgets the bytes that no longer hold.
    return this.#raw ?? JSON.stringify(response);
  }

  #written(): FinishedResponse {
    this.#items.finish();
    const begun = begunResponse(this.#info, this.#body, this.#items.model);
    return { response: endedResponse(begun, this.#items), states: this.#items.states };
  }

  #conformed(raw: string): FinishedResponse {
    const parsed: JsonValue = JSON.parse(raw);
    const vendors = isJsonObject(parsed) ? parsed : {};
    const defaults = begunResponse(this.#info, this.#body, undefined);
    const response = conformResponse(vendors, stateFields(this.#body), defaults);
    if (response !== vendors) this.#raw = undefined;
    return { response, states: this.#passed.byPlace(response["output"]) };
  }
}
