import type { Config } from "../config/config.ts";
import type { MemoryService } from "../memory/create-memory.ts";
import type { JobQueue } from "../memory/job-queue.ts";
import type { MemoryStore } from "../memory/memory-store.ts";
import type { OwnedRouter } from "../router/create-router.ts";
import { createChatHandler, type Openings } from "./chat/handle-chat.ts";
import type { Route } from "./create-app.ts";
import { anthropicMessages } from "./dialects/anthropic-messages/dialect.ts";
import { openAiChat } from "./dialects/openai-chat/dialect.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { createExplainRoute } from "./routes/explain-route.ts";
import { createHealthRoutes } from "./routes/health.ts";
import { createMemoryRoutes } from "./routes/memories.ts";
import { createMemoryJobsRoute } from "./routes/memory-jobs.ts";
import { createModelsRoutes } from "./routes/models.ts";
import { createTraceRoute } from "./routes/traces.ts";
import type { Traces } from "./traces.ts";

export type RouteParts = {
  readonly config: Config;
  readonly router: OwnedRouter;
  readonly memory: MemoryService | undefined;
  readonly store: MemoryStore;
  readonly queue: JobQueue;
  readonly openings: Openings;
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly log: Logger;
  readonly clock: () => Date;
  readonly draining: () => boolean;
};

/** Every route there is. A client dialect is one line here and one folder in `dialects/`. */
export function createRoutes(parts: RouteParts): readonly Route[] {
  const { router, memory, traces, metrics, config } = parts;
  const memoryTokens = config.memory.recallTokens;
  const chat = { ...parts, memoryTokens };
  const models = createModelsRoutes(router);
  const health = createHealthRoutes({ ping: () => parts.store.ping(), draining: parts.draining });
  const memories = createMemoryRoutes(memory, parts.clock);
  return [
    {
      method: "post",
      path: "/v1/chat/completions",
      handle: createChatHandler(openAiChat, "chat.completions", chat),
      dialect: openAiChat,
    },
    {
      method: "post",
      path: "/v1/messages",
      handle: createChatHandler(anthropicMessages, "messages", chat),
      dialect: anthropicMessages,
    },
    { method: "post", path: "/v1/route", handle: createExplainRoute(openAiChat, router, memoryTokens) },
    { method: "get", path: "/v1/models", handle: models.list },
    { method: "get", path: "/v1/models/*id", handle: models.one },
    { method: "get", path: "/v1/memories", handle: memories.list },
    { method: "post", path: "/v1/memories", handle: memories.add },
    { method: "delete", path: "/v1/memories", handle: memories.forgetMany },
    { method: "post", path: "/v1/memories/search", handle: memories.search },
    { method: "get", path: "/v1/memories/:id", handle: memories.get },
    { method: "patch", path: "/v1/memories/:id", handle: memories.edit },
    { method: "delete", path: "/v1/memories/:id", handle: memories.forget },
    { method: "get", path: "/v1/memories/:id/history", handle: memories.history },
    { method: "delete", path: "/v1/users/:user", handle: memories.erase },
    { method: "get", path: "/v1/memory-jobs", handle: createMemoryJobsRoute(parts.queue) },
    { method: "get", path: "/v1/traces/:id", handle: createTraceRoute(traces) },
    { method: "get", path: "/healthz", handle: health.live, open: true },
    { method: "get", path: "/readyz", handle: health.ready, open: true },
    {
      method: "get",
      path: "/metrics",
      open: true,
      handle: async (_request, response) => {
        const { contentType, text } = await metrics.expose();
        response.setHeader("content-type", contentType);
        response.end(text);
      },
    },
  ];
}
