/**
 * Trains the classifier: `node router/classifier/train.ts` reads training/ and writes weights.bin. Needs nothing else and gives the same
 * bytes every time. docs/classifier.md describes the method.
 */
import { writeFileSync } from "node:fs";

import { createFeatures, extractFeatures, slotCount } from "./features.ts";
import type { LinearModel } from "./model.ts";
import { encodeModel, outputCount, weightsUrl, wordClasses } from "./model.ts";
import type { Example } from "./training-data.ts";
import { loadExamples } from "./training-data.ts";

const seed = 20_261_121;
const epochs = 14;
const learningRate = 0.25;
const decay = 0.02;
const featureDropout = 0.25;
const labelSmoothing = 0.06;
const templateWeight = 0.5;
const folds = 5;
/** Rows written to the file, which holds it under a megabyte. The rest move no score noticeably. */
const keptRows = 58_000;
const gainSmoothing = 2;
const leastGain = 0.1;

/** How often people ask for what; examples are weighted towards it, so that the bias learns the world and not the author's diligence. */
const priors: readonly number[] = [0.31, 0.25, 0.09, 0.08, 0.04, 0.04, 0.04, 0.13, 0.04];

type Sample = {
  readonly slots: Int32Array;
  readonly values: Float32Array;
  readonly label: number;
  readonly difficulty: number;
  readonly weight: number;
  readonly handWritten: boolean;
};

type Weights = { readonly weights: Float32Array; readonly bias: Float32Array };

function main(): void {
  const samples = toSamples(loadExamples(createRandom(seed)));
  const byHand = samples.filter((sample) => sample.handWritten);
  process.stdout.write(`${samples.length} examples, ${byHand.length} of them written by hand\n`);
  const held = byHand.length < folds ? [] : crossValidate(samples);
  const temperature = fitTemperature(held);
  reportHeldOut(held, temperature);
  const trained = train(samples);
  writeFileSync(weightsUrl, encodeModel(quantize(trained, temperature)));
}

