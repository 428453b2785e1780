/** Colours by what they mean: signs, classes, runs. The hues are those of the library's pictures. */

import {
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
  type SymbolType,
} from "d3-shape";
import type { Palette } from "../contract";

export type Rgb = readonly [number, number, number];

/** The colour of `#rrggbb`. */
export function rgb(hex: string): Rgb {
  const n = Number.parseInt(hex.slice(1), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

/** From one colour to another. */
export function between(a: Rgb, b: Rgb, part: number): Rgb {
  return [a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1]), a[2] + part * (b[2] - a[2])];
}

export function css([r, g, b]: Rgb): string {
  return `rgb(${Math.round(r)} ${Math.round(g)} ${Math.round(b)})`;
}

/** A colour as one pixel of an ImageData that is seen as 32-bit numbers. */
export function pixel([r, g, b]: Rgb): number {
  return ((255 << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

export const SHADES = 256;
/** How strong the strongest shade is: full colour is kept for the points. */
const STRONGEST = 0.74;

/** Pixels for −1 to 1: negative, paper in the middle, positive. */
export function signedShades(palette: Palette): Uint32Array {
  const paper = rgb(palette["paper"] ?? "#ffffff");
  const [negative, positive] = signs(palette);
  const shades = new Uint32Array(SHADES);
  for (let k = 0; k < SHADES; k++) {
    const value = (2 * k) / (SHADES - 1) - 1;
    const strength = STRONGEST * Math.abs(value) ** 0.8;
    shades[k] = pixel(between(paper, value < 0 ? negative : positive, strength));
  }
  return shades;
}

/** The same as a gradient of CSS, for legends. */
export function signedGradient(palette: Palette, stops = 9): string {
  const shades = signedShades(palette);
  const colours = Array.from({ length: stops }, (_, k) => {
    const shade = shades[Math.round((k * (SHADES - 1)) / (stops - 1))] ?? 0;
    return css([shade & 255, (shade >> 8) & 255, (shade >> 16) & 255]);
  });
  return `linear-gradient(to right, ${colours.join(", ")})`;
}

export function signs(palette: Palette): [Rgb, Rgb] {
  return [rgb(palette["negative"] ?? "#0072b2"), rgb(palette["positive"] ?? "#d55e00")];
}

/** Hues for the third class or run and on: Okabe and Ito's, and the last two between them. */
const MORE = {
  light: ["#009e73", "#cc79a7", "#4fa3d8", "#a87b00", "#7d7d7d", "#6a4fa3", "#8a5a2b", "#3d6b6b"],
  dark: ["#3fc79a", "#e39bc4", "#9ad0f5", "#e6b94a", "#a8a8a8", "#b39ae6", "#cfa173", "#86b8b8"],
};

/** Those are too close to the curve of the training rows for a run. */
const GREYS = ["#7d7d7d", "#a8a8a8"];

function hues(palette: Palette): string[] {
  const more = isDark(palette) ? MORE.dark : MORE.light;
  return [palette["negative"] ?? "#0072b2", palette["positive"] ?? "#d55e00", ...more];
}

export function isDark(palette: Palette): boolean {
  const [r, g, b] = rgb(palette["paper"] ?? "#ffffff");
  return r + g + b < 384;
}

/** The colour of class k: 0 is the negative one, 1 the positive one. */
export function classColour(palette: Palette, k: number): string {
  const all = hues(palette);
  return all[k % all.length] as string;
}

const SYMBOLS: SymbolType[] = [
  symbolCircle,
  symbolTriangle,
  symbolSquare,
  symbolDiamond,
  symbolCross,
  symbolStar,
  symbolWye,
];

/** The shape of class k, so that classes differ by more than colour. */
export function classSymbol(k: number): SymbolType {
  return SYMBOLS[k % SYMBOLS.length] as SymbolType;
}

/** The colour of a run's curves; the runs of a session are numbered. */
export function runColour(palette: Palette, run: number): string {
  const all = hues(palette).slice(2).filter((hue) => !GREYS.includes(hue));
  return all[run % all.length] as string;
}

const DASHES = ["", "7 2", "2 2", "7 2 2 2"];

/** The dashes of a run's curves, so that runs differ by more than colour. */
export function runDash(run: number): string {
  return DASHES[run % DASHES.length] as string;
}
