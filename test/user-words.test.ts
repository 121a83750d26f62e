import { describe, expect, it } from "vitest";

import { userWords } from "../router/user-words.ts";

describe("what a coding agent wrote around the user's words is left out", () => {
  it.each([
    ["a reminder", "<system-reminder>\nToday is Monday.\n</system-reminder>\nfix the login test", "fix the login test"],
    [
      "the state of the machine",
      "<environment_context>\n  <cwd>/repo</cwd>\n</environment_context>\n\nrun the tests",
      "run the tests",
    ],
    ["a tag with attributes", '<ide_opened_file path="a.ts">text</ide_opened_file> explain this', "explain this"],
    [
      "the agent's name",
      "You are Claude Code, Anthropic's official CLI for Claude.\nadd a changelog",
      "add a changelog",
    ],
    ["an interruption", "[Request interrupted by user for tool use]\ntry npm ci instead", "try npm ci instead"],
    [
      "what an editor opened",
      "# Context from my IDE setup:\n## Open tabs:\n- a.ts\n\n## My request for Codex:\nrename the flag",
      "rename the flag",
    ],
    [
      "everything but the query",
      "<additional_data>files</additional_data>\n<user_query>\nwhy is it slow?\n</user_query>",
      "why is it slow?",
    ],
    [
      "the wrapping of a task",
      "<task>\nport it to Go\n</task>\n<environment_details>\nopen: a.ts\n</environment_details>",
      "port it to Go",
    ],
    ["several reminders", "<system-reminder>a</system-reminder>one<system-reminder>b</system-reminder> two", "one two"],
  ])("%s", (_name, text, expected) => {
    expect(userWords(text)).toBe(expected);
  });

  it("and nothing is left when the user wrote nothing", () => {
    expect(userWords("<system-reminder>The file changed.</system-reminder>")).toBe("");
  });
});

describe("the user's own words stay", () => {
  it.each([
    "What does <div class='a'>hello</div> mean?",
    "What is a <system-reminder> tag good for?",
    "Say [hello] # to Claude",
    "Why is List<String> not List<Object>?",
    "a < b and b > c",
  ])("%s", (text) => {
    expect(userWords(text)).toBe(text);
  });
});

it("takes linear time with tags that never close", () => {
  const hostile = "<system-reminder><environment_context>".repeat(26_000);
  const start = performance.now();
  expect(userWords(hostile)).toBe(hostile);
  expect(performance.now() - start).toBeLessThan(2000);
});
