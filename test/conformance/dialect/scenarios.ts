import { expect } from "vitest";
import type { JsonObject } from "../../../router/json.ts";
import type { Seen } from "./answer.ts";
import { type Ask, answered, type AskTool, type DialectName, say, type Turn } from "./ask.ts";
import { partsOf, type Received, textsOf } from "./received.ts";
import type { VendorRow } from "./world.ts";

/** Where a scenario is played: one client dialect, one vendor wire, whole or streamed. */
export type Stage = { readonly dialect: DialectName; readonly vendor: VendorRow; readonly stream: boolean };

export type Outcome = Stage & { readonly seen: Seen; readonly received: Received };

export type Step = {
  /** What the client sends, given what it was answered so far. */
  readonly ask: Ask | ((before: readonly Seen[]) => Ask);
  /** `thinking`: the vendor's model that thinks whenever it likes. */
  readonly model?: "usual" | "thinking";
  /** Goes to another vendor than the one the scenario is about. */
  readonly elsewhere?: boolean;
  readonly check: (outcome: Outcome) => void;
  /** 200 unless the step says otherwise. */
  readonly status?: number | readonly number[];
  /** Why this step alone cannot be taken there. */
  readonly skip?: (stage: Stage) => string | undefined;
};

export type Scenario = {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Why it cannot be played there. */
  readonly skip?: (stage: Stage) => string | undefined;
  /**
   * Where the client's own body goes to its own vendor as it is, and the vendor has something against it: the client
   * hears so, in its dialect, with the vendor's words.
   */
  readonly refused?: (stage: Stage) => boolean;
};

/** One red pixel, and the shortest thing that begins like a PDF. */
export const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const pdf = Buffer.from("%PDF-1.4\n%%EOF\n").toString("base64");

const weather: AskTool = {
  name: "get_weather",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};
const clock: AskTool = { name: "current_time", parameters: { type: "object", properties: {} } };
const bothCities = say("Use get_weather for Paris and Berlin.");

const warningsOf = (seen: Seen): string => seen.headers.get("x-throughline-warnings") ?? "";
const argumentsOf = (seen: Seen): unknown[] => seen.calls.map((call) => JSON.parse(call.arguments) as unknown);
const echo = (seen: Seen | undefined): Turn => ({ role: "echo", items: seen?.echo ?? [] });
const resultsFor = (seen: Seen | undefined, texts: readonly string[]): Turn => ({
  role: "results",
  results: (seen?.calls ?? []).map(({ id }, index) => ({ id, text: texts[index] ?? "nothing" })),
});

const text: Scenario = {
  name: "text",
  steps: [
    {
      ask: { system: "The office is in Lyon.", turns: [say("Where is the office?")] },
      check: ({ seen, received }) => {
        expect(seen.text).toContain("The office is in Lyon.");
        expect(seen.finish).toBe("stop");
        expect(textsOf(received, "system")).toEqual(["The office is in Lyon."]);
        expect(textsOf(received, "user")).toEqual(["Where is the office?"]);
      },
    },
  ],
};

const empty: Scenario = {
  name: "an empty message, an empty answer in the history",
  steps: [
    {
      ask: { turns: [say("Good day."), answered(""), say("")] },
      check: ({ seen }) => expect(seen.finish).toBe("stop"),
    },
  ],
  refused: ({ dialect, vendor }) => dialect === "anthropic-messages" && sameWire(dialect, vendor),
};

const unicode: Scenario = {
  name: "unicode",
  steps: [
    {
      ask: { turns: [say("My cat is called Ünïcødé 猫 👩‍👩‍👧 \u202eabc\u202c. What is my cat called?")] },
      check: ({ seen, received }) => {
        expect(textsOf(received, "user").join("")).toContain("Ünïcødé 猫 👩‍👩‍👧 \u202eabc\u202c");
        expect(seen.text).toContain("Ünïcødé 猫 👩‍👩‍👧");
      },
    },
  ],
};

