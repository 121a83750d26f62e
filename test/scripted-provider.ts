import { setTimeout as wait } from "node:timers/promises";
import type { ChatEvent } from "../router/chat.ts";
import type { GatewayError } from "../router/errors.ts";
import type { AnswerFrame, Provider, ProviderCall } from "../router/provider.ts";

/** What a scripted host does with one call: fail before any event, or send these frames, failing or hanging in between. */
export type Script = GatewayError | readonly ScriptStep[];
export type ScriptStep = ChatEvent | GatewayError | "hang" | AnswerFrame;

export type ScriptedProvider = Provider & {
  readonly calls: readonly ProviderCall[];
  /** Answers whose iteration was ended early, or whose signal was aborted. */
  readonly cancelled: number;
};

export const says = (text: string): ChatEvent => ({ type: "text-delta", text });
export const starts: ChatEvent = { type: "start", id: "r1" };
export const finishes: ChatEvent = { type: "finish", reason: "stop", rawReason: "stop" };

/** A host that follows a script, one entry per call, the last one again for further calls. */
export function scriptedProvider(id: string, scripts: readonly Script[]): ScriptedProvider {
  const calls: ProviderCall[] = [];
  let cancelled = 0;

  async function* run(steps: readonly ScriptStep[], call: ProviderCall): AsyncGenerator<AnswerFrame> {
    let ended = false;
    try {
      for (const step of steps) {
        if (step === "hang") await hang(call.signal);
        else if (step instanceof Error) throw step;
        else yield "type" in step ? { events: [step], raw: JSON.stringify(step) } : step;
      }
      ended = true;
    } finally {
      if (!ended) cancelled += 1;
    }
  }

  return {
    id,
    calls,
    get cancelled() {
      return cancelled;
    },
    async chat(call) {
      const script = scripts[Math.min(calls.length, scripts.length - 1)] ?? [];
      calls.push(call);
      if (script instanceof Error) throw script;
      return {
        protocol: "openai-chat",
        headers: { "x-request-id": `${id}-${calls.length}` },
        frames: run(script, call),
      };
    },
  };
}

/** Longer than any test: ends by the signal alone. */
async function hang(signal: AbortSignal): Promise<void> {
  try {
    await wait(60_000, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
