import { randomUUID } from "node:crypto";
import type { MemoryService } from "../../memory/create-memory.ts";
import type { Prepared } from "../../memory/inject.ts";
import type { AnsweredTurn } from "../../memory/remember.ts";
import type { Owner, Turn } from "../../memory/memory.ts";
import type { ChatRequest } from "../../router/chat.ts";
import { GatewayError } from "../../router/errors.ts";
import { modelName, type NanoUsd } from "../../router/model.ts";
import { costOf } from "../../router/price.ts";
import type { Attempt, Execution, Plan, RouteContext, Router } from "../../router/router.ts";
import { userWords } from "../../router/user-words.ts";
import { readObject } from "../dialects/read.ts";
import type { Dialect } from "../dialects/dialect.ts";
import { toGatewayError } from "../failure.ts";
import { callerOf, type GatewayRequest, type GatewayResponse } from "../handler.ts";
import { agentOf, type Caller, headerText, userOf } from "../identity.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Trace, Traces } from "../traces.ts";
import { createStateCapture, type StateCapture } from "./answer-states.ts";
import type { CarriedState, StatePlace } from "./carried-state.ts";
import { answerKey, lastUserTurn, toTurns } from "./conversation.ts";
import { type MemoryMode, memoryModeOf } from "./memory-mode.ts";
import { createMeter, type Meter, type Metered } from "./meter.ts";
import { sendStream, sendWhole } from "./respond.ts";
import { answerHeaders, formatCost, warningsHeader } from "./response-headers.ts";
import type { OpenConversation, OpenedConversation } from "./opened-conversation.ts";
import { nameSession, openingKey, type SessionName } from "./session.ts";

export type ChatParts = {
  readonly router: Router;
  /** Absent when memory is switched off by configuration. */
  readonly memory: MemoryService | undefined;
  /** Remembers which session a conversation's opening belongs to. */
  readonly openings: Openings;
  /** Keeps what clients cannot carry from one turn to the next. */
  readonly carriedState: CarriedState;
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly log: Logger;
  readonly clock: () => Date;
  /** Tokens that recall may add, for pricing a plan before recall is done. */
  readonly memoryTokens: number;
};

export interface Openings {
  find(owner: Owner, opening: string): Promise<string | undefined>;
  bind(owner: Owner, opening: string, session: string): Promise<void>;
}

/** A client may write anything for a model; the trace and the log keep the beginning. */
const maxNameLength = 200;

/** What is known of a request so far; becomes its trace, its log line and its metrics, however it ends. */
type Life = {
  readonly trace: string;
  readonly route: string;
  readonly startedAt: number;
  readonly at: Date;
  caller: Caller;
  user?: string;
  agent?: string;
  session?: string;
  request?: ChatRequest;
  plan?: Plan;
  execution?: Execution;
  readonly attempts: Attempt[];
  prepared?: Prepared;
  metered?: Metered;
  cost?: NanoUsd | null;
  remembered: boolean;
  warnings: string[];
};

/** The life of a request: parse → recall and route → inject → execute → encode → meter → remember. */
export function createChatHandler(dialect: Dialect, route: string, parts: ChatParts, open?: OpenConversation) {
  return async function handleChat(request: GatewayRequest, response: GatewayResponse): Promise<void> {
    const hangUp = new AbortController();
    response.once("close", () => {
      if (!response.writableFinished) hangUp.abort(new DOMException("The client closed the request", "AbortError"));
    });
    const life: Life = {
      trace: response.locals.trace,
      route,
      startedAt: performance.now(),
      at: parts.clock(),
      caller: callerOf(response),
      attempts: [],
      remembered: false,
      warnings: [],
    };
    response.locals.accounted = true;
    parts.metrics.inFlight(1);
    try {
      const failure = await serve({ dialect, open }, parts, life, request, response, hangUp.signal);
      finish(parts, life, 200, failure);
    } catch (thrown) {
      if (hangUp.signal.aborted) {
        finish(parts, life, 499, undefined);
        return;
      }
      const failure = toGatewayError(thrown);
      finish(parts, life, failure.status, failure);
      throw failure;
    } finally {
      parts.metrics.inFlight(-1);
    }
  };
}

type Served = { readonly dialect: Dialect; readonly open: OpenConversation | undefined };