const surrogates: Scenario = {
  name: "half a surrogate pair",
  steps: [
    {
      ask: {
        system: "Cut \ud83d here.",
        turns: [say("One \ud83d half and \udc4d another."), answered("Cut \ud83d"), say("Go on.")],
      },
      check: ({ seen, received }) => {
        expect(seen.finish).toBe("stop");
        expect(JSON.stringify(received.body)).not.toMatch(/\\ud[89a-f]/i);
        expect(textsOf(received, "user").join(" ")).toContain("half and");
      },
    },
  ],
};

const image: Scenario = {
  name: "an image",
  steps: [
    {
      ask: { turns: [{ role: "user", parts: [{ text: "What is this?" }, { image: pixel, mediaType: "image/png" }] }] },
      check: ({ seen, received }) => {
        expect(partsOf(received, "image")).toEqual([{ kind: "image", role: "user", data: pixel }]);
        expect(textsOf(received, "user")).toEqual(["What is this?"]);
        expect(seen.text).toContain("image/png");
      },
    },
  ],
};

const imageUrl: Scenario = {
  name: "an image by its address",
  steps: [
    {
      ask: { turns: [{ role: "user", parts: [{ text: "And this?" }, { imageUrl: "https://example.com/cat.png" }] }] },
      check: ({ seen, received }) => {
        expect(partsOf(received, "image").map((part) => part.data)).toEqual(["https://example.com/cat.png"]);
        expect(seen.finish).toBe("stop");
      },
    },
  ],
};

const document: Scenario = {
  name: "a PDF",
  steps: [
    {
      ask: { turns: [{ role: "user", parts: [{ pdf, name: "report.pdf" }, { text: "Read it." }] }] },
      check: ({ seen, received }) => {
        expect(partsOf(received, "file").map((part) => part.data)).toEqual([pdf]);
        expect(seen.text).toContain("application/pdf");
      },
    },
  ],
};

const multiTurn: Scenario = {
  name: "several turns",
  steps: [
    {
      ask: {
        system: "Be brief.",
        turns: [
          say("My name is Ada."),
          answered("Hello Ada."),
          say("I live in Lyon."),
          answered("Noted."),
          say("Where do I live?"),
        ],
      },
      check: ({ seen, received }) => {
        expect(seen.text).toContain("I live in Lyon.");
        expect(textsOf(received, "user")).toEqual(["My name is Ada.", "I live in Lyon.", "Where do I live?"]);
        expect(textsOf(received, "assistant")).toEqual(["Hello Ada.", "Noted."]);
      },
    },
    {
      ask: (before) => ({ turns: [say("Where do I live?"), echo(before[0]), say("I like tea.")] }),
      check: ({ received, seen }) => {
        expect(textsOf(received, "assistant").join("")).toContain("I live in Lyon.");
        expect(seen.text).toContain("I like tea.");
      },
    },
  ],
};

const toolLoop: Scenario = {
  name: "a tool round trip",
  steps: [
    {
      ask: { turns: [say("Use get_weather for Paris.")], tools: [weather] },
      check: ({ seen, received }) => {
        expect(seen.finish).toBe("tool-calls");
        expect(seen.calls.map((call) => call.name)).toEqual(["get_weather"]);
        expect(argumentsOf(seen)).toEqual([{ city: "Paris" }]);
        expect(received.tools).toContain("get_weather");
        expect(received.toolSchemas[received.tools.indexOf("get_weather")]).toMatchObject({
          properties: { city: { type: "string" } },
        });
      },
    },
    {
      ask: (before) => ({
        turns: [say("Use get_weather for Paris."), echo(before[0]), resultsFor(before[0], ["sunny, 21 degrees"])],
        tools: [weather],
      }),
      check: ({ seen, received }) => {
        expect(seen.finish).toBe("stop");
        expect(seen.text).toContain("sunny, 21 degrees");
        expect(partsOf(received, "call").map(({ name, arguments: args }) => [name, args])).toEqual([
          ["get_weather", { city: "Paris" }],
        ]);
        expect(partsOf(received, "result").map((part) => part.text)).toEqual(["sunny, 21 degrees"]);
      },
    },
  ],
};

