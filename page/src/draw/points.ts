/** Data points on a map: filled for training, outlined for testing; class by colour and shape. */

import { symbol } from "d3-shape";
import type { Palette, State } from "../contract";
import type { Numbers } from "../message";
import { between, classColour, classSymbol, css, rgb, signs } from "./colour";
import type { Range } from "./heat";

export interface Placed {
  x: number;
  y: number;
  row: number;
}

/** The rows that lie on the map, in its pixels. */
export function placed(
  points: Numbers,
  rows: number,
  x: (value: number) => number,
  y: (value: number) => number,
  size: number,
): Placed[] {
  const all: Placed[] = [];
  for (let row = 0; row < rows; row++) {
    const px = x(points[2 * row] as number);
    const py = y(points[2 * row + 1] as number);
    if (px >= 0 && px <= size && py >= 0 && py <= size) all.push({ x: px, y: py, row });
  }
  return all;
}

/** Draws the points of a state. */
export function drawPoints(
  context: CanvasRenderingContext2D,
  points: Placed[],
  state: State,
  palette: Palette,
  range: Range,
): void {
  const labels = state.arrays["labels"]?.data ?? [];
  const area = points.length > 1000 ? 16 : points.length > 400 ? 22 : 28;
  const paper = palette["paper"] as string;
  const marks = new Map<number, Path2D>();
  const shapeOf = (k: number): Path2D => {
    let mark = marks.get(k);
    if (!mark) {
      const triangular = k % 7 === 1 || k % 7 === 6;
      mark = new Path2D(symbol(classSymbol(k), triangular ? area * 0.95 : area)() ?? "");
      marks.set(k, mark);
    }
    return mark;
  };
  const draw = (wanted: (row: number) => boolean, filled: boolean): void => {
    for (const { x, y, row } of points) {
      if (!wanted(row)) continue;
      const label = labels[row] as number;
      const regression = state.problem === "regression";
      const colour = regression ? valueColour(palette, label, range) : classColour(palette, label);
      const mark = shapeOf(regression ? 0 : label);
      context.setTransform(context.getTransform().translate(x, y));
      if (filled) {
        context.fillStyle = colour;
        context.strokeStyle = regression ? (palette["ink"] as string) : paper;
        context.lineWidth = regression ? 0.5 : 0.8;
        context.fill(mark);
      } else {
        context.fillStyle = paper;
        context.globalAlpha = 0.75;
        context.fill(mark);
        context.globalAlpha = 1;
        context.strokeStyle = colour;
        context.lineWidth = 1.1;
      }
      context.stroke(mark);
      context.setTransform(context.getTransform().translate(-x, -y));
    }
  };
  draw((row) => row >= state.data.train, false);
  draw((row) => row < state.data.train, true);
}

/** The colour of a target value: full at the ends of the range. */
export function valueColour(palette: Palette, value: number, { middle, half }: Range): string {
  const part = Math.max(-1, Math.min(1, (value - middle) / half));
  const [negative, positive] = signs(palette);
  const paper = rgb(palette["paper"] ?? "#ffffff");
  return css(between(paper, part < 0 ? negative : positive, Math.abs(part)));
}

/** The place in `points` of the nearest one within `reach` pixels; −1 if there is none. */
export function nearest(points: Placed[], x: number, y: number, reach: number): number {
  let best = -1;
  let least = reach * reach;
  for (let k = 0; k < points.length; k++) {
    const point = points[k] as Placed;
    const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
    if (distance <= least) {
      least = distance;
      best = k;
    }
  }
  return best;
}
