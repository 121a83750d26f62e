import express, { type Express, type NextFunction } from "express";
import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../router/errors.ts";
import { newTraceId } from "./chat/handle-chat.ts";
import { openAiErrorBody } from "./dialects/openai-error.ts";
import type { Dialect } from "./dialects/dialect.ts";
import { toGatewayError } from "./failure.ts";
import type { GatewayRequest, GatewayResponse, Handler, Middleware } from "./handler.ts";
import type { Caller } from "./identity.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** One route: what Express calls, and the dialect its errors are written in (OpenAI's unless it says otherwise). */
export type Route = {
  readonly method: "get" | "post" | "patch" | "delete";
  readonly path: string;
  readonly handle: Handler;
  /** Open routes need no key: health and metrics. */
  readonly open?: boolean;
  readonly dialect?: Dialect;
};

export type AppParts = {
  readonly routes: readonly Route[];
  readonly authenticate: (headers: IncomingHttpHeaders) => Caller;
  readonly bodyLimitBytes: number;
  readonly draining: () => boolean;
  readonly metrics: Metrics;
  readonly log: Logger;
};

/** The HTTP surface: trace id → key → body → route; every failure in the dialect's own shape, none with a stack. */
export function createApp(parts: AppParts): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  app.set("query parser", "simple");
  app.use((_request, response: GatewayResponse, next) => {
    const trace = newTraceId();
    response.locals.trace = trace;
    response.setHeader("x-throughline-trace", trace);
    if (parts.draining()) {
      response.setHeader("connection", "close");
    }
    next();
  });
  // Any content type is read as JSON: clients forget the header, and nothing here takes another format.
  const readBody = express.json({ limit: parts.bodyLimitBytes, type: () => true, strict: false });
  const authenticate: Middleware = (request, response, next) => {
    response.locals.caller = parts.authenticate(request.headers);
    next();
  };
  for (const route of parts.routes) {
    const before = route.open === true ? [] : [authenticate];
    const body = route.method === "get" ? [] : [readBody];
    app[route.method](route.path, markDialect(route.dialect), ...before, ...body, route.handle);
  }
  for (const [path, same] of Map.groupBy(parts.routes, (route) => route.path)) {
    const methods = same.map((route) => route.method.toUpperCase()).join(" or ");
    app.all(path, markDialect(same[0]?.dialect), (request: GatewayRequest) => {
      throw new GatewayError(
        "method_not_allowed",
        `${request.method} is not answered at ${request.path.slice(0, 100)}: use ${methods}.`,
      );
    });
  }
  app.use((request: GatewayRequest) => {
    throw new GatewayError(
      "not_found",
      `No route ${request.method} ${request.path.slice(0, 100)}: see the README for those there are.`,
    );
  });
  app.use(failed(parts));
  return app;
}

function markDialect(dialect: Dialect | undefined): Middleware {
  return (_request, response, next) => {
    if (dialect !== undefined) response.locals.dialect = dialect;
    next();
  };
}

/** Express knows an error handler by its four parameters. */
function failed(parts: AppParts) {
  return (thrown: unknown, request: GatewayRequest, response: GatewayResponse, _next: NextFunction): void => {
    const failure = toGatewayError(thrown);
    const route = routePath(request);
    parts.metrics.refused(route, failure.code);
    const line = {
      trace: response.locals["trace"],
      route,
      status: failure.status,
      code: failure.code,
      error: failure.cause ?? failure,
    };
    if (failure.code === "internal") parts.log.error(line, "failed");
    else parts.log.debug(line, "refused");
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const dialect = response.locals.dialect;
    const trace = response.locals.trace;
    if (failure.retryAfterMs !== undefined)
      response.setHeader("retry-after", String(Math.ceil(failure.retryAfterMs / 1000)));
    response.removeHeader("content-length");
    response
      .status(failure.status)
      .json(dialect === undefined ? openAiErrorBody(failure) : dialect.errorBody(failure, trace));
  };
}

/** The registered path, never the client's own: it becomes a metric label. */
function routePath(request: GatewayRequest): string {
  const route: unknown = request.route;
  return typeof route === "object" && route !== null && "path" in route ? String(route.path) : "none";
}
