import type { GatewayRequest, GatewayResponse } from "../handler.ts";

/** `/healthz`: the process answers. `/readyz`: it can take requests; says what is missing when it cannot. */
export function createHealthRoutes(parts: { readonly ping: () => Promise<void>; readonly draining: () => boolean }) {
  return {
    live(_request: GatewayRequest, response: GatewayResponse) {
      response.json({ status: "ok" });
    },
    async ready(_request: GatewayRequest, response: GatewayResponse) {
      if (parts.draining()) {
        response.status(503).json({ status: "draining", store: "ok" });
        return;
      }
      try {
        await parts.ping();
        response.json({ status: "ready", store: "ok" });
      } catch (error) {
        // Requests are still answered, without memory; an orchestrator decides whether that is good enough.
        response.status(503).json({ status: "degraded", store: error instanceof Error ? error.message : "failed" });
      }
    },
  };
}
