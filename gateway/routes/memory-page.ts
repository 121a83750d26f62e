import { MemoryStoreError } from "../../memory/memory-store-error.ts";
import { invalid } from "../dialects/read.ts";

/** For a rejected list: a cursor that is none is the client's mistake, everything else is thrown on. */
export function refuseCursor(cursor: string | undefined): (error: unknown) => never {
  return (error) => {
    throw cursor !== undefined && error instanceof MemoryStoreError && error.code === "bad_input"
      ? invalid("after", "is not a cursor that this list gave.")
      : error;
  };
}
