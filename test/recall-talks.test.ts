import { afterEach, describe, expect, it } from "vitest";
import { toTurns } from "../gateway/chat/conversation.ts";
import type { ChatRequest } from "../router/chat.ts";
import { anna, createKit, userTurn } from "./support/memory-kit.ts";
import type { KitOptions, MemoryKit } from "./support/memory-kit.ts";

const open: MemoryKit[] = [];

async function kitWith(options?: KitOptions): Promise<MemoryKit> {
  const kit = await createKit(options);
  open.push(kit);
  return kit;
}

afterEach(async () => {
  for (const kit of open.splice(0)) await kit.close();
});

/** One turn of a room in which several people write and no model answers. */
async function write(kit: MemoryKit, speaker: string, text: string, index: number): Promise<void> {
  await kit.memory.remember({
    scope: anna,
    session: "room",
    trace: `room ${index}`,
    model: "test/model",
    user: { ...userTurn(text, index), speaker },
    before: [],
    answer: "",
    at: new Date("2026-11-01T10:00:00Z"),
  });
  await kit.memory.idle();
}

function lines(block: string): readonly string[] {
  return block.split("\n").filter((line) => line.startsWith("- "));
}

describe("several people in one conversation", () => {
  it("keep their own facts: one's home replaces nobody else's", async () => {
    const kit = await kitWith();
    await write(kit, "Caroline", "I live in Berlin.", 0);
    await write(kit, "Melanie", "I live in Lisbon.", 1);
    const facts = await kit.all({ kinds: ["fact"] });
    expect(facts.map(({ speaker, text, status }) => `${speaker}: ${text} ${status}`).toSorted()).toEqual([
      "Caroline: I live in Berlin. active",
      "Melanie: I live in Lisbon. active",
    ]);
    await write(kit, "Caroline", "I moved to Rome.", 2);
    const now = await kit.all({ kinds: ["fact"], statuses: ["active"] });
    expect(now.map(({ text }) => text).toSorted()).toEqual(["I live in Lisbon.", "I moved to Rome."]);
  });

  it("are known by the names that the client gives its user messages", () => {
    const content = [{ type: "text" as const, text: "Hello." }];
    const messages = [
      { role: "user" as const, name: "Caroline", content },
      { role: "assistant" as const, name: "bot", content },
      { role: "user" as const, content },
    ];
    expect(toTurns({ messages } as unknown as ChatRequest).map(({ speaker }) => speaker)).toEqual([
      "Caroline",
      undefined,
      undefined,
    ]);
  });

  it("are told apart in the prompt, and whoever is named comes first", async () => {
    const kit = await kitWith();
    await write(kit, "Melanie", "Caroline told me that people relax on evenings.", 0);
    await write(kit, "Caroline", "I relax on long evenings by making pots and bowls.", 1);
    const [first] = await kit.memory.search(anna, "How does Caroline relax on evenings?", { kinds: ["episode"] });
    expect(first?.memory.speaker).toBe("Caroline");
    const block = await kit.block("other", "How does Caroline relax on evenings?");
    expect(block).toContain("Caroline");
    expect(block).not.toContain("the user said");
  });
});

describe("a question about how something went", () => {
  const topics = ["login", "database", "charts", "deployment", "tests", "documentation", "search", "billing"];

  async function longProject(options?: KitOptions): Promise<MemoryKit> {
    const kit = await kitWith(options);
    for (const [index, topic] of topics.entries()) {
      kit.at(`2026-10-${String(index + 1).padStart(2, "0")}T10:00:00Z`);
      const detail = `The ${topic} part of my budget tracker project needs care, because people rely on it daily. `;
      await kit.say("project", `I finished the ${topic} of my budget tracker project today. ${detail.repeat(3)}`, {
        index: index * 2,
      });
    }
    kit.at("2026-11-20T10:00:00Z");
    return kit;
  }

  it("is given the beginnings of many turns rather than a few turns whole, in the order of time", async () => {
    const kit = await longProject({ options: { recallTokens: 600 } });
    const overview = await kit.block("a", "In what order did I finish the parts of my budget tracker project?");
    const named = topics.filter((topic) => overview.includes(`finished the ${topic} of`));
    expect(named).toEqual(topics);
    expect(lines(overview).every((line) => line.length < 220)).toBe(true);
    const places = named.map((topic) => overview.indexOf(`finished the ${topic} of`));
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    const detail = await kit.block("b", "What about the charts of my budget tracker project needs care?");
    expect(lines(detail).some((line) => line.length > 220)).toBe(true);
  });

  it("needs no word in common when it names our conversations", async () => {
    const kit = await longProject();
    const block = await kit.block("a", "Can you list the order in which I brought up things in our conversations?");
    expect(lines(block).length).toBeGreaterThanOrEqual(topics.length);
  });
});

describe("the budget", () => {
  it("holds standing preferences and what is recalled together", async () => {
    const kit = await kitWith({ options: { recallTokens: 400, coreTokens: 200 } });
    await kit.memory.add(
      anna,
      Array.from({ length: 10 }, (_, index) => ({
        text: `Always keep rule ${index} about tone and format of answers in mind, please.`,
        kind: "procedure" as const,
      })),
    );
    await kit.memory.add(
      anna,
      Array.from({ length: 30 }, (_, index) => ({
        text: `My dog Bruno learned trick number ${index} in the park with a red ball and some cheese.`,
        kind: "episode" as const,
        session: `day ${index}`,
      })),
    );
    const prepared = await kit.request("s", "Which tricks did my dog Bruno learn in the park?");
    const kinds = prepared.recalled.map(({ via }) => via);
    expect(kinds).toContain("core");
    expect(kinds).toContain("search");
    expect(prepared.tokens).toBeLessThanOrEqual(400);
    expect(prepared.tokens).toBeGreaterThan(330);
  });

  it("is spent on two turns rather than on two pieces of one", async () => {
    const kit = await kitWith({ options: { recallTokens: 380, coreTokens: 0 } });
    const about = Array.from(
      { length: 16 },
      (_, night) => `On night ${night} my telescope showed the rings of Saturn over the garden behind the house.`,
    );
    await kit.say("one", about.join(" "), { answer: "" });
    kit.at("2026-11-21T10:00:00Z");
    const other = "It took me all afternoon to clean and to align it, and my neighbour held the torch. ";
    await kit.say("two", `My telescope needs a new mirror before I can see the rings of Saturn. ${other.repeat(3)}`, {
      answer: "",
    });
    const block = await kit.block("s", "What did I say about my telescope and the rings of Saturn in the garden?");
    expect(block).toContain("new mirror");
  });
});