async function serve(
  { dialect, open }: Served,
  parts: ChatParts,
  life: Life,
  http: GatewayRequest,
  response: GatewayResponse,
  signal: AbortSignal,
): Promise<GatewayError | undefined> {
  const sent = dialect.parse(readObject(http.body, "body"), http.headers);
  life.request = sent;
  const user = userOf(life.caller, http.headers, sent);
  if (user !== undefined) life.user = user;
  const agent = agentOf(http.headers);
  if (agent !== undefined) life.agent = agent;
  const opened = await open?.(sent, { tenant: life.caller.tenant, user, trace: life.trace });
  const parsed = opened?.request ?? sent;
  life.request = parsed;
  const mode = memoryModeOf(http.headers, user);
  const turns = toTurns(parsed);
  const named = nameSession(parsed, turns, http.headers, life.trace, opened?.session);
  const session = await findSession(parts, life, named, mode);
  life.session = session.id;
  const plan = parts.router.plan(parsed, routeContext(parts, life, http, turns, mode));
  life.plan = plan;
  const statePlace = { caller: life.caller, user, session: named, turns, trace: life.trace };
  const [prepared, whole] = await Promise.all([
    recall(parts, life, session.id, turns, mode, signal),
    parts.carriedState.restore(statePlace, parsed),
  ]);
  life.prepared = prepared;
  const injected = prepared.injections.size === 0 ? whole : { ...whole, injections: prepared.injections };
  const execution = await parts.router.execute(plan, injected, signal, (attempt) => life.attempts.push(attempt));
  life.execution = execution;
  life.warnings = [...execution.warnings, ...unknownFieldWarnings(parsed, execution)];
  const headers = answerHeaders(life.trace, plan, execution, memoryHeader(prepared), life.warnings, {
    dialect: parsed.dialect,
    at: life.at,
  });
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  return deliver(dialect, parts, life, { response, turns, mode, session, statePlace, opened, signal });
}

/** Turns before the asked one that the extracting model may read for context. */
const contextTurns = 6;

type Rest = {
  readonly response: GatewayResponse;
  readonly turns: readonly Turn[];
  readonly mode: MemoryMode;
  readonly session: SessionName;
  readonly statePlace: StatePlace;
  readonly opened: OpenedConversation | undefined;
  readonly signal: AbortSignal;
};

async function deliver(dialect: Dialect, parts: ChatParts, life: Life, rest: Rest): Promise<GatewayError | undefined> {
  const { request, plan, execution } = life;
  if (request === undefined || plan === undefined || execution === undefined)
    throw new GatewayError("internal", "Delivered before it was executed.");
  const meter = createMeter();
  const passThrough = execution.answer.protocol === dialect.protocol;
  // A client that speaks the vendor's own protocol carries everything itself.
  const states = passThrough ? undefined : createStateCapture();
  const estimate = plan.candidates.find((candidate) => candidate.model === execution.model)?.estimate;
  // Where the vendor's count never comes: the estimate has room for all that recall may add, not for what it did add.
  const roomForMemory = rest.mode.read ? parts.memoryTokens : 0;
  const inputTokens = Math.max(0, (estimate?.inputTokens ?? 0) - roomForMemory) + (life.prepared?.tokens ?? 0);
  const close = () => {
    life.metered = meter.result(inputTokens);
    const { costNanoUsd, warnings } = costOf(execution.model, life.metered.usage, life.at.toISOString());
    life.cost = costNanoUsd;
    // The plan may have warned of the price already.
    life.warnings = [...new Set([...life.warnings, ...life.metered.warnings, ...warnings])];
  };
  const delivery = {
    response: rest.response,
    dialect: rest.opened?.dialect ?? dialect,
    info: {
      request,
      trace: life.trace,
      modelId: execution.model.id,
      createdSeconds: Math.floor(life.at.getTime() / 1000),
      passThrough,
    },
    answer: execution.answer,
    meter: states === undefined ? meter : withCapture(meter, states),
    signal: rest.signal,
    beforeLastByte: async () => {
      close();
      await Promise.all([
        remember(parts, life, rest),
        keepStates(parts, life, rest, states),
        keepConversation(parts, life, rest),
      ]);
    },
    lateHeaders: () => ({ "x-throughline-cost-usd": formatCost(life.cost ?? null), ...warningsHeader(life.warnings) }),
  };
  try {
    if (!request.stream) {
      await sendWhole(delivery);
      return undefined;
    }
    // A stream's cost is known when it ends: its header is the estimate, the exact figure follows as an SSE comment.
    rest.response.setHeader("x-throughline-cost-usd", formatCost(estimate?.costNanoUsd ?? null));
    rest.response.setHeader("x-throughline-cost-basis", "estimate");
    return await sendStream(delivery, toGatewayError);
  } finally {
    // A cut or abandoned answer was paid for all the same.
    if (life.metered === undefined) close();
  }
}

