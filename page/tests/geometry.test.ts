/** Where things are drawn: pure geometry. */

import { scaleLinear } from "d3-scale";
import { expect, test } from "vitest";
import type { Hello, State } from "../src/contract";
import { answer } from "../src/draw/classes";
import { Curve, EPOCH, STEP, TRAIN_LOSS } from "../src/draw/curve";
import { contour, largest, shade } from "../src/draw/heat";
import { along, distance, HEADING, layout, lineBetween } from "../src/draw/layout";
import { flat, rank } from "../src/draw/network";
import { nearest, placed } from "../src/draw/points";

const BELOW = 40;
const FEATURES = ["x", "y", "x2", "y2", "xy", "sinx", "siny"];
const hello = { choices: { features: FEATURES } } as unknown as Hello;

function network(widths: number[], image: [number, number] | null = null): State {
  const hidden = widths.map((width) => ({ kind: "hidden", units: Array<string>(width).fill("h") }));
  const features = { kind: "features", units: image ? ["p0", "p1"] : ["y", "x2"] };
  const columns = [features, ...hidden, { kind: "output", units: ["y"] }];
  const data = { image, names: [] };
  return { settings: { data: "circle" }, data, network: { columns } } as unknown as State;
}

test.each([
  [900, 650, [4, 2]],
  [360, 460, [64, 1, 64]],
  [1600, 1000, [6, 6, 6, 6, 6, 6]],
  [700, 300, []],
])("on a stage of %i × %i all units are within it, and apart", (width, height, widths) => {
  const { units, features, columns } = layout(hello, network(widths), width, height, HEADING, BELOW);
  expect(units.map((column) => column.length)).toEqual([2, ...widths, 1]);
  expect(features.map(({ key }) => key)).toEqual(FEATURES);
  expect(features.map(({ index }) => index)).toEqual([-1, 0, 1, -1, -1, -1, -1]);
  for (const column of [features, ...units]) {
    for (const { x, y, size } of column) {
      expect(x - size / 2).toBeGreaterThanOrEqual(0);
      expect(x + size / 2).toBeLessThanOrEqual(width);
      expect(y - size / 2).toBeGreaterThanOrEqual(HEADING);
      expect(y + size / 2).toBeLessThanOrEqual(height);
    }
  }
  for (const column of [features, ...units.slice(1)]) {
    column.slice(1).forEach((place, k) => {
      const above = column[k]!;
      expect(place.y - place.size / 2).toBeGreaterThan(above.y + above.size / 2);
    });
  }
  const across = columns.map(({ x }) => x);
  expect(across).toEqual([...across].sort((one, other) => one - other));
});

test("the pixels of an image share one place", () => {
  const { units, features } = layout(hello, network([3], [1, 2]), 800, 420, HEADING, BELOW);
  expect(features).toHaveLength(1);
  expect(units[0]).toEqual([features[0], features[0]]);
});

test("a line runs from side to side, and is near where it is drawn", () => {
  const line = lineBetween({ x: 10, y: 0, size: 20 }, { x: 130, y: 80, size: 20 });
  expect(line).toEqual({ x0: 20, y0: 0, x1: 120, y1: 80 });
  expect(along(line, 0)).toEqual({ x: 20, y: 0 });
  expect(along(line, 0.5)).toEqual({ x: 70, y: 40 });
  expect(along(line, 1)).toEqual({ x: 120, y: 80 });
  for (const s of [0, 0.1, 0.5, 0.9]) {
    const { x, y } = along(line, s);
    expect(distance(line, x, y)).toBeCloseTo(0);
    expect(distance(line, x, y + 5)).toBeLessThanOrEqual(5);
  }
  expect(distance(line, 19, 0)).toBe(Infinity);
  expect(distance(line, 121, 80)).toBe(Infinity);
});

