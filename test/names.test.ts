import { describe, expect, it } from "vitest";
import { GatewayError } from "../router/errors.ts";
import { modelName } from "../router/model.ts";
import type { NamesOptions } from "../router/names.ts";
import { createNames } from "../router/names.ts";
import { nearest } from "../router/nearest.ts";
import { aModel } from "./route-parts.ts";

const models = [
  aModel("openai/gpt-6-sol", 2, 0.9),
  aModel("anthropic/claude-opus-5-5", 4, 0.93),
  aModel("google/gemini-3.8-flash", 0.75, 0.87),
  aModel("local/gpt-6-sol", 0, 0.9),
];

function names(change: Partial<NamesOptions> = {}) {
  return createNames({
    models,
    isConfigured: (provider) => provider !== "anthropic",
    aliases: {},
    policies: ["balanced", "cheap"],
    missingProviders: new Map([["anthropic", "set ANTHROPIC_API_KEY"]]),
    providerSynonyms: { gemini: "google" },
    ...change,
  });
}

function modelsOf(name: string, change?: Partial<NamesOptions>) {
  const resolution = names(change).resolve(name);
  return resolution.kind === "models" ? resolution.models.map(modelName) : resolution;
}

function failure(name: string, change?: Partial<NamesOptions>): GatewayError {
  try {
    names(change).resolve(name);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error(`${name} was resolved`);
}

describe("a model's name", () => {
  it.each([
    ["auto", { kind: "auto" }],
    ["auto:cheap", { kind: "auto", policy: "cheap" }],
    ["throughline/auto", { kind: "auto" }],
    ["openai/gpt-6-sol", ["openai/gpt-6-sol"]],
    ["gemini-3.8-flash", ["google/gemini-3.8-flash"]],
    ["gemini/gemini-3.8-flash", ["google/gemini-3.8-flash"]],
  ])("%s is understood", (name, expected) => {
    expect(modelsOf(name)).toEqual(expected);
  });

  it("without a provider means every host of it, in the order of the catalogue", () => {
    expect(modelsOf("gpt-6-sol")).toEqual(["openai/gpt-6-sol", "local/gpt-6-sol"]);
  });

  it("with a date is a snapshot: sent as asked, with the facts of its family", () => {
    expect(modelsOf("gemini-3.8-flash-20260902")).toEqual(["google/gemini-3.8-flash-20260902"]);
    expect(modelsOf("openai/gpt-6-sol-2026-09-22")).toEqual(["openai/gpt-6-sol-2026-09-22"]);
  });

  it.each(["constructor", "__proto__", "toString", ""])("%j is nothing special", (name) => {
    expect(failure(name).code).toBe("unknown_model");
  });
});

describe("an unknown name", () => {
  it("answers 404 and names what is near", () => {
    const error = failure("gpt-6-soll");
    expect(error.status).toBe(404);
    expect(error.param).toBe("model");
    expect(error.message).toContain('did you mean "gpt-6-sol"');
  });

  it("is found near a policy too", () => {
    expect(failure("auto:cheep").message).toContain('"auto:cheap"');
  });

  it("of a vendor without a key says which variable to set", () => {
    const error = failure("claude-opus-5-5");
    expect(error.code).toBe("unknown_model");
    expect(error.message).toContain("ANTHROPIC_API_KEY");
    expect(failure("anthropic/claude-opus-5-5").message).toContain("ANTHROPIC_API_KEY");
  });

  it("is cut short in the message when a client sends a novel", () => {
    expect(failure("x".repeat(100_000)).message.length).toBeLessThan(400);
  });
});

describe("an alias", () => {
  it("stands for a model, a policy, another alias or a list", () => {
    const aliases = { a: ["gemini-3.8-flash"], b: ["a", "openai/gpt-6-sol"], c: ["auto:cheap"] };
    expect(modelsOf("a", { aliases })).toEqual(["google/gemini-3.8-flash"]);
    expect(modelsOf("b", { aliases })).toEqual(["google/gemini-3.8-flash", "openai/gpt-6-sol"]);
    expect(modelsOf("c", { aliases })).toEqual({ kind: "auto", policy: "cheap" });
  });

  it("may carry a model's name to give it fallbacks", () => {
    const aliases = { "gpt-6-sol": ["openai/gpt-6-sol", "gemini-3.8-flash"] };
    expect(modelsOf("gpt-6-sol", { aliases })).toEqual(["openai/gpt-6-sol", "google/gemini-3.8-flash"]);
  });

  it("leaves out models of vendors without a key, and is an error when none is left", () => {
    expect(modelsOf("x", { aliases: { x: ["claude-opus-5-5", "gemini-3.8-flash"] } })).toEqual([
      "google/gemini-3.8-flash",
    ]);
    expect(failure("x", { aliases: { x: ["claude-opus-5-5"] } }).message).toContain("ANTHROPIC_API_KEY");
  });

  it("that leads back to itself is refused before any request", () => {
    expect(() => names({ aliases: { a: ["b"], b: ["a"] } })).toThrow(/a → b → a/);
  });
});

describe("the list of names", () => {
  it("holds what can be asked for and nothing else", () => {
    const { all } = names({ aliases: { quick: ["gemini-3.8-flash"], lost: ["claude-opus-5-5"] } });
    expect(all).toEqual([
      "auto",
      "auto:balanced",
      "auto:cheap",
      "gpt-6-sol",
      "gemini-3.8-flash",
      "openai/gpt-6-sol",
      "google/gemini-3.8-flash",
      "local/gpt-6-sol",
      "quick",
    ]);
  });
});

describe("the nearest word", () => {
  it.each([
    ["objctive", "objective"],
    ["teh", "the"],
    ["OBJECTIVE", "objective"],
    ["gpt-6", "gpt-6-sol"],
  ])("of %s is %s", (word, expected) => {
    expect(nearest(word, ["objective", "the", "gpt-6-sol", "unrelated"])[0]).toBe(expected);
  });

  it("is nothing when nothing is near", () => {
    expect(nearest("zzzzzz", ["objective", "prefer"])).toEqual([]);
  });
});
