/** Callers match `code`. The message names the file or server at fault and says what a person can do. */
export class MemoryStoreError extends Error {
  override readonly name = "MemoryStoreError";
  readonly code: MemoryStoreFailure;

  constructor(code: MemoryStoreFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type MemoryStoreFailure =
  /** The directory or file cannot be opened or written, or the server does not answer. */
  | "unavailable"
  /** The file is not a database, or is damaged. It is left as it was found. */
  | "corrupt"
  /** Written by a newer version of the program. */
  | "newer_schema"
  | "disk_full"
  /** Another process held the lock, or too many writes wait. */
  | "busy"
  /** The caller passed something that no store could keep. */
  | "bad_input"
  | "closed";
