import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";

const script = join(import.meta.dirname, "openai_client.py");
/** `PYTHON` names an interpreter that has the package, where the plain `python3` has it not. */
const python = process.env["PYTHON"] ?? "python3";
const missing = missingPackage();
const run = promisify(execFile);

function missingPackage(): string | false {
  try {
    execFileSync(python, ["-c", "import openai, pydantic"], { stdio: "ignore", timeout: 30_000 });
    return false;
  } catch {
    return `skipped: ${python} has no openai package (pip install openai, or name another interpreter with PYTHON)`;
  }
}

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({ yaml: "memory: { enabled: false }\n" });
});
afterAll(async () => {
  await gateway.close();
});

describe("OpenAI's Python package", () => {
  it.for(["openai/gpt-6-luna", "anthropic/claude-haiku-5-5", "google/gemini-3.8-flash"])(
    "chats, streams, calls tools, parses and continues with %s",
    { timeout: 60_000 },
    async (model, { skip }) => {
      skip(missing !== false, missing === false ? undefined : missing);
      const ran = await run(python, [script, `${gateway.origin}/v1`, model], { timeout: 50_000 }).catch(
        (error: unknown) => error as { readonly stdout: string; readonly stderr: string },
      );
      const lines = ran.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { readonly check: string; readonly ok: boolean; readonly detail: string });
      expect(lines.filter((line) => !line.ok)).toEqual([]);
      expect(lines).toHaveLength(11);
    },
  );
});