async function findSession(parts: ChatParts, life: Life, named: SessionName, mode: MemoryMode): Promise<SessionName> {
  if (named.how !== "recognised" || life.user === undefined || (!mode.read && !mode.write)) return named;
  const owner = { tenant: life.caller.tenant, user: life.user };
  const known = await parts.openings.find(owner, named.id).catch((error: unknown) => {
    parts.log.warn({ error, trace: life.trace }, "session not recognised: the ledger failed");
    return undefined;
  });
  return known === undefined ? named : { ...named, id: known };
}

function routeContext(
  parts: ChatParts,
  life: Life,
  http: GatewayRequest,
  turns: readonly Turn[],
  mode: MemoryMode,
): RouteContext {
  const policy = headerText(http.headers, "x-throughline-policy");
  const spoken = turns.findLast((turn) => turn.role === "user" && !turn.carriesToolResults);
  return {
    tenant: life.caller.tenant,
    turnText: spoken === undefined ? "" : userWords(spoken.text),
    userTurn: lastUserTurn(turns) !== undefined,
    memoryTokens: mode.read ? parts.memoryTokens : 0,
    ...(life.user === undefined ? {} : { user: life.user }),
    ...(life.session === undefined ? {} : { session: life.session }),
    ...(policy === undefined ? {} : { policy }),
  };
}

const memoryOff: Prepared = { status: "off", injections: new Map(), recalled: [], tokens: 0, recallMs: 0 };

async function recall(
  parts: ChatParts,
  life: Life,
  session: string,
  turns: readonly Turn[],
  mode: MemoryMode,
  signal: AbortSignal,
): Promise<Prepared> {
  if (life.user === undefined || !mode.read || parts.memory === undefined) return memoryOff;
  const { user, agent } = life;
  const scope = { tenant: life.caller.tenant, user, ...(agent === undefined ? {} : { agent }) };
  return parts.memory.prepare({ scope, session, turns, read: mode.read, trace: life.trace }, signal);
}

/** What must be durable before the last byte: the turn itself, and what recognises its session later. One commit. */
async function remember(parts: ChatParts, life: Life, rest: Rest): Promise<void> {
  const { memory } = parts;
  const { metered, user } = life;
  const spoken = rest.turns.findLast((turn) => turn.role === "user" && !turn.carriesToolResults);
  if (memory === undefined || user === undefined || metered === undefined || spoken === undefined) return;
  if (!rest.mode.read && !rest.mode.write) return;
  const owner = { tenant: life.caller.tenant, user };
  try {
    await Promise.all([
      rest.mode.write ? memory.remember(toAnsweredTurn(life, rest, owner, spoken, metered.text)) : undefined,
      noteSession(parts, memory, life, rest, owner, spoken),
    ]);
    life.remembered = rest.mode.write;
  } catch (error) {
    // The answer is the client's whatever happens to memory; that it was not remembered is said, counted and logged.
    life.warnings.push("memory: this turn was not remembered");
    parts.log.error({ error, trace: life.trace }, "turn not remembered");
  }
}

function toAnsweredTurn(life: Life, rest: Rest, owner: Owner, user: Turn, answer: string): AnsweredTurn {
  const given = life.prepared?.injections.get(user.index);
  return {
    scope: owner,
    session: rest.session.id,
    trace: life.trace,
    model: life.execution === undefined ? "" : modelName(life.execution.model),
    user,
    before: rest.turns.slice(Math.max(0, user.index - contextTurns), user.index),
    answer,
    ...(given === undefined ? {} : { given }),
    at: life.at,
  };
}

/** A new conversation is known by its opening from now on; one that the client names, by which answer followed which bytes. */
async function noteSession(
  parts: ChatParts,
  memory: MemoryService,
  life: Life,
  rest: Rest,
  owner: Owner,
  spoken: Turn,
): Promise<void> {
  const { session, turns } = rest;
  if (life.metered === undefined) return;
  const reply = answerKey(life.metered.text, life.metered.toolCalls);
  if (session.how === "new" && session.opening !== undefined) {
    await parts.openings.bind(owner, openingKey(session.opening, reply), session.id);
  } else if (session.how === "named" && rest.mode.read) {
    const block = life.prepared?.injections.get(spoken.index) ?? "";
    await memory.noteAnswer({ scope: owner, session: session.id, turns, answerKey: reply, block });
  }
}

