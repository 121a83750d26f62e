import {
  type Arbitrary,
  array,
  boolean,
  constant,
  constantFrom,
  jsonValue,
  nat,
  oneof,
  option,
  record,
  string,
  tuple,
} from "fast-check";
import type { ChatEvent, FinishReason } from "../../router/chat.ts";
import { noUsage, type Usage } from "../../router/usage.ts";

/** How many runs a property gets: `PROPERTY_RUNS` sets the large ones, so that a default run stays quick. */
export function runs(byDefault: number): number {
  const asked = Number(process.env["PROPERTY_RUNS"] ?? "");
  return Number.isInteger(asked) && asked > 0 ? asked : byDefault;
}

/** Text as models write it, and as nobody should: every script, control characters, quotes, line ends. */
export const words: Arbitrary<string> = oneof(
  string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
  constantFrom("\n\n", 'data: {"x":1}', "[DONE]", "\r\n", "\u2028", '"\\', "👩‍👩‍👧", "</memory>", "event: error\n"),
);

export const usage: Arbitrary<Usage> = tuple(nat(5_000), nat(5_000), nat(500), nat(500), nat(5_000)).map(
  ([inputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens, outputTokens]) =>
    Object.assign({}, noUsage, {
      inputTokens,
      cacheReadTokens,
      cacheWrite5mTokens,
      cacheWrite1hTokens,
      outputTokens,
      reasoningTokens: Math.floor(outputTokens / 2),
    }),
);

type Segment =
  | { readonly kind: "text" | "thinking"; readonly pieces: readonly string[] }
  | { readonly kind: "call"; readonly name: string; readonly json: string; readonly cuts: readonly number[] };

const pieces = array(words, { minLength: 1, maxLength: 4 });
const call: Arbitrary<Segment> = record({
  kind: constant("call" as const),
  name: constantFrom("get_weather", "a", "Tool-9_x"),
  json: oneof(
    constant(""),
    record({ city: words, more: jsonValue({ maxDepth: 2 }) }).map((value) => JSON.stringify(value)),
  ),
  cuts: array(nat(60), { maxLength: 4 }),
});
const segment: Arbitrary<Segment> = oneof(
  record({ kind: constantFrom("text" as const, "thinking" as const), pieces }),
  call,
);

/**
 * Any answer our contract allows of one choice: thinking, words and calls in any order and cut anywhere, a refusal, usage
 * or none, one finish.
 */
export const answers: Arbitrary<readonly ChatEvent[]> = record({
  head: record({ id: option(constantFrom("msg_1", "chatcmpl-9"), { nil: undefined }) }),
  segments: array(segment, { maxLength: 6 }),
  refusal: option(pieces, { nil: undefined, freq: 6 }),
  counts: option(usage, { nil: undefined }),
  reason: constantFrom<FinishReason>("stop", "length", "content-filter"),
  warned: boolean(),
}).map(({ head, segments, refusal, counts, reason, warned }) => {
  const events: ChatEvent[] = [head.id === undefined ? { type: "start" } : { type: "start", id: head.id, model: "m" }];
  let index = 0;
  for (const one of segments) {
    if (one.kind === "call") {
      events.push(...callEvents(one, index));
      index += 1;
    } else if (one.kind === "text") events.push(...one.pieces.map((text): ChatEvent => ({ type: "text-delta", text })));
    else {
      events.push(...one.pieces.map((text): ChatEvent => ({ type: "thinking-delta", text })));
      events.push({ type: "thinking-end" });
    }
  }
  if (warned) events.push({ type: "warning", warning: "something" });
  if (refusal !== undefined) events.push(...refusal.map((text): ChatEvent => ({ type: "refusal-delta", text })));
  if (counts !== undefined) events.push({ type: "usage", usage: counts });
  const known = index > 0 && reason === "stop" ? "tool-calls" : reason;
  events.push({ type: "finish", reason: known, rawReason: "" });
  return events;
});

function callEvents({ name, json, cuts }: Extract<Segment, { kind: "call" }>, index: number): ChatEvent[] {
  const edges = [0, ...cuts.filter((cut) => cut < json.length).toSorted((a, b) => a - b), json.length];
  return [
    { type: "tool-call-start", index, id: `call_${index}`, name },
    ...edges
      .slice(1)
      .map((end, place): ChatEvent => ({ type: "tool-call-delta", index, arguments: json.slice(edges[place], end) })),
    { type: "tool-call-end", index },
  ];
}
