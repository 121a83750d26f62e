import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { isJsonObject } from "../../router/json.ts";

/**
 * What only a vendor can make and read again: Anthropic's thinking signatures, Gemini's thought signatures, OpenAI's
 * encrypted reasoning. Here it is base64 of the sealed fields and a MAC over them, the same for the same input, so that
 * a sandbox can verify what an earlier process signed. The key is public: the seal proves "unchanged", not "secret".
 */
const sealKey = "throughline sandbox";

export type Seal = Readonly<Record<string, string>>;

export function makeSeal(fields: Seal): string {
  const body = JSON.stringify(fields);
  return Buffer.from(`sandbox.${macOf(body)}.${body}`).toString("base64");
}

/** The sealed fields, or undefined when the sandbox did not make it or it was altered. */
export function openSeal(text: string): Seal | undefined {
  const [mark, mac, ...rest] = Buffer.from(text, "base64").toString("utf8").split(".");
  const body = rest.join(".");
  if (mark !== "sandbox" || mac === undefined) return undefined;
  const expected = Buffer.from(macOf(body));
  const given = Buffer.from(mac);
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
  const fields: unknown = JSON.parse(body);
  if (!isJsonObject(fields)) return undefined;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === "string" ? value : ""]),
  );
}

export function digest(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\u0000");
  return hash.digest("hex").slice(0, 24);
}

function macOf(body: string): string {
  return createHmac("sha256", sealKey).update(body).digest("base64url").slice(0, 22);
}