function withCapture(meter: Meter, states: StateCapture): Meter {
  return {
    ...meter,
    push(frame) {
      meter.push(frame);
      states.push(frame);
    },
  };
}

async function keepStates(
  parts: ChatParts,
  life: Life,
  { statePlace }: Rest,
  capture: StateCapture | undefined,
): Promise<void> {
  const states = capture?.result();
  if (states === undefined || life.metered === undefined) return;
  const warning = await parts.carriedState.keep(statePlace, states, life.metered);
  if (warning !== undefined) life.warnings.push(warning);
}

/** What the client may come back to. That it could not be kept costs the way back, not the answer. */
async function keepConversation(parts: ChatParts, life: Life, { opened, session }: Rest): Promise<void> {
  try {
    await opened?.keep(session.id);
  } catch (error) {
    life.warnings.push("store: this response was not kept");
    parts.log.error({ error, trace: life.trace }, "response not kept");
  }
}

/** Fields only the client's own dialect knows, when another protocol answered: named, never silently dropped. */
function unknownFieldWarnings(request: ChatRequest, execution: Execution): readonly string[] {
  if (execution.answer.protocol === request.dialect) return [];
  return request.unknownFields.map((field) => `${field.slice(0, 60)}: not carried to ${execution.model.provider}`);
}

function memoryHeader(prepared: Prepared): string {
  return prepared.status === "hit" ? `hit;n=${prepared.recalled.length}` : prepared.status;
}

function finish(parts: ChatParts, life: Life, status: number, failure: GatewayError | undefined): void {
  const { prepared, metered, execution } = life;
  const durationMs = performance.now() - life.startedAt;
  const trace: Trace = {
    id: life.trace,
    at: life.at.toISOString(),
    route: life.route,
    tenant: life.caller.tenant,
    user: life.user,
    session: life.session,
    requested: life.request?.model.slice(0, maxNameLength),
    stream: life.request?.stream ?? false,
    taskClass: life.plan?.classification.taskClass,
    plan: life.plan,
    model: execution?.model,
    attempts: life.attempts,
    memory: {
      status: prepared?.status ?? "off",
      recalled: prepared?.recalled.map(({ memory, score }) => ({ id: memory.id, kind: memory.kind, score })) ?? [],
      tokens: prepared?.tokens ?? 0,
      recallMs: prepared?.recallMs ?? 0,
      remembered: life.remembered,
    },
    usage: metered?.usage,
    costNanoUsd: life.cost,
    warnings: life.warnings,
    status,
    finish: metered?.finish,
    error:
      failure === undefined
        ? status === 499
          ? { code: "client_closed", message: "The client closed the request." }
          : undefined
        : { code: failure.code, message: failure.message },
    durationMs,
    ttftMs: metered?.firstAt === undefined ? undefined : metered.firstAt - life.startedAt,
  };
  parts.traces.add(trace);
  parts.metrics.request(trace);
  logLine(parts.log, trace);
}

/** One line per request: who, what, how long, how much; no content, no secret. */
export function logLine(log: Logger, trace: Trace): void {
  const line = {
    trace: trace.id,
    route: trace.route,
    status: trace.status,
    tenant: trace.tenant,
    user: trace.user,
    requested: trace.requested,
    model: trace.model === undefined ? undefined : `${trace.model.provider}/${trace.model.id}`,
    class: trace.taskClass,
    attempts: trace.attempts.length,
    memory: trace.memory.status,
    recalled: trace.memory.recalled.length,
    inputTokens: trace.usage?.inputTokens,
    outputTokens: trace.usage?.outputTokens,
    costUsd: trace.costNanoUsd === undefined ? undefined : formatCost(trace.costNanoUsd),
    ms: Math.round(trace.durationMs * 10) / 10,
    code: trace.error?.code,
  };
  if (trace.status >= 500) log.error(line, "request");
  else log.info(line, "request");
}

export function newTraceId(): string {
  return `tl-${randomUUID().replaceAll("-", "")}`;
}