const parallelTools: Scenario = {
  name: "parallel tools",
  steps: [
    {
      ask: { turns: [bothCities], tools: [weather] },
      check: ({ seen }) => {
        expect(argumentsOf(seen)).toEqual([{ city: "Paris" }, { city: "Berlin" }]);
        expect(new Set(seen.calls.map((call) => call.id)).size).toBe(2);
      },
    },
    {
      ask: (before) => ({
        turns: [bothCities, echo(before[0]), resultsFor(before[0], ["sunny in Paris", "rain in Berlin"])],
        tools: [weather],
      }),
      check: ({ seen, received }) => {
        expect(seen.text).toMatch(/sunny in Paris.*rain in Berlin/u);
        const ids = partsOf(received, "call").map((part) => part.id);
        expect(partsOf(received, "result").map((part) => [part.id, part.text])).toEqual([
          [ids[0], "sunny in Paris"],
          [ids[1], "rain in Berlin"],
        ]);
      },
    },
  ],
};

const oneAtATime: Scenario = {
  name: "no parallel tools",
  steps: [
    {
      ask: { turns: [bothCities], tools: [weather], parallel: false },
      check: ({ seen, vendor }) => {
        if (vendor.sandbox === "gemini") expect(warningsOf(seen)).toMatch(/parallel_tool_calls/);
        else expect(seen.calls).toHaveLength(1);
      },
    },
  ],
};

const forcedTool: Scenario = {
  name: "a forced tool",
  steps: [
    {
      ask: { turns: [say("I am on my way to Rome.")], tools: [weather, clock], toolChoice: { tool: "get_weather" } },
      check: ({ seen }) => {
        expect(seen.calls.map((call) => call.name)).toEqual(["get_weather"]);
        expect(seen.finish).toBe("tool-calls");
      },
    },
    {
      ask: { turns: [say("Use get_weather for Rome.")], tools: [weather], toolChoice: "none" },
      check: ({ seen }) => expect(seen.calls).toEqual([]),
    },
  ],
};

const noArguments: Scenario = {
  name: "a tool without arguments",
  steps: [
    {
      ask: { turns: [say("Call current_time.")], tools: [clock] },
      check: ({ seen }) => {
        expect(seen.calls.map((call) => call.name)).toEqual(["current_time"]);
        expect(argumentsOf(seen)).toEqual([{}]);
      },
    },
    {
      ask: {
        turns: [
          say("Call current_time."),
          { role: "assistant", calls: [{ id: "call_1", name: "current_time", arguments: "" }] },
          { role: "results", results: [{ id: "call_1", text: "noon" }] },
        ],
        tools: [clock],
      },
      check: ({ seen, received }) => {
        expect(partsOf(received, "call").map((part) => part.arguments)).toEqual([{}]);
        expect(seen.text).toContain("noon");
      },
    },
  ],
};

const imageResult: Scenario = {
  name: "a tool result with an image",
  steps: [
    {
      ask: {
        turns: [
          say("Call take_photo."),
          {
            role: "assistant",
            calls: [
              { id: "call_1", name: "take_photo", arguments: "{}" },
              { id: "call_2", name: "take_photo", arguments: "{}" },
            ],
          },
          {
            role: "results",
            results: [
              { id: "call_1", text: "the first", image: pixel },
              { id: "call_2", text: "the second" },
            ],
          },
        ],
        tools: [{ name: "take_photo", parameters: { type: "object", properties: {} } }],
      },
      check: ({ seen, received }) => {
        expect(seen.finish).toBe("stop");
        const results = partsOf(received, "result");
        expect(results.map((part) => part.text)).toEqual(["the first", "the second"]);
        // Inside its result where the wire allows it, else after all the results.
        const inside = results.flatMap((part) => part.images);
        const after = partsOf(received, "image").map((part) => part.data);
        expect([...inside, ...after]).toEqual([pixel]);
      },
    },
  ],
};

const failedTool: Scenario = {
  name: "a tool that failed",
  steps: [
    {
      ask: {
        turns: [
          say("Call current_time."),
          { role: "assistant", calls: [{ id: "call_1", name: "current_time", arguments: "{}" }] },
          { role: "results", results: [{ id: "call_1", text: "the clock is broken", isError: true }] },
        ],
        tools: [clock],
      },
      check: ({ seen, received, vendor }) => {
        const [result] = partsOf(received, "result");
        if (vendor.sandbox === "openai") expect(result?.text).toBe("Error: the clock is broken");
        else expect(result).toMatchObject({ text: "the clock is broken", isError: true });
        expect(seen.text).toContain("the clock is broken");
      },
    },
  ],
  skip: ({ dialect }) =>
    dialect === "anthropic-messages" ? undefined : "the dialect has no field that says a tool failed",
};

