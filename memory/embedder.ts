/** Turns text into unit vectors. One embedding of a turn serves recall, routing and the answer cache alike. */
export interface Embedder {
  /** Names the model and its version: vectors of two ids are never compared. */
  readonly id: string;
  readonly dimensions: number;
  /** One unit vector per text, in order. Empty text gives the zero vector, which is near nothing. */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<readonly Float32Array[]>;
}
