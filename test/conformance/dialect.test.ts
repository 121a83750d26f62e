import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { RecordedRequest } from "../../gateway/sandbox/vendor-server.ts";
import type { Seen } from "./dialect/answer.ts";
import { bodyIn, type DialectName, dialectPaths, dialects, say } from "./dialect/ask.ts";
import { scenarios, type Scenario, type Stage, type Step } from "./dialect/scenarios.ts";
import { exchange, startWorld, vendorRows, type VendorRow, withNeeds, type World } from "./dialect/world.ts";

let world: World;

/** Plays a scenario step by step, each with what the client was answered before. Returns how many steps it took. */
async function play(scenario: Scenario, stage: Stage): Promise<number> {
  const before: Seen[] = [];
  if (scenario.refused?.(stage) === true) return playRefused(scenario, stage);
  for (const step of scenario.steps) {
    if (step.skip?.(stage) === undefined) before.push(await playStep(step, stage, before));
  }
  return before.length;
}

async function playRefused({ steps: [first] }: Scenario, { dialect, vendor, stream }: Stage): Promise<number> {
  if (first === undefined || typeof first.ask === "function") throw new Error("There is nothing to refuse.");
  const { seen } = await exchange(world, dialect, { model: vendor.model, ask: withNeeds(first.ask, vendor), stream });
  expect(seen.status).toBe(400);
  expect(seen.error?.message).toMatch(/failed \(400\): ./);
  expect(seen.faults).toEqual([]);
  return 1;
}

async function playStep(step: Step, stage: Stage, before: readonly Seen[]): Promise<Seen> {
  const vendor = step.elsewhere === true ? elsewhere(stage.vendor) : stage.vendor;
  const model = step.model === "thinking" ? vendor.thinkingModel : vendor.model;
  const asked = typeof step.ask === "function" ? step.ask(before) : step.ask;
  const happened = await exchange(world, stage.dialect, { model, ask: withNeeds(asked, vendor), stream: stage.stream });
  const { seen } = happened;
  const told = { status: seen.status, message: seen.error?.message };
  const allowed = [step.status ?? 200].flat();
  // The message is there to be read when this fails.
  expect(allowed.includes(seen.status) ? allowed : told).toEqual(allowed);
  expect(seen.faults).toEqual([]);
  step.check({
    ...stage,
    vendor,
    seen,
    get received() {
      expect(happened.request.path.split("?")[0]).toMatch(vendor.path);
      return happened.received;
    },
  });
  return seen;
}

/** The vendor a conversation goes to in its middle: one of another kind. */
function elsewhere(vendor: VendorRow): VendorRow {
  const other = vendorRows.find((row) => row.name === (vendor.sandbox === "anthropic" ? "Google" : "Anthropic"));
  if (other === undefined) throw new Error("There is no other vendor.");
  return other;
}

const pairs = dialects.flatMap((dialect) => vendorRows.map((vendor) => ({ dialect, vendor })));

describe.each(pairs)("$dialect to $vendor.name", ({ dialect, vendor }) => {
  // A world of its own for each pair: breakers that failures open, and caches that prompts warm, are no other pair's.
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(async () => {
    await world.close();
  });

  it.for(casesOf(dialect, vendor))("$title", async ({ scenario, stage, reason }, { skip }) => {
    skip(reason !== undefined, reason);
    expect(await play(scenario, stage)).toBeGreaterThan(0);
  });

  it.for([false, true])(
    "cancels the vendor's request when the client hangs up, streamed: %s",
    async (stream, { skip }) => {
      const reason = vendor.unreachable[dialect];
      skip(reason !== undefined, reason);
      const find = await hangUp(dialect, vendor, stream);
      await expect.poll(() => find()?.aborted, { timeout: 5_000, interval: 5 }).toBe(true);
    },
  );
});

type Case = {
  readonly title: string;
  readonly scenario: Scenario;
  readonly stage: Stage;
  /** Why it is skipped. */
  readonly reason: string | undefined;
};

function casesOf(dialect: DialectName, vendor: VendorRow): Case[] {
  return scenarios.flatMap((scenario) =>
    [false, true].map((stream): Case => {
      const stage = { dialect, vendor, stream };
      const title = `${scenario.name}, ${stream ? "streamed" : "whole"}`;
      return { title, scenario, stage, reason: vendor.unreachable[dialect] ?? scenario.skip?.(stage) };
    }),
  );
}

/** Leaves before the answer or in its middle; gives back a look at what the vendor noticed. */
async function hangUp(
  dialect: DialectName,
  vendor: VendorRow,
  stream: boolean,
): Promise<() => RecordedRequest | undefined> {
  const controller = new AbortController();
  const slow = stream ? "event_delay_ms=50 words=2000" : "fail=hang";
  const marker = `hang-up-${dialect}-${vendor.model}-${stream}`;
  const ask = withNeeds({ turns: [say(`[[sandbox:${slow}]] ${marker}`)] }, vendor);
  const body = { model: vendor.model, ...bodyIn[dialect](ask, stream) };
  const find = () => world.sandbox.requests().findLast((request) => JSON.stringify(request.body).includes(marker));
  const answer = world.gateway.fetch(dialectPaths[dialect], { body, signal: controller.signal });
  if (stream) await (await answer).body?.getReader().read();
  else await vi.waitUntil(find, { timeout: 5_000, interval: 5 });
  controller.abort();
  await answer.catch(() => undefined);
  return find;
}
