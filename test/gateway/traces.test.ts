import { afterAll, beforeAll, expect, it } from "vitest";
import { type TestGateway, startGateway } from "../support/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway({
    env: { WEB_KEY: "web", ANN_KEY: "ann", BOB_KEY: "bob" },
    yaml: `keys:
  - { name: web, key: env:WEB_KEY, tenant: acme }
  - { name: ann, key: env:ANN_KEY, tenant: acme, user: ann }
  - { name: bob, key: env:BOB_KEY, tenant: other }
`,
  });
});
afterAll(async () => {
  await gateway.close();
});

const as = (key: string, user = "") => ({ authorization: `Bearer ${key}`, "x-throughline-user": user });

async function traceOf(headers: Readonly<Record<string, string>>): Promise<string> {
  const body = { model: "gpt-6-luna", messages: [{ role: "user", content: "Hello." }] };
  const response = await gateway.fetch("/v1/chat/completions", { headers, body });
  await response.text();
  return response.headers.get("x-throughline-trace") ?? "";
}

const statusOf = async (trace: string, key: string) =>
  (await gateway.fetch(`/v1/traces/${trace}`, { headers: as(key) })).status;

it("a trace is shown to its tenant, and of a bound key's tenant only the user's own", async () => {
  const ofCarl = await traceOf(as("web", "carl"));
  const ofAnn = await traceOf(as("ann"));
  expect(await Promise.all(["web", "ann", "bob"].map((key) => statusOf(ofCarl, key)))).toEqual([200, 404, 404]);
  expect(await Promise.all(["web", "ann", "bob"].map((key) => statusOf(ofAnn, key)))).toEqual([200, 200, 404]);
});
