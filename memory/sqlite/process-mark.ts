import { hostname } from "node:os";

/**
 * Names this process among all that may share the file: its machine, its id, and when it began, because ids are given
 * again (in a container every process that is started is number 1).
 */
export const processMark = `${hostname()}/${process.pid}/${Math.round(performance.timeOrigin)}`;

/** Whether the process of a mark is known to have ended. Of another machine's processes nothing is known: false. */
export function hasEnded(mark: string): boolean {
  if (mark === processMark) return false;
  const [host, id] = mark.split("/");
  if (host !== hostname() || id === undefined) return false;
  return Number(id) === process.pid || !isAlive(Number(id));
}

function isAlive(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch (error) {
    // Someone else's process is alive too.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
