import type { JobQueue, JobState } from "../../memory/job-queue.ts";
import { optionalChoice } from "../dialects/read.ts";
import { callerOf, type GatewayRequest, type GatewayResponse } from "../handler.ts";
import { userOf } from "../identity.ts";

const maxListed = 100;

/** `GET /v1/memory-jobs`: what waits to be remembered and what could not be; the caller's own user, else the tenant's. */
export function createMemoryJobsRoute(queue: JobQueue) {
  return async (request: GatewayRequest, response: GatewayResponse) => {
    const caller = callerOf(response);
    const state: JobState | undefined = optionalChoice(queryText(request.query["state"]), "state", [
      "ready",
      "running",
      "dead",
    ]);
    const user = userOf(caller, request.headers);
    const owner = { tenant: caller.tenant, ...(user === undefined ? {} : { user }) };
    const jobs = await queue.list(owner, state, maxListed);
    response.json({
      object: "list",
      data: jobs.map((job) => ({
        object: "memory_job",
        id: job.id,
        user: job.owner.user,
        kind: job.kind,
        state: job.state,
        attempts: job.attempts,
        pushed_at: job.pushedAt,
        last_error: job.lastError ?? null,
      })),
    });
  };
}

function queryText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
