/** Numbers along an axis: as many as can be read beside each other, and told apart. */

import type { ScaleLinear } from "d3-scale";
import { minus } from "./numbers";

export interface Tick {
  value: number;
  text: string;
}

/** In pixels: the space between two numbers, and the longest that a margin has room for. */
const APART = 8;
const LONGEST = 35;
/** The letters of axes are smaller than the page's own. */
const SMALLER = 2;

let pen: CanvasRenderingContext2D | null = null;

/** How wide a text beside an axis is, in pixels, in whatever font the page is shown. */
export function widthOf(text: string): number {
  const root = document.querySelector(".playground") ?? document.body;
  const { fontSize, fontFamily } = getComputedStyle(root);
  const size = parseFloat(fontSize) - SMALLER;
  pen ??= document.createElement("canvas").getContext("2d");
  if (!pen) return 0.7 * size * text.length;
  pen.font = `${size}px ${fontFamily}`;
  return pen.measureText(text).width;
}

/** At most about so many ticks; `lying` where the numbers stand side by side, not below each other. */
export function ticksOf(scale: ScaleLinear<number, number>, most: number, lying: boolean): Tick[] {
  const [low = 0, high = 1] = scale.domain();
  for (let wanted = most; ; wanted--) {
    const values = scale.ticks(wanted);
    const step = values.length > 1 ? values[1]! - values[0]! : high - low;
    const found = values.map((value) => ({ value, text: onAxis(value, step, values) }));
    const length = Math.max(...found.map(({ text }) => widthOf(text)));
    const room = Math.abs(scale(low + step) - scale(low));
    if (wanted === 1 || (lying ? length + APART <= room : length <= LONGEST)) return found;
  }
}

/** How long a number beside an axis is to be set, where it is too long for the margin. */
export function squeezed(text: string): number | undefined {
  return widthOf(text) > LONGEST ? LONGEST : undefined;
}

/** One of the values of an axis that are a step apart: 0.25, 40k, 2e−9. */
function onAxis(value: number, step: number, all: number[]): string {
  if (value === 0) return "0";
  const size = Math.max(...all.map(Math.abs));
  const place = Math.floor(Math.log10(step) + 1e-9);
  if (size >= 1e9 || size < 1e-3) {
    const digits = Math.max(0, Math.floor(Math.log10(Math.abs(value)) + 1e-9) - place);
    return minus(value.toExponential(Math.min(digits, 15)).replace(/\.?0*e\+?/, "e"));
  }
  const [letter, unit] = size >= 1e6 ? ["M", 6] : size >= 1e4 ? ["k", 3] : ["", 0];
  return minus((value / 10 ** unit).toFixed(Math.max(0, unit - place)) + letter);
}
