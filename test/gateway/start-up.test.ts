import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { openDatabase } from "../../memory/sqlite/database.ts";
import { startGatewayProcess } from "../demo/gateway-process.ts";
import { newDirectory, removeDirectory } from "../support/gateway.ts";
import { runGateway } from "../support/run-gateway.ts";

// A process start takes a second of a free core, and many on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const directories: string[] = [];
afterAll(() => {
  directories.forEach(removeDirectory);
});

function directory(): string {
  const made = newDirectory();
  directories.push(made);
  return made;
}

/** A start that fails: ended with 1, in a few lines that a person can act on. */
async function complaint(env: Readonly<Record<string, string>>): Promise<string> {
  const { code, output } = await runGateway({ THROUGHLINE_DATA: directory(), ...env });
  if (code !== 1) throw new Error(`The gateway ended with ${code}: ${output}`);
  if (/^\s+at /mu.test(output)) throw new Error(`It shows a stack: ${output}`);
  if (output.trim().split("\n").length > 6) throw new Error(`It says too much: ${output}`);
  return output;
}

describe("without any key, on a directory that does not exist yet", () => {
  it("serves on loopback, says what a person wants to know, and ends with 0", async () => {
    const fresh = join(directory(), "a", "b");
    const gateway = await startGatewayProcess({ THROUGHLINE_DATA: fresh });
    const said = gateway.output();
    expect(gateway.origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/u);
    for (const word of [
      /sandbox/u,
      /OPENAI_API_KEY/u,
      /throughline\.sqlite/u,
      /policy\s+balanced/u,
      /\/metrics/u,
      /keys\s+none/u,
    ])
      expect(said).toMatch(word);
    expect(said.split("\n").length).toBeLessThan(12);
    expect((await fetch(`${gateway.origin}/readyz`)).status).toBe(200);
    expect(existsSync(join(fresh, "throughline.sqlite"))).toBe(true);
    expect(await gateway.stop("SIGINT")).toBe(0);
  });
});

describe("with some vendor keys", () => {
  it("says which vendors are in use and what the others want", async () => {
    const gateway = await startGatewayProcess({
      THROUGHLINE_DATA: directory(),
      ANTHROPIC_API_KEY: "never-called-canary",
      ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
    });
    const said = gateway.output();
    await gateway.stop();
    expect(said).toMatch(/vendors\s+anthropic .*OPENAI_API_KEY.*GEMINI_API_KEY/u);
    expect(said).not.toMatch(/sandbox|canary/u);
  });
});

describe("a start that cannot be", () => {
  it("because the port is taken says so, and leaves the one who has it alone", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => {
      holder.listen(0, "127.0.0.1", resolve);
    });
    const address = holder.address();
    const port = typeof address === "object" && address !== null ? String(address.port) : "";
    expect(await complaint({ PORT: port })).toMatch(new RegExp(`port.*${port}.*taken.*PORT=`, "iu"));
    expect(holder.listening).toBe(true);
    holder.close();
  });

  it("because the database is damaged says which file, and does not touch it", async () => {
    const data = directory();
    const file = join(data, "throughline.sqlite");
    writeFileSync(file, "this is no database, and it is longer than a header of a hundred bytes ".repeat(20));
    const before = readFileSync(file);
    expect(await complaint({ THROUGHLINE_DATA: data })).toContain(file);
    expect(readFileSync(file)).toEqual(before);
  });

  it("because pages of the database are damaged says which file, and does not touch it", async () => {
    const data = directory();
    const file = join(data, "throughline.sqlite");
    openDatabase(file).close();
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 4_096, 12_288);
    writeFileSync(file, bytes);
    expect(await complaint({ THROUGHLINE_DATA: data })).toContain(file);
    expect(readFileSync(file)).toEqual(bytes);
  });

  it("because the data directory is a file says what to do", async () => {
    const file = join(directory(), "file");
    writeFileSync(file, "");
    expect(await complaint({ THROUGHLINE_DATA: file })).toMatch(/data directory.*file/u);
  });

  it.skipIf(process.getuid?.() === 0)("because the data directory may not be written says what to do", async () => {
    const locked = join(directory(), "locked");
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    expect(await complaint({ THROUGHLINE_DATA: locked })).toMatch(/data directory.*locked.*access/u);
  });

  it("because of a mistake in the YAML names file, line, column and the nearest word", async () => {
    const file = join(directory(), "my.yaml");
    writeFileSync(file, "policies:\n  mine:\n    objektive: cheapest\n");
    const said = await complaint({ THROUGHLINE_CONFIG: file });
    expect(said).toContain(`${file}:3:5: `);
    expect(said).toMatch(/objektive.*did you mean "objective"/u);
  });

  it("because others could reach it without a key says how to protect it", async () => {
    expect(await complaint({ HOST: "0.0.0.0" })).toMatch(/0\.0\.0\.0.*keys.*127\.0\.0\.1/u);
  });

  it("because HOST is no address of this machine says so", async () => {
    expect(await complaint({ HOST: "127.0.0.1.nowhere.invalid" })).toMatch(/HOST/u);
  });
});
