import { startSandbox, type Sandbox } from "../../../gateway/sandbox/start-sandbox.ts";
import type { RecordedRequest } from "../../../gateway/sandbox/vendor-server.ts";
import { type TestGateway, startGateway } from "../../support/gateway.ts";
import type { Seen } from "./answer.ts";
import { type Ask, bodyIn, type DialectName, dialectPaths } from "./ask.ts";
import { type Received, readReceived } from "./received.ts";
import { readSeen } from "./seen.ts";

/** A vendor's wire, and how a client reaches it through any dialect. */
export type VendorRow = {
  readonly name: string;
  readonly model: string;
  /** A model of the same vendor that thinks whenever it likes, and shows it. */
  readonly thinkingModel: string;
  readonly sandbox: "openai" | "anthropic" | "gemini";
  readonly path: RegExp;
  /** Added to every request, where the wire is only taken for such requests. */
  readonly needs: Partial<Ask>;
  /** Why a dialect never meets this wire. */
  readonly unreachable: Partial<Record<DialectName, string>>;
};

const spare = { name: "spare_tool", parameters: { type: "object", properties: {} } };

export const vendorRows: readonly VendorRow[] = [
  {
    name: "OpenAI over Chat Completions",
    model: "openai/gpt-6-luna",
    thinkingModel: "openai/gpt-6-luna",
    sandbox: "openai",
    path: /\/chat\/completions$/,
    needs: {},
    unreachable: { "openai-responses": "a client of Responses gets OpenAI's Responses" },
  },
  {
    name: "OpenAI over Responses",
    model: "openai/gpt-5.6-luna",
    thinkingModel: "openai/gpt-5.6-luna",
    sandbox: "openai",
    path: /\/responses$/,
    // Tools together with an effort are what Chat Completions refuses on this model.
    needs: { tools: [spare], effort: "low" },
    unreachable: {},
  },
  {
    name: "Anthropic",
    model: "anthropic/claude-haiku-5-5",
    thinkingModel: "anthropic/claude-opus-5-5",
    sandbox: "anthropic",
    path: /\/v1\/messages$/,
    needs: {},
    unreachable: {},
  },
  {
    name: "Google",
    model: "google/gemini-3.8-flash",
    thinkingModel: "google/gemini-3.8-flash",
    sandbox: "gemini",
    path: /enerateContent/,
    needs: {},
    unreachable: {},
  },
  {
    name: "a compatible host",
    model: "local/local-model",
    thinkingModel: "local/local-model",
    sandbox: "openai",
    path: /\/chat\/completions$/,
    needs: {},
    unreachable: {},
  },
];

export type World = {
  readonly gateway: TestGateway;
  readonly sandbox: Sandbox;
  close(): Promise<void>;
};

/** A gateway whose vendors are the sandbox's, and a host of one's own that is the sandbox's OpenAI under another name. */
export async function startWorld(): Promise<World> {
  const sandbox = await startSandbox({ minCacheTokens: 256, extraModels: { openai: ["local-model"] } });
  const { openai, anthropic, gemini } = sandbox;
  const gateway = await startGateway({
    env: {
      OPENAI_API_KEY: openai.apiKey,
      OPENAI_BASE_URL: openai.baseUrl,
      ANTHROPIC_API_KEY: anthropic.apiKey,
      ANTHROPIC_BASE_URL: anthropic.baseUrl,
      GEMINI_API_KEY: gemini.apiKey,
      GOOGLE_GEMINI_BASE_URL: gemini.baseUrl,
      LOCAL_KEY: openai.apiKey,
    },
    yaml: `memory: { enabled: false }
limits: { maxAttempts: 1 }
providers:
  - id: local
    baseUrl: ${openai.baseUrl}
    key: env:LOCAL_KEY
    models:
      - { id: local-model, contextTokens: 200000, maxOutputTokens: 32000, input: [text, image, pdf], efforts: [] }
`,
  });
  return {
    gateway,
    sandbox,
    async close() {
      await gateway.close();
      await sandbox.close();
    },
  };
}

export type Exchange = { readonly seen: Seen; readonly request: RecordedRequest; readonly received: Received };

/** One request of a client and what its vendor was asked for it. `received` throws when no vendor was asked. */
export async function exchange(
  world: World,
  dialect: DialectName,
  call: {
    readonly model: string;
    readonly ask: Ask;
    readonly stream: boolean;
    readonly headers?: Record<string, string>;
  },
): Promise<Exchange> {
  const before = world.sandbox.requests().length;
  const response = await world.gateway.fetch(dialectPaths[dialect], {
    body: { model: call.model, ...bodyIn[dialect](call.ask, call.stream) },
    headers: call.headers ?? {},
  });
  const seen = await readSeen(dialect, response);
  const asked = (): RecordedRequest => {
    const request = world.sandbox.requests().slice(before).at(-1);
    if (request === undefined) throw new Error(`No vendor was asked: ${seen.error?.message ?? seen.status}`);
    return request;
  };
  return {
    seen,
    get request() {
      return asked();
    },
    get received() {
      return readReceived(asked());
    },
  };
}

export function withNeeds(ask: Ask, { needs }: VendorRow): Ask {
  return {
    ...ask,
    ...(needs.effort === undefined || ask.effort !== undefined ? {} : { effort: needs.effort }),
    ...(needs.tools === undefined ? {} : { tools: ask.tools ?? needs.tools }),
  };
}
