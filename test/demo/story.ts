import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";

export type Answered = { readonly text: string; readonly header: (name: string) => string };

export type Turn = {
  readonly do: "say";
  readonly model: string;
  readonly user?: string;
  readonly messages: readonly ChatCompletionMessageParam[];
  readonly headers?: Readonly<Record<string, string>>;
  /** What is not as it must be; empty when all is well. */
  readonly expect: (answered: Answered) => readonly string[];
};

export type Step = Turn | { readonly do: "restart" } | { readonly do: "forget"; readonly query: string };

const gpt = "openai/gpt-6-luna";
const claude = "anthropic/claude-haiku-5-5";
const gemini = "google/gemini-3.8-flash";

/** The story: told to one vendor, asked of the others; a changed fact, a forgotten one, a restart, a vendor that fails. */
export function createStory(): readonly Step[] {
  return [
    say(gpt, "My name is Ada. I live in Lisbon and my dog is called Pixel.", answeredBy("openai")),
    say(claude, "Where do I live?", answeredBy("anthropic"), holds("Lisbon"), usesMemory),
    say(gemini, "What is my dog called?", answeredBy("google"), holds("Pixel"), usesMemory),
    say(claude, "Please always answer in metric units.", answeredBy("anthropic")),
    say(gpt, "Which units should you answer in?", holds("metric"), usesMemory),
    { ...say(claude, "Where do I live?", lacks("Lisbon"), header("memory", "miss")), user: "bob" },
    {
      ...say(gpt, "Where do I live?", lacks("Lisbon"), header("memory", "off")),
      headers: { "x-throughline-memory": "off" },
    },
    say(gemini, "I moved to Porto last week.", answeredBy("google")),
    say(gpt, "Where do I live?", holds("Porto"), lacks("Lisbon"), usesMemory),
    { do: "forget", query: "Pixel" },
    say(claude, "What is my dog called?", lacks("Pixel")),
    { do: "restart" },
    say(claude, "Where do I live?", holds("Porto"), usesMemory),
    say("auto", "Write a Python function that merges two sorted lists, with tests.", header("class", "coding")),
    say(
      "auto",
      "Translate into German: the train leaves at noon. [[sandbox:fail=500 vendor=anthropic times=3]] [[sandbox:fail=529 vendor=openai times=3]]",
      fellBack,
    ),
    {
      ...say(gpt, ""),
      messages: [
        { role: "user", content: "I am planning a trip to Kyoto in April." },
        { role: "assistant", content: "Lovely. What would you like to see?" },
        { role: "user", content: "Where am I planning a trip to in April?" },
      ],
      expect: (answered) => holds("Kyoto")(answered),
    },
  ];
}

type Expectation = (answered: Answered) => readonly string[];

function say(model: string, content: string, ...expectations: readonly Expectation[]): Turn {
  return {
    do: "say",
    model,
    messages: [{ role: "user", content }],
    expect: (answered) => expectations.flatMap((expectation) => expectation(answered)),
  };
}

function holds(word: string): Expectation {
  return ({ text }) => (text.includes(word) ? [] : [`the answer should hold '${word}'`]);
}

function lacks(word: string): Expectation {
  return ({ text }) => (text.includes(word) ? [`the answer should not hold '${word}'`] : []);
}

function header(name: string, value: string): Expectation {
  return (answered) =>
    answered.header(name) === value
      ? []
      : [`x-throughline-${name} should be '${value}', not '${answered.header(name)}'`];
}

function answeredBy(provider: string): Expectation {
  return (answered) =>
    answered.header("model").startsWith(`${provider}/`)
      ? []
      : [`${provider} should have answered, not ${answered.header("model")}`];
}

const usesMemory: Expectation = (answered) =>
  /^hit;n=\d+$/.test(answered.header("memory")) ? [] : [`memory should be a hit, not '${answered.header("memory")}'`];

const fellBack: Expectation = (answered) =>
  Number(answered.header("attempts")) > 1 ? [] : ["a vendor that fails should have cost more than one attempt"];