test("an element is found in its row, and a unit in its column", () => {
  const matrix = { name: "W1", column: 1, shape: [2, 3], offset: 10 };
  expect(flat(matrix, [1, 2])).toBe(15);
  expect(flat({ ...matrix, shape: [3] }, [2])).toBe(12);
  expect(rank(network([4, 2]), 1, 3)).toBe(3);
  expect(rank(network([4, 2]), 3, 0)).toBe(6);
});

test("a curve is read at any step, between its rows and beyond them", () => {
  const row = (step: number, loss: number) => [step, step / 10, loss, 0, 0, 0, 0];
  const data = Float64Array.from([...row(0, 1), ...row(10, NaN), ...row(40, 0.25)]);
  const curve = new Curve({ data, shape: [3, 7] });
  expect(curve.rows).toBe(3);
  expect(curve.nearest(STEP, 24)).toBe(1);
  expect(curve.nearest(STEP, 26)).toBe(2);
  expect(curve.nearest(STEP, 99)).toBe(2);
  expect(curve.between(STEP, EPOCH, 25)).toBe(2.5);
  expect(curve.between(EPOCH, STEP, 0.5)).toBe(5);
  expect(curve.extent(TRAIN_LOSS)).toEqual({ least: 0.25, most: 1, above: 0.25 });
  expect(new Curve(undefined).between(STEP, EPOCH, 3)).toBe(0);
});

/** The lines that a path is given. */
class Lines {
  all: number[][] = [];
  moveTo(x: number, y: number): void {
    this.all.push([x, y]);
  }
  lineTo(x: number, y: number): void {
    this.all.at(-1)!.push(x, y);
  }
}

test("the line of a map is where it crosses the level", () => {
  const values = Float32Array.from([0, 1, 2, 0, 1, 2, 0, 1, 2]); // x, over a square of 3 by 3
  const lines = new Lines();
  contour(lines as unknown as Path2D, values, 0, 3, 0.5, 0, 0, 100);
  expect(lines.all).toHaveLength(2);
  for (const [x0, , x1] of lines.all) expect([x0, x1]).toEqual([25, 25]);
  expect(lines.all.flatMap(([, y0, , y1]) => [y0, y1]).sort()).toEqual([0, 50, 50, 100].sort());
  const none = new Lines();
  contour(none as unknown as Path2D, values, 0, 3, 7, 0, 0, 100);
  expect(none.all).toEqual([]);
});

test("shades go from one end of the range to the other, and no further", () => {
  const shades = Uint32Array.from({ length: 256 }, (_, k) => k);
  const values = Float32Array.from([-9, -2, 0, 2, 9]);
  const pixels = new Uint32Array(5);
  shade(pixels, 0, values, 0, 5, { middle: 0, half: 2 }, shades);
  expect([...pixels]).toEqual([0, 0, 128, 255, 255]);
  shade(pixels, 0, values, 0, 5, { middle: 0, half: 2 }, shades, true);
  expect([...pixels]).toEqual([0, 0, 255, 255, 255]);
  expect(largest(Float32Array.from([1, -3, Infinity]), 0, 3, 0.5)).toBe(3);
});

test("the answer is the class of the largest value", () => {
  const map = { data: Float32Array.from([1, 0, 0, 2, 5, 5, 0, 0]), shape: [2, 2, 2] };
  expect([0, 1, 2, 3].map((at) => answer(map, at))).toEqual([1, 1, 0, 0]);
});

test("points on the map, and the one that is near", () => {
  const x = scaleLinear().domain([0, 1]).range([0, 100]);
  const y = scaleLinear().domain([0, 1]).range([100, 0]);
  const points = placed(Float64Array.from([0, 0, 0.5, 0.5, 2, 0.5, 1, 1]), 4, x, y, 100);
  expect(points).toEqual([
    { x: 0, y: 100, row: 0 },
    { x: 50, y: 50, row: 1 },
    { x: 100, y: 0, row: 3 },
  ]);
  expect(nearest(points, 54, 53, 12)).toBe(1);
  expect(nearest(points, 54, 53, 4)).toBe(-1);
});
