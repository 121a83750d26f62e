import { describe, expect, it } from "vitest";
import { describeError } from "../gateway/log.ts";
import { GatewayError } from "../router/errors.ts";

const words = "canary-of-the-prompt";

function thrownBy(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

describe("a logged error", () => {
  it("leaves out what the vendor said, which likes to quote the prompt", () => {
    const error = new GatewayError("invalid_request", `openai failed (400): Invalid value: '${words}:\n at x'`, {
      vendor: { status: 400, code: "invalid_value" },
    });
    const logged = describeError(error);
    expect(JSON.stringify(logged)).not.toMatch(/canary|at x/u);
    expect(logged).toMatchObject({
      name: "GatewayError",
      message: "openai failed (400)",
      code: "invalid_request",
      vendor: { status: 400, code: "invalid_value" },
      stack: expect.stringContaining("log.test.ts"),
    });
  });

  it("leaves out the text that was no JSON, also of its cause", () => {
    const cause = thrownBy(() => JSON.parse(`${words} {`));
    expect(JSON.stringify(describeError(cause))).not.toContain(words);
    expect(JSON.stringify(describeError(new Error("not read", { cause })))).not.toContain(words);
  });

  it("says of our own errors what was wrong and where", () => {
    expect(describeError(new Error("The disk is full."))).toMatchObject({
      name: "Error",
      message: "The disk is full.",
      stack: expect.stringContaining("log.test.ts"),
    });
  });
});