function toSamples(examples: readonly Example[]): Sample[] {
  const features = createFeatures();
  const counts = wordClasses.map((_, label) => weightedCount(examples.filter((example) => example.label === label)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  return examples.map((example) => {
    extractFeatures(example, features);
    const share = (counts[example.label] ?? 1) / total;
    const balance = ((priors[example.label] ?? 0) / share) ** 0.8;
    return {
      slots: features.slots.slice(0, features.count),
      values: features.values.slice(0, features.count),
      label: example.label,
      difficulty: example.difficulty,
      weight: balance * (example.handWritten ? 1 : templateWeight),
      handWritten: example.handWritten,
    };
  });
}

/**
 * How much a slot's presence tells about the class (divergence of the classes seen with it from the classes at large).
 * Values are scaled by it before training and the weights after, so serving does not know of it. Words that are
 * everywhere stay small, words seen once are not trusted much.
 */
function informativeness(samples: readonly Sample[]): Float32Array {
  const classes = wordClasses.length;
  const counts = new Float32Array(slotCount * classes);
  const shares = new Float32Array(classes);
  let total = 0;
  for (const { slots, label, weight } of samples) {
    total += weight;
    shares[label] = (shares[label] ?? 0) + weight;
    for (const slot of slots) counts[slot * classes + label] = (counts[slot * classes + label] ?? 0) + weight;
  }
  return Float32Array.from({ length: slotCount }, (_, slot) => {
    const seen = counts.subarray(slot * classes, (slot + 1) * classes);
    const count = seen.reduce((sum, weight) => sum + weight, 0);
    let divergence = 0;
    for (let label = 0; label < classes; label += 1) {
      const share = (shares[label] ?? 0) / total;
      const smoothed = ((seen[label] ?? 0) + gainSmoothing * share) / (count + gainSmoothing);
      divergence += smoothed * Math.log(smoothed / share);
    }
    return Math.sqrt(leastGain + divergence);
  });
}

function weightedCount(examples: readonly Example[]): number {
  return examples.reduce((sum, example) => sum + (example.handWritten ? 1 : templateWeight), 0);
}

/** Multinomial logistic regression for the classes and another for the difficulties, by AdaGrad with weight decay. */
function train(unscaled: readonly Sample[]): Weights {
  const gains = informativeness(unscaled);
  const samples = unscaled.map((sample) => ({
    ...sample,
    values: sample.values.map((value, at) => value * (gains[sample.slots[at] ?? 0] ?? 1)),
  }));
  const random = createRandom(seed + 1);
  const weights = new Float32Array(slotCount * outputCount);
  const bias = new Float32Array(outputCount);
  const squares = new Float32Array(slotCount * outputCount).fill(0.02);
  const order = samples.map((_, index) => index);
  const scores = new Float32Array(outputCount);
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    shuffle(order, random);
    const rate = learningRate * (1 - epoch / epochs);
    for (const index of order) {
      const sample = samples[index];
      if (sample !== undefined) step(sample, { weights, bias, squares, scores, rate, random });
    }
    for (let at = 0; at < weights.length; at += 1) weights[at] = (weights[at] ?? 0) * (1 - decay);
  }
  for (let at = 0; at < weights.length; at += 1)
    weights[at] = (weights[at] ?? 0) * (gains[Math.floor(at / outputCount)] ?? 1);
  return { weights, bias };
}

type StepState = Weights & {
  readonly squares: Float32Array;
  readonly scores: Float32Array;
  readonly rate: number;
  readonly random: () => number;
};

function step(sample: Sample, state: StepState): void {
  const { weights, bias, squares, scores, rate } = state;
  const kept: number[] = [];
  for (let at = 0; at < sample.slots.length; at += 1) if (state.random() >= featureDropout) kept.push(at);
  const boost = 1 / (1 - featureDropout);
  scores.set(bias);
  for (const at of kept) {
    const row = (sample.slots[at] ?? 0) * outputCount;
    const value = (sample.values[at] ?? 0) * boost;
    for (let output = 0; output < outputCount; output += 1)
      scores[output] = (scores[output] ?? 0) + value * (weights[row + output] ?? 0);
  }
  const classes = wordClasses.length;
  toGradient(scores.subarray(0, classes), sample.label, sample.weight);
  toGradient(scores.subarray(classes), sample.difficulty, sample.weight * 0.5);
  for (const at of kept) {
    const row = (sample.slots[at] ?? 0) * outputCount;
    const value = (sample.values[at] ?? 0) * boost;
    for (let output = 0; output < outputCount; output += 1) {
      const gradient = (scores[output] ?? 0) * value;
      const square = (squares[row + output] ?? 0) + gradient * gradient;
      squares[row + output] = square;
      weights[row + output] = (weights[row + output] ?? 0) - (rate * gradient) / Math.sqrt(square);
    }
  }
  for (let output = 0; output < outputCount; output += 1)
    bias[output] = (bias[output] ?? 0) - rate * 0.02 * (scores[output] ?? 0);
}

/** Scores in, gradient of the cross-entropy out. */
function toGradient(scores: Float32Array, label: number, weight: number): void {
  toProbabilities(scores, 1);
  for (let at = 0; at < scores.length; at += 1) {
    const target = (at === label ? 1 - labelSmoothing : 0) + labelSmoothing / scores.length;
    scores[at] = weight * ((scores[at] ?? 0) - target);
  }
}

function toProbabilities(scores: Float32Array, temperature: number): void {
  const top = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  let total = 0;
  for (let at = 0; at < scores.length; at += 1) {
    const exponential = Math.exp(((scores[at] ?? 0) - top) / temperature);
    scores[at] = exponential;
    total += exponential;
  }
  for (let at = 0; at < scores.length; at += 1) scores[at] = (scores[at] ?? 0) / total;
}

type HeldOut = { readonly scores: Float32Array; readonly label: number };

/** Hand-written examples scored by models that have not seen them. Templates are not scored: their siblings were seen. */
function crossValidate(samples: readonly Sample[]): HeldOut[] {
  const random = createRandom(seed + 2);
  const foldOf = samples.map(() => Math.floor(random() * folds));
  return Array.from({ length: folds }, (_, fold) => fold).flatMap((fold) => {
    const held = samples.filter((sample, index) => sample.handWritten && foldOf[index] === fold);
    const model = train(samples.filter((sample, index) => !sample.handWritten || foldOf[index] !== fold));
    return held.map((sample) => ({ scores: scoreOf(model, sample), label: sample.label }));
  });
}

function scoreOf(model: Weights, sample: Sample): Float32Array {
  const scores = model.bias.slice(0, wordClasses.length);
  for (let at = 0; at < sample.slots.length; at += 1) {
    const row = (sample.slots[at] ?? 0) * outputCount;
    for (let output = 0; output < scores.length; output += 1) {
      scores[output] = (scores[output] ?? 0) + (sample.values[at] ?? 0) * (model.weights[row + output] ?? 0);
    }
  }
  return scores;
}

/** The temperature under which the held-out examples are least surprising. */
function fitTemperature(held: readonly HeldOut[]): number {
  const candidates = Array.from({ length: 40 }, (_, index) => 0.3 + index * 0.05);
  const loss = (temperature: number): number =>
    held.reduce((sum, { scores, label }) => {
      const probabilities = scores.slice();
      toProbabilities(probabilities, temperature);
      return sum - Math.log(Math.max(1e-9, probabilities[label] ?? 0));
    }, 0);
  return candidates.reduce((best, candidate) => (loss(candidate) < loss(best) ? candidate : best), 1);
}

function reportHeldOut(held: readonly HeldOut[], temperature: number): void {
  const table = wordClasses.map(() => wordClasses.map(() => 0));
  for (const { scores, label } of held) {
    const guess = scores.indexOf(scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY));
    const row = table[label];
    if (row !== undefined) row[guess] = (row[guess] ?? 0) + 1;
  }
  const right = table.reduce((sum, row, label) => sum + (row[label] ?? 0), 0);
  process.stdout.write(`held out: ${right} of ${held.length} right; temperature ${temperature.toFixed(2)}\n`);
  table.forEach((row, label) =>
    process.stdout.write(`${(wordClasses[label] ?? "").padEnd(15)}${row.map((n) => String(n).padStart(5)).join("")}\n`),
  );
}

