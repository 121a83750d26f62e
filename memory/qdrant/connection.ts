import { QdrantClient } from "@qdrant/js-client-rest";
import { MemoryStoreError } from "../memory-store-error.ts";
import { isBrokenConnection, isSilence, PassingFailure, toStoreError } from "./failures.ts";

export type ConnectionOptions = {
  readonly url: string;
  readonly apiKey?: string;
  /** How long one request may take. */
  readonly timeoutMs: number;
  /** Milliseconds. */
  readonly clock: () => number;
};

export type Connection = {
  /** The server's address without credentials, for messages. */
  readonly address: string;
  /** Runs one request. Throws `MemoryStoreError`, at once while the server has stopped answering. */
  readonly ask: <T>(request: (client: QdrantClient) => Promise<T>) => Promise<T>;
};

const DEFAULT_PORT = 6333;
const MAX_CONNECTIONS = 32;
/** Beyond so many unanswered requests the next is refused: their bodies would pile up in memory. */
const MAX_IN_FLIGHT = 512;
/** After so many failures in a row the server is left alone for a while, and requests fail at once. */
const MAX_FAILURES = 4;
const REST_MS = 2_000;

/** Throws `bad_input` for what is no address. Nothing is sent yet. */
export function createConnection(options: ConnectionOptions): Connection {
  const { client, address } = createClient(options);
  let inFlight = 0;
  let failures = 0;
  let restsUntil = 0;

  async function send<T>(request: (client: QdrantClient) => Promise<T>): Promise<T> {
    try {
      return await request(client);
    } catch (error) {
      // Every request of this store may be sent twice: writes name their points, changes their version.
      if (isBrokenConnection(error)) return await request(client);
      throw error;
    }
  }

  return {
    address,
    async ask(request) {
      if (options.clock() < restsUntil) {
        throw new PassingFailure(
          "unavailable",
          `Qdrant at ${address}: It did not answer lately; it is tried again soon.`,
        );
      }
      if (inFlight >= MAX_IN_FLIGHT) {
        throw new PassingFailure("busy", `Qdrant at ${address}: ${MAX_IN_FLIGHT} requests wait for it already.`);
      }
      inFlight += 1;
      try {
        const answer = await send(request);
        failures = 0;
        return answer;
      } catch (error) {
        const failure = toStoreError(error, address);
        failures = isSilence(error) ? failures + 1 : 0;
        if (failures >= MAX_FAILURES) restsUntil = options.clock() + REST_MS;
        throw failure;
      } finally {
        inFlight -= 1;
      }
    },
  };
}

function createClient({ url, apiKey, timeoutMs }: ConnectionOptions): { client: QdrantClient; address: string } {
  const parsed = URL.parse(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol)) {
    throw new MemoryStoreError("bad_input", "QDRANT_URL must be an address that begins with http:// or https://.");
  }
  // A parsed URL forgets a port that is its scheme's own; without any, Qdrant's is meant.
  const port = /:(\d{1,5})(?=[/?#]|$)/u.exec(url.slice(parsed.protocol.length))?.[1];
  // Given as `url`, the client would drop the path; as `apiKey`, print a warning for http.
  const client = new QdrantClient({
    host: parsed.hostname,
    port: port === undefined ? DEFAULT_PORT : Number(port),
    https: parsed.protocol === "https:",
    prefix: parsed.pathname === "/" ? "" : parsed.pathname.replace(/\/+$/u, ""),
    timeout: timeoutMs,
    maxConnections: MAX_CONNECTIONS,
    checkCompatibility: false,
    ...(apiKey === undefined ? {} : { headers: { "api-key": apiKey } }),
  });
  return { client, address: `${parsed.protocol}//${parsed.host}` };
}
