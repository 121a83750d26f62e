import type { ChatEvent } from "../../../router/chat.ts";
import type { GatewayError } from "../../../router/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../../router/json.ts";
import type { AnswerFrame } from "../../../router/provider.ts";
import type { AnswerInfo, StreamEncoder } from "../dialect.ts";
import { openAiErrorBody } from "../openai-error.ts";
import { type FinishedResponse, type FinishingEncoder, PassedStates } from "./finished.ts";
import { type ItemEvent, ItemWriter } from "./item-writer.ts";
import { wantsEncryptedReasoning } from "./parse.ts";
import { conformResponse, rawSequence, rawType, withField } from "./raw-events.ts";
import { begunResponse, endedResponse, failedResponse, stateFields } from "./response-body.ts";

/**
 * Writes the events of a response: created → in_progress → (item added → its parts and deltas → item done)* →
 * completed | incomplete | failed, numbered from 0. Events of the same protocol pass through byte for byte, but for
 * those that hold a response object which says something that is not so here. The terminal event is held back until
 * `end`: by then the answer is kept, and whoever reads it may continue it at once.
 */
export class ResponseStreamEncoder implements StreamEncoder, FinishingEncoder {
  readonly #info: AnswerInfo;
  readonly #body: JsonObject;
  readonly #items: ItemWriter;
  readonly #passed = new PassedStates();
  /** Items that passed through, by place: some hosts leave them out of their terminal event. */
  readonly #passedItems: JsonObject[] = [];
  /** The name of the function whose call passes through. */
  #openName: JsonValue | undefined;
  #sequence = 0;
  #begun: JsonObject | undefined;
  /** The vendor's own terminal event, conformed. */
  #terminal: { readonly type: string; readonly raw: string; readonly response: JsonObject } | undefined;
  #finished: FinishedResponse | undefined;
  #closing = "";

  /** `body` is what the client sent, before anything was put in front of it. */
  constructor(info: AnswerInfo, body: JsonObject) {
    this.#info = info;
    this.#body = body;
    this.#items = new ItemWriter({ trace: info.trace, sealsState: wantsEncryptedReasoning(body) });
  }

  push(frame: AnswerFrame): string {
    if (this.#info.passThrough && frame.raw !== undefined) return this.#pass(frame.raw, frame);
    let text = "";
    for (const event of frame.events) text += this.#translate(event);
    return text;
  }

  finished(): FinishedResponse {
    this.#finished ??= this.#terminal === undefined ? this.#write() : this.#conformed(this.#terminal.response);
    return this.#finished;
  }

  end(): string {
    const { response } = this.finished();
    if (this.#terminal !== undefined) return `event: ${this.#terminal.type}\ndata: ${this.#terminal.raw}\n\n`;
    const type = response["status"] === "incomplete" ? "response.incomplete" : "response.completed";
    return this.#closing + this.#event({ type, response });
  }

  fail(error: GatewayError): string {
    const opening = this.#begin();
    const { error: body } = openAiErrorBody(error);
    const { code, message, param } = isJsonObject(body) ? body : {};
    // Flat as the schema has it, and nested as OpenAI's servers send it.
    const event = this.#event({
      type: "error",
      code: code ?? null,
      message: message ?? "",
      param: param ?? null,
      error: body,
    });
    const failed = failedResponse(this.#begun ?? this.#base(), error);
    return (
      opening + event + this.#event({ type: "response.failed", response: { ...failed, output: this.#items.output } })
    );
  }

  #translate(event: ChatEvent): string {
    const events = this.#items.step(event);
    // The start names the model and a warning says nothing: the first words of the answer open the response.
    const opening = event.type === "start" || event.type === "warning" ? "" : this.#begin();
    return opening + events.map((written) => this.#event(written)).join("");
  }

  #begin(): string {
    if (this.#begun !== undefined) return "";
    const response = this.#base();
    this.#begun = response;
    return (
      this.#event({ type: "response.created", response }) + this.#event({ type: "response.in_progress", response })
    );
  }

  #base(): JsonObject {
    return begunResponse(this.#info, this.#body, this.#items.model);
  }

  #write(): FinishedResponse {
    this.#closing = this.#begin();
    for (const event of this.#items.finish()) this.#closing += this.#event(event);
    const response = endedResponse(this.#begun ?? this.#base(), this.#items);
    return { response, states: this.#items.states };
  }

  #pass(raw: string, frame: AnswerFrame): string {
    this.#passed.push(frame);
    const type = rawType(raw);
    const number = rawSequence(raw);
    const numbered = number === undefined ? withField(raw, "sequence_number", this.#sequence) : raw;
    this.#sequence = (number ?? this.#sequence) + 1;
    switch (type) {
      case "response.created":
      case "response.queued":
      case "response.in_progress": {
        const passed = this.#conform(numbered);
        this.#begun = passed.response;
        return `event: ${type}\ndata: ${passed.raw}\n\n`;
      }
      case "response.completed":
      case "response.incomplete":
      case "response.cancelled":
        this.#terminal = { type, ...this.#conform(numbered) };
        return "";
      default:
        return `event: ${type}\ndata: ${this.#complete(type, numbered)}\n\n`;
    }
  }

  /** The event with what hosts of older versions of this protocol leave out and its clients require. */
  #complete(type: string, raw: string): string {
    switch (type) {
      case "response.output_item.added":
        this.#openName = itemIn(raw)["name"];
        return raw;
      case "response.output_item.done":
        this.#passedItems.push(itemIn(raw));
        return raw;
      case "response.output_text.delta":
      case "response.output_text.done":
        return withField(raw, "logprobs", []);
      case "response.function_call_arguments.done":
        return withField(raw, "name", this.#openName ?? "");
      default:
        return raw;
    }
  }

  #conform(raw: string): { readonly raw: string; readonly response: JsonObject } {
    const value: JsonValue = JSON.parse(raw);
    const event = isJsonObject(value) ? value : {};
    const vendors = isJsonObject(event["response"]) ? event["response"] : {};
    const { output } = vendors;
    // A response that ends without the items it has sent would be kept and read back without them.
    const lost = this.#passedItems.length > 0 && (!Array.isArray(output) || output.length === 0);
    const fixed = { ...stateFields(this.#body), ...(lost ? { output: this.#passedItems } : {}) };
    const response = conformResponse(vendors, fixed, this.#base());
    return { raw: response === vendors ? raw : JSON.stringify({ ...event, response }), response };
  }

  #conformed(response: JsonObject): FinishedResponse {
    return { response, states: this.#passed.byPlace(response["output"]) };
  }

  #event(event: ItemEvent): string {
    const { type, ...rest } = event;
    const text = JSON.stringify({ type, sequence_number: this.#sequence, ...rest });
    this.#sequence += 1;
    return `event: ${type}\ndata: ${text}\n\n`;
  }
}

function itemIn(raw: string): JsonObject {
  const value: JsonValue = JSON.parse(raw);
  return isJsonObject(value) && isJsonObject(value["item"]) ? value["item"] : {};
}