/** Keeps the rows that matter, and of each weight a byte. */
function quantize(model: Weights, temperature: number): LinearModel {
  const kept = weightiestSlots(model);
  const steps = Float32Array.from({ length: outputCount }, (_, output) => {
    const most = kept.reduce(
      (top, slot) => Math.max(top, Math.abs(model.weights[slot * outputCount + output] ?? 0)),
      0,
    );
    return most === 0 ? 1 : most / 127;
  });
  const rows = new Uint16Array(slotCount);
  const weights = new Int8Array((kept.length + 1) * outputCount);
  kept.forEach((slot, index) => {
    const row = index + 1;
    rows[slot] = row;
    for (let output = 0; output < outputCount; output += 1) {
      weights[row * outputCount + output] = Math.round(
        (model.weights[slot * outputCount + output] ?? 0) / (steps[output] ?? 1),
      );
    }
  });
  return { rows, weights, steps, bias: model.bias, temperature };
}

function weightiestSlots(model: Weights): number[] {
  const weightiest = Float32Array.from({ length: slotCount }, (_, slot) =>
    model.weights
      .subarray(slot * outputCount, (slot + 1) * outputCount)
      .reduce((top, weight) => Math.max(top, Math.abs(weight)), 0),
  );
  const slots = Array.from({ length: slotCount }, (_, slot) => slot);
  const byWeight = slots.toSorted((left, right) => (weightiest[right] ?? 0) - (weightiest[left] ?? 0) || left - right);
  return byWeight.slice(0, keptRows);
}

function shuffle(order: number[], random: () => number): void {
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    const held = order[at] ?? 0;
    order[at] = order[other] ?? 0;
    order[other] = held;
  }
}

/** mulberry32: small, and the same on every machine. */
function createRandom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

main();
