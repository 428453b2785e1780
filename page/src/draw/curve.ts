/** The curve of a run: step, epoch, losses, scores, and the mean loss of the epoch's batches. */

import type { NdArray } from "../message";

export const STEP = 0;
export const EPOCH = 1;
export const TRAIN_LOSS = 2;
export const TEST_LOSS = 3;
export const TRAIN_SCORE = 4;
export const TEST_SCORE = 5;
export const EPOCH_LOSS = 6;
const WIDTH = 7;

export class Curve {
  readonly rows: number;
  readonly #data: NdArray["data"];

  constructor(array: NdArray | undefined) {
    this.#data = array?.data ?? new Float32Array(0);
    this.rows = this.#data.length / WIDTH;
  }

  at(row: number, what: number): number {
    return this.#data[row * WIDTH + what] ?? NaN;
  }

  /** Pairs of epoch and value, for a line. */
  pairs(what: number): [number, number][] {
    return Array.from({ length: this.rows }, (_, row) => [this.at(row, EPOCH), this.at(row, what)]);
  }

  /** The smallest and largest finite values, and the smallest above 0. */
  extent(what: number): { least: number; most: number; above: number } {
    let least = Infinity;
    let most = -Infinity;
    let above = Infinity;
    for (let row = 0; row < this.rows; row++) {
      const value = this.at(row, what);
      if (!Number.isFinite(value)) continue;
      if (value < least) least = value;
      if (value > most) most = value;
      if (value > 0 && value < above) above = value;
    }
    return { least, most, above };
  }

  /** The row whose `what` (step or epoch, which only grow) is nearest to a value. */
  nearest(what: number, value: number): number {
    let low = 0;
    let high = this.rows - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle, what) < value) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && value - this.at(low - 1, what) < this.at(low, what) - value) return low - 1;
    return low;
  }

  /** `to` where `from` has this value, on straight lines between the rows. */
  between(from: number, to: number, value: number): number {
    const last = this.rows - 1;
    if (last < 0) return 0;
    let row = this.nearest(from, value);
    if (this.at(row, from) > value && row > 0) row--;
    row = Math.min(row, Math.max(0, last - 1));
    const next = Math.min(last, row + 1);
    const [a, b] = [this.at(row, from), this.at(next, from)];
    if (a === b) return this.at(row, to);
    return this.at(row, to) + ((value - a) / (b - a)) * (this.at(next, to) - this.at(row, to));
  }
}
