/**
 * Which model each session is on, and how much of its prompt that model's vendor has probably cached. The least
 * recently used session is forgotten when there are `maxSessions`; a forgotten session is routed as a new one.
 */
export type SessionRoutes = {
  get(key: string): SessionRoute | undefined;
  set(key: string, route: SessionRoute): void;
  readonly size: number;
};

export type SessionRoute = {
  /** `provider/model`. */
  readonly model: string;
  /** Tokens the vendor has seen of this session: what a warm cache could serve next time. */
  readonly warmTokens: number;
  /** Milliseconds of the router's clock. */
  readonly at: number;
};

export function createSessionRoutes(maxSessions: number): SessionRoutes {
  // A Map keeps insertion order: the first key is the one used longest ago, because every use re-inserts.
  const routes = new Map<string, SessionRoute>();
  return {
    get(key) {
      const route = routes.get(key);
      if (route === undefined) return undefined;
      routes.delete(key);
      routes.set(key, route);
      return route;
    },
    set(key, route) {
      routes.delete(key);
      routes.set(key, route);
      if (routes.size <= maxSessions) return;
      const oldest = routes.keys().next();
      if (oldest.done !== true) routes.delete(oldest.value);
    },
    get size() {
      return routes.size;
    },
  };
}

/** Vendors keep an untouched prompt prefix for at least this long (5 minutes at OpenAI and Anthropic). */
const warmForMs = 300_000;

/** Tokens of the next prompt that the session's model would still serve from its cache. */
export function warmTokensOf(route: SessionRoute | undefined, model: string, now: number): number {
  if (route === undefined || route.model !== model || now - route.at > warmForMs) return 0;
  return route.warmTokens;
}
