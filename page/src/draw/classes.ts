/** What a classifier of several outputs says of each point: the class, and how sure it is. */

import type { Palette } from "../contract";
import type { NdArray } from "../message";
import { between, classColour, pixel, rgb, type Rgb } from "./colour";

const LEVELS = 32;
const FAINTEST = 0.08;
const STRONGEST = 0.62;

/** Pixels of each class from unsure to sure. */
export function classShades(palette: Palette, classes: number): Uint32Array[] {
  const paper = rgb(palette["paper"] ?? "#ffffff");
  return Array.from({ length: classes }, (_, k) => {
    const full: Rgb = rgb(classColour(palette, k));
    return Uint32Array.from({ length: LEVELS }, (_, level) =>
      pixel(between(paper, full, FAINTEST + ((STRONGEST - FAINTEST) * level) / (LEVELS - 1))),
    );
  });
}

/**
 * Writes the pixels of `map` (K, S, S), and into `lead` (K, S, S) how far each class is ahead of
 * the best other one: it is 0 where the answer changes. `span` is how far ahead a class can be.
 */
export function shadeClasses(
  pixels: Uint32Array,
  { data, shape }: NdArray,
  lead: Float32Array,
  shades: Uint32Array[],
  span: number,
  discretize: boolean,
): void {
  const [classes = 0, side = 0] = shape;
  const area = side * side;
  for (let k = 0; k < area; k++) {
    let best = 0;
    let first = -Infinity;
    let second = -Infinity;
    for (let c = 0; c < classes; c++) {
      const value = data[c * area + k] as number;
      if (value > first) {
        second = first;
        first = value;
        best = c;
      } else if (value > second) second = value;
    }
    for (let c = 0; c < classes; c++) {
      lead[c * area + k] = (data[c * area + k] as number) - (c === best ? second : first);
    }
    const sure = discretize ? 1 : Math.min(1, Math.max(0, (first - second) / span));
    pixels[k] = (shades[best] as Uint32Array)[(sure * (LEVELS - 1) + 0.5) | 0] as number;
  }
}

/** The class of the largest of the K values at place `at` of a map. */
export function answer({ data, shape }: NdArray, at: number): number {
  const [classes = 0, side = 0, across = side] = shape;
  const area = side * across;
  let best = 0;
  for (let c = 1; c < classes; c++) {
    if ((data[c * area + at] as number) > (data[best * area + at] as number)) best = c;
  }
  return best;
}
