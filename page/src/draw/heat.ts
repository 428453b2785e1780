/** Maps of numbers as pixels, and the lines where they are 0. Everything here runs for every frame. */

import type { Numbers } from "../message";
import { SHADES } from "./colour";

/** What the middle of the colours stands for, and how far from it the colours end. */
export interface Range {
  middle: number;
  half: number;
}

/** A canvas of a map's own size, to be drawn enlarged elsewhere. */
export class Sheet {
  readonly canvas = document.createElement("canvas");
  #context: CanvasRenderingContext2D;
  #image: ImageData | null = null;
  #pixels = new Uint32Array(0);

  constructor() {
    this.#context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
  }

  /** The pixels to write, row by row from the top. */
  pixels(width: number, height: number): Uint32Array {
    if (this.#image?.width !== width || this.#image.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.#image = this.#context.createImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    }
    return this.#pixels;
  }

  /** Puts the written pixels onto the canvas. */
  put(): void {
    if (this.#image) this.#context.putImageData(this.#image, 0, 0);
  }
}

/** Writes `length` numbers from `start` as shades of the signed scale. */
export function shade(
  pixels: Uint32Array,
  at: number,
  values: Numbers,
  start: number,
  length: number,
  { middle, half }: Range,
  shades: Uint32Array,
  discretize = false,
): void {
  const scale = (SHADES - 1) / (2 * half);
  const least = middle - half;
  for (let k = 0; k < length; k++) {
    const value = values[start + k] as number;
    let place = discretize
      ? value >= middle
        ? SHADES - 1
        : 0
      : ((value - least) * scale + 0.5) | 0;
    if (place < 0) place = 0;
    else if (place >= SHADES) place = SHADES - 1;
    pixels[at + k] = shades[place] as number;
  }
}

/** Draws a map whose first and last values lie on the edges of its square, as the server's do. */
export function enlarge(
  context: CanvasRenderingContext2D,
  { canvas }: Sheet,
  at: number,
  side: number,
  left: number,
  top: number,
  size: number,
): void {
  const inner = side - 1;
  context.drawImage(canvas, 0.5, at * side + 0.5, inner, inner, left, top, size, size);
}

/** Adds to a path the lines where a map crosses `level` (marching squares). */
export function contour(
  path: Path2D,
  values: Numbers,
  start: number,
  side: number,
  level: number,
  left: number,
  top: number,
  size: number,
): void {
  const cell = size / (side - 1);
  for (let row = 0; row < side - 1; row++) {
    const upper = start + row * side;
    const lower = upper + side;
    let a = (values[upper] as number) - level;
    let d = (values[lower] as number) - level;
    for (let column = 0; column < side - 1; column++) {
      const b = (values[upper + column + 1] as number) - level;
      const c = (values[lower + column + 1] as number) - level;
      const sides = (a >= 0 ? 1 : 0) | (b >= 0 ? 2 : 0) | (c >= 0 ? 4 : 0) | (d >= 0 ? 8 : 0);
      if (sides !== 0 && sides !== 15) {
        const x = left + column * cell;
        const y = top + row * cell;
        const points: number[] = [];
        if (a >= 0 !== b >= 0) points.push(x + (cell * a) / (a - b), y);
        if (b >= 0 !== c >= 0) points.push(x + cell, y + (cell * b) / (b - c));
        if (c >= 0 !== d >= 0) points.push(x + (cell * d) / (d - c), y + cell);
        if (d >= 0 !== a >= 0) points.push(x, y + (cell * a) / (a - d));
        for (let k = 0; k < points.length; k += 4) {
          path.moveTo(points[k] as number, points[k + 1] as number);
          path.lineTo(points[k + 2] as number, points[k + 3] as number);
        }
      }
      a = b;
      d = c;
    }
  }
}

/** The largest size among some numbers; not less than `least`. */
export function largest(values: Numbers, start: number, length: number, least: number): number {
  let most = least;
  for (let k = start; k < start + length; k++) {
    const size = Math.abs(values[k] as number);
    if (size > most && size < Infinity) most = size;
  }
  return most;
}

/** Fits a canvas to its box on this screen; its context, in CSS pixels, cleared. */
export function cleared(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D {
  const density = devicePixelRatio;
  const across = Math.round(width * density);
  const down = Math.round(height * density);
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