const orphanCalls: Scenario = {
  name: "calls nobody answered",
  steps: [
    {
      ask: {
        turns: [
          say("Call current_time and get_weather."),
          {
            role: "assistant",
            text: "Let me see.",
            calls: [
              { id: "call_1", name: "current_time", arguments: "{}" },
              { id: "call_2", name: "get_weather", arguments: '{"city":"Rome"}' },
            ],
          },
          { role: "results", results: [{ id: "call_1", text: "noon" }] },
          say("Never mind the weather. I like tea."),
        ],
        tools: [weather, clock],
      },
      check: ({ seen, received }) => {
        expect(seen.finish).toBe("stop");
        const results = partsOf(received, "result");
        expect(results.map((part) => part.text)).toEqual(["noon", "No result provided"]);
        expect(warningsOf(seen)).toMatch(/result/);
      },
    },
  ],
  refused: ({ dialect, vendor }) => sameWire(dialect, vendor),
};

const orphanResults: Scenario = {
  name: "a result for a call nobody made",
  steps: [
    {
      ask: {
        turns: [say("Good day."), { role: "results", results: [{ id: "call_9", text: "stray" }] }, say("I like tea.")],
        tools: [weather],
      },
      status: [200, 400],
      check: ({ seen }) => {
        // Left out with a warning, or a clear 400 where the vendor needs the function's name.
        if (seen.status === 200) expect(warningsOf(seen)).toMatch(/result/);
        else {
          expect(seen.status).toBe(400);
          expect(seen.error?.message).toMatch(/call_9|tool/);
        }
      },
    },
  ],
};

const consecutive: Scenario = {
  name: "consecutive roles",
  steps: [
    {
      ask: {
        turns: [
          answered("I greet you."),
          say("I like tea."),
          say("I like cake."),
          answered("Good."),
          answered("Very good."),
          say("What do I like?"),
        ],
      },
      check: ({ seen, received }) => {
        expect(seen.finish).toBe("stop");
        expect(textsOf(received, "assistant").join("")).toBe("I greet you.Good.Very good.");
        expect(textsOf(received, "user").filter((said) => said.startsWith("I like"))).toEqual([
          "I like tea.",
          "I like cake.",
        ]);
      },
    },
  ],
  refused: ({ dialect, vendor }) => dialect === "anthropic-messages" && sameWire(dialect, vendor),
};

const midSystem: Scenario = {
  name: "a system message in the middle",
  steps: [
    {
      ask: {
        system: "Be kind.",
        turns: [
          say("Good day."),
          answered("Hello."),
          say("I like tea."),
          { role: "system", text: "The office is in Lyon." },
          say("Where is the office?"),
        ],
      },
      check: ({ seen, received }) => {
        expect(seen.text).toContain("The office is in Lyon.");
        // Hoisting it would change what it means and throw away the cached prefix.
        const at = received.parts.findIndex(
          (part) => part.kind === "text" && part.text.includes("The office is in Lyon."),
        );
        const before = received.parts.findIndex((part) => part.kind === "text" && part.text.includes("I like tea."));
        expect(at).toBeGreaterThan(before);
      },
    },
  ],
};

const harness: Scenario = {
  name: "the billing line of a coding harness",
  steps: [
    {
      ask: {
        system: "x-anthropic-billing-header: cc_version=2.1; cch=4f1;\nThe office is in Lyon.",
        turns: [say("Where is the office?")],
      },
      check: ({ seen, received, vendor }) => {
        expect(seen.text).toContain("The office is in Lyon.");
        const reached = JSON.stringify(received.body).includes("billing-header");
        expect(reached).toBe(vendor.sandbox === "anthropic");
      },
    },
  ],
  skip: ({ dialect }) => (dialect === "anthropic-messages" ? undefined : "such a harness speaks Anthropic's dialect"),
};

