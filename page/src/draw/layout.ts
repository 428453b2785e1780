/** Where the units of a network are on its stage, and where the lines between them run. */

import type { Hello, State } from "../contract";
import { featureKeys } from "./network";

/** A unit's tile: its middle and its side. */
export interface Place {
  x: number;
  y: number;
  size: number;
}

export interface FeaturePlace extends Place {
  key: string;
  /** Its place among the network's inputs; −1 when it is not used. */
  index: number;
}

export interface Layout {
  /** By column and place in it; where the inputs are the pixels of an image, all share its place. */
  units: Place[][];
  features: FeaturePlace[];
  /** The middle of every column, and how wide a heading may be there. */
  columns: { x: number; width: number }[];
}

/** What stands above the units; fingers need larger buttons. */
export const HEADING = 108;
export const COARSE_HEADING = 156;
const LABELS = 58;
const OUTPUTS = 66;
/** On a stage of this height there is room for the legend. */
export const LEGEND_FROM = 420;
/** On a large screen tiles are larger: a twelfth of the height. */
const TILE = 54;
const LARGEST_TILE = 84;
const IMAGE = 84;

/** The layout of a state's network on a stage of this size, between a heading and what is below it. */
export function layout(
  hello: Hello,
  state: State,
  width: number,
  height: number,
  heading: number,
  below: number,
): Layout {
  const columns = state.network.columns;
  const keys = featureKeys(hello, state);
  const image = state.data.image ?? null;
  const room = Math.max(60, height - heading - below);
  const middle = heading + room / 2;
  const tile = Math.max(TILE, Math.min(LARGEST_TILE, room / 12, width / 12));
  const first = LABELS + (image ? IMAGE : tile) / 2;
  const last = Math.max(first + 80, width - OUTPUTS - tile / 2);
  const apart = (last - first) / (columns.length - 1);

  const spread = (count: number, x: number): Place[] => {
    const pitch = Math.min(1.55 * tile, room / count);
    const gap = pitch < 16 ? 1.2 : Math.min(pitch * 0.3, 14 + pitch * 0.1);
    const size = Math.max(4, Math.min(tile, pitch - gap, 0.5 * apart));
    return Array.from({ length: count }, (_, k) => ({
      x,
      y: middle + (k - (count - 1) / 2) * pitch,
      size,
    }));
  };

  let features: FeaturePlace[];
  if (image) {
    features = [{ key: "", index: 0, x: first, y: middle, size: Math.min(IMAGE, 0.6 * apart) }];
  } else {
    const used = columns[0]?.units ?? [];
    features = spread(keys.length, first).map((place, k) => ({
      ...place,
      key: keys[k]!,
      index: used.indexOf(keys[k]!),
    }));
  }
  const units = columns.map((column, k) => {
    if (k > 0) return spread(column.units.length, first + k * apart);
    if (image) return column.units.map(() => features[0]!);
    return column.units.map((key) => features.find((feature) => feature.key === key)!);
  });
  return {
    units,
    features,
    columns: columns.map((_, k) => ({ x: first + k * apart, width: Math.min(apart - 6, 104) })),
  };
}

/** A line from one unit's right side to another's left side. */
export interface Line {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

export function lineBetween(from: Place, to: Place): Line {
  return { x0: from.x + from.size / 2, y0: from.y, x1: to.x - to.size / 2, y1: to.y };
}

/** Adds the line to a path: y runs from y0 to y1 as 3s² − 2s³. */
export function trace(path: Path2D, { x0, y0, x1, y1 }: Line): void {
  const third = (x1 - x0) / 3;
  path.moveTo(x0, y0);
  path.bezierCurveTo(x0 + third, y0, x1 - third, y1, x1, y1);
}

/** The point of a line at part s of its way. */
export function along({ x0, y0, x1, y1 }: Line, s: number): { x: number; y: number } {
  return { x: x0 + s * (x1 - x0), y: y0 + s * s * (3 - 2 * s) * (y1 - y0) };
}

/** How far a point is from a line, nearly; infinity before its start and after its end. */
export function distance(line: Line, x: number, y: number): number {
  const s = (x - line.x0) / (line.x1 - line.x0);
  if (!(s >= 0 && s <= 1)) return Infinity;
  const slope = (6 * s * (1 - s) * (line.y1 - line.y0)) / (line.x1 - line.x0);
  return Math.abs(along(line, s).y - y) / Math.hypot(1, slope);
}
