import { QdrantClientResourceExhaustedError, QdrantClientTimeoutError } from "@qdrant/js-client-rest";
import { MemoryStoreError } from "../memory-store-error.ts";
import type { MemoryStoreFailure } from "../memory-store-error.ts";

/** A failure that may be over by the next request: no answer, a full queue, a full disk. */
export class PassingFailure extends MemoryStoreError {}

type Known = { readonly code: MemoryStoreFailure; readonly passes: boolean; readonly advice: string };

/** The statuses Qdrant answers with: `src/actix/helpers.rs` of its repository. */
const known: Readonly<Record<number, Known>> = {
  401: { code: "unavailable", passes: false, advice: "It wants another API key: check QDRANT_API_KEY." },
  403: {
    code: "unavailable",
    passes: false,
    advice: "It forbids this: its key may only read, or its writes are locked. Use a key that may write.",
  },
  404: {
    code: "unavailable",
    passes: true,
    advice: "The collection is not there. It is created anew with the next request.",
  },
  408: { code: "unavailable", passes: true, advice: "It is too slow. Look at its load." },
  413: { code: "bad_input", passes: false, advice: "A memory is larger than it takes (service.max_request_size_mb)." },
  429: { code: "busy", passes: true, advice: "It limits how much it is asked. Try again." },
  507: { code: "disk_full", passes: true, advice: "Its disk or memory is full. Free some; what was stored is safe." },
};

const MAX_REASON_CHARS = 300;
/** Before 1.19 a full disk was an inner error like any other, told apart by its words alone. */
const noSpace = /no space left|disk (?:is )?full|not enough (?:disk )?space|exceeds available disk space/iu;

/** Any failure of a request to the server at `address`, in words for a person. What is no failure of it passes through. */
export function toStoreError(error: unknown, address: string): Error {
  if (error instanceof MemoryStoreError) return error;
  const says = (advice: string) => `Qdrant at ${address}: ${advice}`;
  if (error instanceof QdrantClientTimeoutError) {
    return new PassingFailure("unavailable", says("It did not answer in time."), { cause: error });
  }
  if (error instanceof QdrantClientResourceExhaustedError) {
    return new PassingFailure("busy", says("It limits how much it is asked. Try again."), { cause: error });
  }
  const status = statusOf(error);
  if (status !== undefined) {
    const { code, passes, advice } = classify(status, reasonOf(error));
    const Failure = passes ? PassingFailure : MemoryStoreError;
    return new Failure(code, says(advice), { cause: error });
  }
  if (error instanceof TypeError && error.cause !== undefined) {
    return new PassingFailure("unavailable", says("It cannot be reached. Start it, or correct QDRANT_URL."), {
      cause: error,
    });
  }
  return error instanceof Error ? error : new Error(String(error));
}

export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return undefined;
  return error.status;
}

/** What the server said, `{"status": {"error": "…"}}`; of a proxy in front there may be nothing of the kind. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || !("data" in error)) return "";
  const { data } = error;
  if (typeof data !== "object" || data === null || !("status" in data)) return "";
  const { status } = data;
  if (typeof status !== "object" || status === null || !("error" in status)) return "";
  return typeof status.error === "string" ? status.error.slice(0, MAX_REASON_CHARS) : "";
}

/** The connection broke under a request: a server that restarted closes those that were kept open. */
export function isBrokenConnection(error: unknown): boolean {
  const cause = error instanceof TypeError ? error.cause : undefined;
  if (!(cause instanceof Error) || !("code" in cause)) return false;
  return cause.code === "ECONNRESET" || cause.code === "EPIPE" || cause.code === "UND_ERR_SOCKET";
}

/** The server did not get to answer: the next request would fare no better. */
export function isSilence(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) return status >= 500 && status !== 507;
  return error instanceof QdrantClientTimeoutError || error instanceof TypeError;
}

function classify(status: number, reason: string): Known {
  const found = known[status];
  if (found !== undefined) return found;
  const said = `It answered ${status}${reason === "" ? "" : `: ${reason}`}`;
  if (status < 500) return { code: "unavailable", passes: false, advice: said };
  if (noSpace.test(reason)) return { code: "disk_full", passes: true, advice: said };
  return { code: "unavailable", passes: true, advice: said };
}