const person: JsonObject = {
  type: "object",
  properties: {
    name: { type: "string" },
    home: { $ref: "#/$defs/place" },
    contact: { anyOf: [{ type: "string" }, { type: "null" }] },
  },
  required: ["name", "home", "contact"],
  additionalProperties: false,
  $defs: {
    place: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};

const schema: Scenario = {
  name: "a JSON schema with $ref and anyOf",
  steps: [
    {
      ask: { turns: [say("My name is Ada. My city is Lisbon. Fill in the form.")], schema: person },
      check: ({ seen, received }) => {
        const value = JSON.parse(seen.text) as JsonObject;
        expect(Object.keys(value)).toEqual(["name", "home", "contact"]);
        expect(value).toMatchObject({ home: { city: "Lisbon" } });
        expect(JSON.stringify(received.schema)).toContain("$ref");
        expect(JSON.stringify(received.schema)).toContain("anyOf");
        expect(Object.keys((received.schema as JsonObject)["properties"] as JsonObject)).toEqual([
          "name",
          "home",
          "contact",
        ]);
      },
    },
  ],
};

const refusal: Scenario = {
  name: "a refusal",
  steps: [
    {
      ask: { turns: [say("[[sandbox:refuse=true]] Do something bad.")] },
      check: ({ seen, vendor, dialect }) => {
        const spoken = vendor.sandbox === "openai" && dialect !== "anthropic-messages";
        // OpenAI refuses in words and then just stops; the others say so by the reason they stopped.
        if (!spoken) expect(seen.finish).toBe("content-filter");
        if (vendor.sandbox === "openai") expect(seen.refusal).toContain("I was told to refuse this.");
      },
    },
  ],
};

const length: Scenario = {
  name: "the token limit",
  steps: [
    {
      ask: { turns: [say("[[sandbox:words=400]] Count.")], maxTokens: 90 },
      check: ({ seen, received }) => {
        expect(seen.finish).toBe("length");
        expect(received.maxTokens).toBe(90);
      },
    },
  ],
};

const stop: Scenario = {
  name: "a stop sequence",
  steps: [
    {
      ask: { turns: [say("[[sandbox:words=40]] Count.")], stop: ["word7 "] },
      check: ({ seen, received, vendor }) => {
        const taken = vendor.sandbox !== "openai" || vendor.model.startsWith("local/");
        if (taken) {
          expect(received.stop).toEqual(["word7 "]);
          expect(seen.text).toMatch(/word6\s*$/);
          expect(seen.finish).toBe("stop");
        } else {
          expect(received.stop).toEqual([]);
          expect(warningsOf(seen)).toMatch(/stop/);
        }
      },
    },
  ],
  skip: ({ dialect }) => (dialect === "openai-responses" ? "the dialect has no stop sequences" : undefined),
};

const effort: Scenario = {
  name: "an effort",
  steps: [
    {
      ask: { turns: [say("I have three apples.")], effort: "high" },
      check: ({ seen, received, vendor }) => {
        if (vendor.model.startsWith("local/")) expect(warningsOf(seen)).toMatch(/reasoning/);
        else expect(received.effort).toBe("high");
        expect(seen.finish).toBe("stop");
      },
    },
    {
      ask: { turns: [say("I have four apples.")], effort: "minimal" },
      skip: ({ dialect }) =>
        dialect === "anthropic-messages" ? "no effort of Anthropic's, and the dialect is Anthropic's" : undefined,
      check: ({ seen, received, vendor }) => {
        // The nearest the model has, and a word about it.
        if (vendor.sandbox === "gemini" || vendor.sandbox === "anthropic") {
          expect(received.effort).not.toBe("minimal");
          expect(warningsOf(seen)).toMatch(/minimal/);
        }
      },
    },
  ],
};

const thinking: Scenario = {
  name: "thinking, and its signature in a tool loop",
  steps: [
    {
      model: "thinking",
      ask: { turns: [bothCities], tools: [weather], effort: "high", showThinking: true },
      check: ({ seen }) => expect(argumentsOf(seen)).toEqual([{ city: "Paris" }, { city: "Berlin" }]),
    },
    {
      model: "thinking",
      ask: (before) => ({
        turns: [bothCities, echo(before[0]), resultsFor(before[0], ["sunny", "rain"])],
        tools: [weather],
        effort: "high",
        showThinking: true,
      }),
      check: ({ seen, received, vendor }) => {
        expect(seen.text).toMatch(/sunny.*rain/);
        const body = JSON.stringify(received.body);
        if (vendor.sandbox === "anthropic") {
          expect(partsOf(received, "thinking").map((part) => part.signed)).toEqual([true]);
        }
        // Gemini signs the first call of a group; a made-up signature would show here.
        if (vendor.sandbox === "gemini") {
          expect(body).toMatch(/"thoughtSignature":"[A-Za-z0-9+/=_-]{20,}/);
          expect(body).not.toContain("skip_thought_signature_validator");
        }
        if (vendor.path.test("/v1/responses")) {
          expect(partsOf(received, "thinking").map((part) => part.signed)).toEqual([true]);
        }
      },
    },
  ],
  skip: thinkless,
};

const shownThinking: Scenario = {
  name: "thinking that is shown",
  steps: [
    {
      model: "thinking",
      ask: { turns: [say("I have three apples. How many apples do I have?")], effort: "high", showThinking: true },
      check: ({ seen }) => {
        expect(seen.thinking).toContain("[sandbox]");
        expect(seen.text).toContain("[sandbox]");
        expect(seen.text).not.toContain("I look for a sentence");
      },
    },
  ],
  skip: ({ vendor, dialect }) =>
    dialect === "openai-chat" ? "the dialect cannot ask for thinking to be shown" : thinkless({ vendor, dialect }),
};

const long = "The archive holds many old letters about ships and harbours. ".repeat(60);

const cacheMarks: Scenario = {
  name: "cache markers",
  steps: [
    {
      ask: {
        turns: [
          {
            role: "user",
            parts: [
              { text: long, cache: "1h" },
              { text: "I like tea.", cache: "5m" },
            ],
          },
        ],
      },
      check: ({ received, vendor, seen }) => {
        expect(seen.finish).toBe("stop");
        const marks = received.parts.flatMap((part) => (part.kind === "text" ? [part.ttl] : []));
        if (vendor.sandbox === "anthropic") expect(marks).toEqual(["1h", "5m"]);
        else expect(marks.filter((ttl) => ttl !== undefined)).toEqual([]);
      },
    },
  ],
  skip: ({ dialect }) => (dialect === "openai-responses" ? "the dialect has no cache markers" : undefined),
};

const usage: Scenario = {
  name: "usage, a cached prompt included",
  steps: [0, 1].map((round) => ({
    ask: { system: long, turns: [{ role: "user", parts: [{ text: `${long} I like tea.`, cache: "5m" as const }] }] },
    check: (outcome: Outcome) => checkUsage(outcome, round),
  })),
};

const handOver: Scenario = {
  name: "a conversation handed over in the middle of a tool loop, and back",
  steps: [
    {
      model: "thinking",
      ask: { turns: [bothCities], tools: [weather], effort: "high", showThinking: true },
      check: ({ seen }) => expect(seen.calls).toHaveLength(2),
    },
    {
      elsewhere: true,
      model: "thinking",
      ask: (before) => ({
        turns: [bothCities, echo(before[0]), resultsFor(before[0], ["sunny", "rain"])],
        tools: [weather],
        effort: "high",
        showThinking: true,
      }),
      check: ({ seen, received }) => {
        expect(seen.text).toMatch(/sunny.*rain/);
        // What the other vendor signed is none of this one's business.
        expect(partsOf(received, "thinking")).toEqual([]);
      },
    },
    {
      model: "thinking",
      ask: (before) => ({
        turns: [
          bothCities,
          echo(before[0]),
          resultsFor(before[0], ["sunny", "rain"]),
          echo(before[1]),
          say("I like rain. What do I like?"),
        ],
        tools: [weather],
        effort: "high",
        showThinking: true,
      }),
      check: ({ seen, received }) => {
        expect(seen.text).toContain("I like rain");
        expect(partsOf(received, "result").map((part) => part.text)).toEqual(["sunny", "rain"]);
      },
    },
  ],
  skip: (stage) => (stage.vendor.model.startsWith("local/") ? undefined : thinkless(stage)),
};

const overflow: Scenario = {
  name: "a prompt that is too long",
  steps: [
    {
      ask: { turns: [say("[[sandbox:fail=context]] Read all of this.")] },
      status: 400,
      check: ({ seen, dialect }) => {
        expect(seen.error?.message).toMatch(/context|too long|tokens|window/i);
        if (dialect === "anthropic-messages") expect(seen.error?.type).toBe("invalid_request_error");
        else expect(seen.error?.code).toBe("context_length_exceeded");
      },
    },
  ],
};

const failures: Scenario = {
  name: "a vendor that fails",
  steps: (
    [
      ["429", [429]],
      // A quota that is used up is the gateway's bill to pay where the vendor says so.
      ["quota", [429, 502]],
      ["500", [502]],
      ["529", [503]],
      // Half an answer comes to light at once, or in the middle of its stream.
      ["malformed", [502, 200]],
      ["html", [502, 503]],
      ["empty", [502]],
      ["200-error", [429, 500, 502, 503]],
      ["cut", [502]],
    ] as const
  ).map(([mode, status]) => ({
    ask: { turns: [say(`[[sandbox:fail=${mode}]] Good day.`)] },
    status,
    check: checkFailure,
  })),
};

const lateFailure: Scenario = {
  name: "a stream that fails after it began",
  steps: (["500", "cut"] as const).map((mode) => ({
    ask: { turns: [say(`[[sandbox:fail=${mode} after=8 event_delay_ms=10 words=60]] Count.`)] },
    check: checkLateFailure,
  })),
  skip: ({ stream }) => (stream ? undefined : "a whole answer fails before it begins"),
};

export const scenarios: readonly Scenario[] = [
  text,
  empty,
  unicode,
  surrogates,
  image,
  imageUrl,
  document,
  multiTurn,
  toolLoop,
  parallelTools,
  oneAtATime,
  forcedTool,
  noArguments,
  imageResult,
  failedTool,
  orphanCalls,
  orphanResults,
  consecutive,
  midSystem,
  harness,
  schema,
  refusal,
  length,
  stop,
  effort,
  thinking,
  shownThinking,
  cacheMarks,
  usage,
  handOver,
  overflow,
  failures,
  lateFailure,
];

function checkUsage({ seen, vendor, dialect }: Outcome, round: number): void {
  const { input = 0, cached = 0, output = 0 } = seen.usage ?? {};
  // Four bytes are a token at the sandbox, and everything that went in counts, cached or not.
  expect(input).toBeGreaterThan((long.length * 2) / 4);
  expect(input).toBeLessThan((long.length * 2) / 4 + 400);
  expect(output).toBeGreaterThan(0);
  const marked = vendor.sandbox !== "anthropic" || dialect !== "openai-responses";
  if (round === 1 && marked) expect(cached).toBeGreaterThan(500);
  expect(cached).toBeLessThanOrEqual(input);
}

function checkFailure({ seen }: Outcome): void {
  expect(seen.error?.message ?? "").not.toBe("");
  expect(`${seen.error?.type}${seen.error?.code}`).not.toBe("");
}

/** The status is sent, so the stream itself says what became of it. */
function checkLateFailure({ seen }: Outcome): void {
  expect(seen.status).toBe(200);
  expect(seen.error?.message ?? "").not.toBe("");
}

function thinkless({ vendor, dialect }: Pick<Stage, "vendor" | "dialect">): string | undefined {
  if (vendor.model.startsWith("local/")) return "the host's model does not think";
  return dialect === "anthropic-messages" && vendor.name === "OpenAI over Chat Completions"
    ? "a client that wants to see thinking gets OpenAI's Responses, which shows it"
    : undefined;
}

/** The client's dialect is the vendor's own wire. */
function sameWire(dialect: DialectName, vendor: VendorRow): boolean {
  if (dialect === "anthropic-messages") return vendor.sandbox === "anthropic";
  if (dialect === "openai-responses") return vendor.path.test("/v1/responses");
  return vendor.path.test("/v1/chat/completions");
}
