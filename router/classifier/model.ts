import { readFileSync } from "node:fs";
import { z } from "zod";

import type { Features } from "./features.ts";
import { slotCount } from "./features.ts";

/** The classes that words can tell; the rest are told from the request's shape. */
export const wordClasses = [
  "chat",
  "coding",
  "reasoning",
  "math",
  "extraction",
  "summarization",
  "translation",
  "creative",
  "classification",
] as const;
export type WordClass = (typeof wordClasses)[number];

export const difficulties = ["easy", "medium", "hard"] as const;

/** Scores per slot: the word classes first, then the difficulties. */
export const outputCount = wordClasses.length + difficulties.length;

export type LinearModel = {
  /** `slotCount` rows of `outputCount`, one byte each. */
  readonly weights: Int8Array;
  /** What one unit of a byte is worth, per output. */
  readonly steps: Float32Array;
  readonly bias: Float32Array;
  /** Class scores are divided by it before they become probabilities, so that 0.8 means right four times of five. */
  readonly temperature: number;
};

const headerSchema = z.object({
  format: z.literal("throughline-classifier-1"),
  slots: z.literal(slotCount),
  outputs: z.array(z.string()),
  steps: z.array(z.number()).length(outputCount),
  bias: z.array(z.number()).length(outputCount),
  temperature: z.number().positive(),
});

const outputNames: readonly string[] = [...wordClasses, ...difficulties];

/** Four bytes: length of the header; the header as JSON; then the weights. */
export function encodeModel(model: LinearModel): Buffer {
  const header = Buffer.from(
    JSON.stringify({
      format: "throughline-classifier-1",
      slots: slotCount,
      outputs: outputNames,
      steps: [...model.steps],
      bias: [...model.bias],
      temperature: model.temperature,
    }),
  );
  const size = Buffer.alloc(4);
  size.writeUInt32LE(header.length);
  return Buffer.concat([
    size,
    header,
    Buffer.from(model.weights.buffer, model.weights.byteOffset, model.weights.byteLength),
  ]);
}

/** Throws when the file does not belong to this version of the code: wrong weights would answer, only wrongly. */
export function decodeModel(file: Buffer): LinearModel {
  const headerEnd = 4 + file.readUInt32LE(0);
  const header = headerSchema.parse(JSON.parse(file.toString("utf8", 4, headerEnd)));
  const payload = file.subarray(headerEnd);
  if (header.outputs.join() !== outputNames.join() || payload.length !== slotCount * outputCount) {
    throw new Error("classifier weights do not fit this version; run `node router/classifier/train.ts`");
  }
  return {
    weights: new Int8Array(payload.buffer, payload.byteOffset, payload.length),
    steps: Float32Array.from(header.steps),
    bias: Float32Array.from(header.bias),
    temperature: header.temperature,
  };
}

export const weightsUrl = new URL("./weights.bin", import.meta.url);

let loaded: LinearModel | undefined;

/** Read at the first call, then kept. */
export function loadModel(): LinearModel {
  loaded ??= decodeModel(readFileSync(weightsUrl));
  return loaded;
}

/** Fills `scores` with one raw score per output. */
export function scoreFeatures(model: LinearModel, features: Features, scores: Float32Array): void {
  const { weights, steps, bias } = model;
  scores.fill(0);
  for (let at = 0; at < features.count; at += 1) {
    const row = (features.slots[at] ?? 0) * outputCount;
    const value = features.values[at] ?? 0;
    for (let output = 0; output < outputCount; output += 1) {
      scores[output] = (scores[output] ?? 0) + value * (weights[row + output] ?? 0);
    }
  }
  for (let output = 0; output < outputCount; output += 1) {
    scores[output] = (scores[output] ?? 0) * (steps[output] ?? 0) + (bias[output] ?? 0);
  }
}
