import type { Handler } from "../handler.ts";

/** `/healthz`: the process answers. */
export const liveness: Handler = (_request, response) => {
  response.json({ status: "ok" });
};

/** `/readyz`: it can take requests; says what is missing when it cannot. */
export function createReadiness(parts: {
  readonly ping: () => Promise<void>;
  readonly draining: () => boolean;
}): Handler {
  return async (_request, response) => {
    if (parts.draining()) {
      response.status(503).json({ status: "draining" });
      return;
    }
    try {
      await parts.ping();
      response.json({ status: "ready", store: "ok" });
    } catch (error) {
      // Requests are still answered, without memory; an orchestrator decides whether that is good enough.
      response.status(503).json({ status: "degraded", store: error instanceof Error ? error.message : "failed" });
    }
  };
}
