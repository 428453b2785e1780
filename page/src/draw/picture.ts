/** The network as a picture on a canvas, drawn anew for every frame: lines below, tiles above. */

import type { Frame, Hello, Palette, Parameter, State } from "../contract";
import type { Numbers } from "../message";
import type { Selection } from "../stores.svelte";
import { between, css, rgb, signedShades, signs, SHADES } from "./colour";
import { cleared, contour, enlarge, largest, shade, Sheet, type Range } from "./heat";
import { along, lineBetween, trace, type Layout, type Line, type Place } from "./layout";
import {
  biasesOf,
  bounded,
  featureKeys,
  flat,
  middle,
  rank,
  targetRange,
  weightsInto,
} from "./network";
import { short } from "./numbers";
import { unitValue, type Drawn } from "./quantity";

export interface Look {
  hello: Hello;
  state: State;
  frame: Frame;
  palette: Palette;
  layout: Layout;
  width: number;
  height: number;
  discretize: boolean;
  hovered: Selection | null;
  selected: Selection | null;
  /** What lines and marks show, and its numbers, in the order of the weights; null where there are none. */
  drawn: Drawn;
  numbers: Numbers | null;
  /** The last column that the followed row has come to. */
  reached: number;
  /** The column that an operation is about. */
  lit: number | null;
  /** Whether lines flow. */
  moving: boolean;
  /** A unit as trouble names it: its column and place. */
  isTroubled: (column: number, index: number) => boolean;
}

/** Lines are drawn in strokes of many at once, by sign and strength. */
const LEVELS = 12;
const THINNEST = 0.6;
const THICKEST = 7;
/** More lines between two columns than these make a haze: only the strongest are drawn. */
export const MOST_LINES = 300;
/** Of more lines than these, each is the fainter the more there are. */
const CLEAR = 120;
/** Up to so many lines flow. */
const FLOWING = 400;
const CONTOURED = 26;
const MARKED = 22;
/** Units as large as this have room for a number; of more lines between two columns none has. */
const NUMBERED = 22;
const ROOMY = 44;
const MOST_NUMBERS = 12;

/** What the thickest line stands for: the largest number, and of weights 1 at least. */
export function thickest(state: State, drawn: Drawn, weights: Numbers): number {
  let most = drawn === "weight" ? 1 : 1e-300;
  for (const { shape, offset } of state.network.parameters) {
    if (shape.length === 2) most = largest(weights, offset, shape[0]! * shape[1]!, most);
  }
  return most;
}

/** The size that a weight must have to be drawn, where there are more than MOST_LINES. */
export function threshold(weights: Numbers, { shape, offset }: Parameter): number {
  const length = shape[0]! * shape[1]!;
  if (length <= MOST_LINES) return 0;
  const sizes = Float64Array.from({ length }, (_, k) => Math.abs(weights[offset + k]!)).sort();
  return sizes[length - MOST_LINES]!;
}

const SMALL_TEXT = 11;
const OF_SIGN = 6.6;
/** Where numbers stand on lines, in the order in which it is tried. */
const PARTS = [0.5, 0.4, 0.6, 0.32, 0.68, 0.25, 0.75, 0.82];

/** A number on the picture: its middle, and half of its sides. */
interface Box {
  x: number;
  y: number;
  wide: number;
  high: number;
}

/** Where on a line a number has room beside others and the units; null where there is none. */
function freePlace(line: Line, text: string, taken: Box[]): Box | null {
  const wide = (OF_SIGN * text.length) / 2 + 2;
  const high = 7;
  for (const part of PARTS) {
    const { x, y } = along(line, part);
    if (x - wide < line.x0 || x + wide > line.x1) continue;
    const apart = (other: Box) =>
      Math.abs(other.x - x) >= other.wide + wide || Math.abs(other.y - y) >= other.high + high;
    if (taken.every(apart)) return { x, y, wide, high };
  }
  return null;
}

export class Picture {
  #tiles = new Sheet();
  #phase = 0;
  #shades: Uint32Array = new Uint32Array(SHADES);
  #shadesOf: Palette | null = null;

  draw(canvas: HTMLCanvasElement, look: Look): void {
    if (this.#shadesOf !== look.palette) {
      this.#shadesOf = look.palette;
      this.#shades = signedShades(look.palette);
    }
    if (look.moving) this.#phase += 1;
    const context = cleared(canvas, look.width, look.height);
    if (look.lit !== null) this.#light(context, look, look.lit);
    this.#lines(context, look);
    this.#units(context, look);
    if (look.drawn === "signal") this.#values(context, look);
  }

  /** A band behind the column that an operation is about, and behind the lines that lead there. */
  #light(context: CanvasRenderingContext2D, { layout, palette }: Look, column: number): void {
    const places = layout.units[column];
    const first = places?.[0];
    const end = places?.at(-1);
    if (!first || !end) return;
    const before = layout.units[column - 1]?.[0];
    const half = first.size / 2 + 9;
    const left = before ? before.x + before.size / 2 + 4 : first.x - half;
    context.fillStyle = palette["highlight"]!;
    context.globalAlpha = 0.16;
    context.fillRect(left, first.y - half, first.x + half - left, end.y - first.y + 2 * half);
    context.globalAlpha = 0.45;
    context.fillRect(first.x - half, first.y - half, 2 * half, end.y - first.y + 2 * half);
    context.globalAlpha = 1;
  }

  /** The followed row's number at every unit that it has come to. */
  #values(context: CanvasRenderingContext2D, look: Look): void {
    const { state, frame, layout, palette } = look;
    layout.units.forEach((places, column) => {
      if (column > look.reached || (column === 0 && state.data.image)) return;
      places.forEach((place, index) => {
        const value = unitValue(state, frame, column, index);
        if (value === undefined || place.size < NUMBERED) return;
        const { x, y, size } = place;
        this.#text(context, palette, short(value), x, y + size / 2 - 7, size < ROOMY ? 10 : 12);
      });
    });
  }

  #text(
    context: CanvasRenderingContext2D,
    palette: Palette,
    text: string,
    x: number,
    y: number,
    size = 12,
  ): void {
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 5;
    context.strokeStyle = palette["paper"]!;
    context.strokeText(text, x, y);
    context.fillStyle = palette["ink"]!;
    context.fillText(text, x, y);
  }

  #lines(context: CanvasRenderingContext2D, look: Look): void {
    const { state, layout, palette } = look;
    if (look.numbers === null) return this.#bare(context, look);
    const weights = look.numbers;
    const most = thickest(state, look.drawn, weights);
    const chosen = look.hovered ?? look.selected;
    const [negative, positive] = signs(palette).map(css) as [string, string];
    const total = state.network.parameters.reduce(
      (sum, { shape }) => sum + (shape.length === 2 ? shape[0]! * shape[1]! : 0),
      0,
    );
    context.lineCap = "butt";
    for (let column = 1; column < layout.units.length; column++) {
      const parameter = weightsInto(state, column);
      if (!parameter) continue;
      const from = layout.units[column - 1]!;
      const to = layout.units[column]!;
      if (column === 1 && state.data.image) {
        this.#bundle(context, look, parameter, from[0]!, to);
        continue;
      }
      const least = threshold(weights, parameter);
      const drawn = Math.min(MOST_LINES, from.length * to.length);
      const ahead = look.drawn === "signal" && column > look.reached;
      const haze = Math.min(1, Math.sqrt(CLEAR / drawn)) * (ahead ? 0.15 : 1);
      const numbered = look.drawn === "signal" && !ahead && from[0]!.size >= NUMBERED;
      const wide = Math.max(1.5, Math.min(THICKEST, from[0]!.size * 0.4, to[0]!.size * 0.4));
      const paths: (Path2D | undefined)[] = [];
      const told: [text: string, line: Line][] = [];
      for (let i = 0; i < from.length; i++) {
        for (let j = 0; j < to.length; j++) {
          const weight = weights[parameter.offset + i * to.length + j]!;
          const size = Math.abs(weight);
          if (!(size >= least)) continue;
          const touched =
            chosen?.kind !== "unit" ||
            (chosen.column === column - 1 && chosen.index === i) ||
            (chosen.column === column && chosen.index === j);
          if (numbered && touched && (drawn <= MOST_NUMBERS || chosen?.kind === "unit")) {
            told.push([short(weight), lineBetween(from[i]!, to[j]!)]);
          }
          const level = Math.min(LEVELS - 1, Math.floor((LEVELS * size) / most));
          const slot = (weight < 0 ? 0 : LEVELS) + level + (touched ? 0 : 2 * LEVELS);
          trace((paths[slot] ??= new Path2D()), lineBetween(from[i]!, to[j]!));
        }
      }
      for (const touched of [false, true]) {
        for (let level = 0; level < LEVELS; level++) {
          for (const sign of [0, 1]) {
            const path = paths[sign * LEVELS + level + (touched ? 0 : 2 * LEVELS)];
            if (!path) continue;
            const strength = (level + 0.5) / LEVELS;
            context.lineWidth = THINNEST + (wide - THINNEST) * strength;
            context.strokeStyle = sign ? positive : negative;
            context.globalAlpha =
              (0.3 + 0.7 * Math.min(1, 1.6 * strength)) * (touched ? haze : 0.2 * haze);
            const dash = 3 + context.lineWidth * 0.9;
            context.setLineDash(sign ? [] : [dash, dash * 0.55]);
            context.lineDashOffset = -this.#phase % (dash * 1.55);
            context.stroke(path);
            if (sign && look.moving && total <= FLOWING && touched) {
              context.strokeStyle = palette["paper"]!;
              context.globalAlpha = 0.55;
              context.lineWidth *= 0.5;
              context.setLineDash([2, 22]);
              context.lineDashOffset = -this.#phase % 24;
              context.stroke(path);
            }
          }
        }
      }
      context.globalAlpha = 1;
      context.setLineDash([]);
      if (told.length <= MOST_NUMBERS) {
        const taken: Box[] = [];
        for (const [text, line] of told) {
          const place = freePlace(line, text, taken);
          if (!place) continue;
          taken.push(place);
          this.#text(context, palette, text, place.x, place.y, SMALL_TEXT);
        }
      }
    }
    context.globalAlpha = 1;
    context.setLineDash([]);
    for (const selection of [look.selected, look.hovered]) {
      if (selection?.kind === "weight") this.#chosenLine(context, look, selection, most);
    }
  }

  /** The lines without anything to say of them. */
  #bare(context: CanvasRenderingContext2D, { layout, state, palette }: Look): void {
    const path = new Path2D();
    layout.units.slice(1).forEach((to, k) => {
      const from = k === 0 && state.data.image ? layout.units[0]!.slice(0, 1) : layout.units[k]!;
      if (from.length * to.length > MOST_LINES) return;
      for (const one of from) for (const other of to) trace(path, lineBetween(one, other));
    });
    context.strokeStyle = palette["muted"]!;
    context.globalAlpha = 0.4;
    context.lineWidth = THINNEST;
    context.stroke(path);
    context.globalAlpha = 1;
  }

  /** All the weights from the pixels of an image into a unit, as one line of their norm. */
  #bundle(
    context: CanvasRenderingContext2D,
    look: Look,
    { offset, shape }: Parameter,
    from: Place,
    to: Place[],
  ): void {
    const weights = look.numbers!;
    const [inputs = 0, units = 0] = shape;
    const norms = to.map((_, j) => {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += weights[offset + i * units + j]! ** 2;
      return Math.sqrt(sum);
    });
    const most = Math.max(look.drawn === "weight" ? 1 : 1e-300, ...norms);
    context.strokeStyle = look.palette["box line"]!;
    to.forEach((place, j) => {
      const path = new Path2D();
      trace(path, lineBetween(from, place));
      context.lineWidth = Math.min(0.4 * place.size, 1 + (4 * norms[j]!) / most);
      context.stroke(path);
    });
  }

  #chosenLine(
    context: CanvasRenderingContext2D,
    { state, numbers, layout, palette }: Look,
    { parameter, place }: Extract<Selection, { kind: "weight" }>,
    most: number,
  ): void {
    const found = state.network.parameters[parameter];
    const from = layout.units[(found?.column ?? 0) - 1]?.[place[0]!];
    const to = layout.units[found?.column ?? 0]?.[place[1] ?? -1];
    if (!found || !from || !to || !numbers) return;
    const weight = numbers[flat(found, place)]!;
    const line = lineBetween(from, to);
    const path = new Path2D();
    trace(path, line);
    const width = THINNEST + THICKEST * Math.min(1, Math.abs(weight) / most);
    context.lineCap = "round";
    context.strokeStyle = palette["highlight"]!;
    context.lineWidth = width + 5;
    context.globalAlpha = 0.55;
    context.stroke(path);
    context.globalAlpha = 1;
    context.lineCap = "butt";
    context.strokeStyle = css(signs(palette)[weight < 0 ? 0 : 1]);
    context.lineWidth = Math.max(1.25, width);
    context.setLineDash(weight < 0 ? [3 + width, 2 + width / 2] : []);
    context.stroke(path);
    context.setLineDash([]);
    const { x, y } = along(line, 0.5);
    this.#text(context, palette, short(weight), x, y - 12);
  }

  #units(context: CanvasRenderingContext2D, look: Look): void {
    const { hello, state, frame, layout } = look;
    const columns = state.network.columns;
    const features = state.arrays["features"];
    const units = frame.arrays["units"];
    const map = frame.arrays["map"];
    if (state.data.image) this.#image(context, look);
    else {
      const keys = featureKeys(hello, state);
      const side = features?.shape[1] ?? 0;
      if (features) {
        this.#shadeMaps(features.data, keys.length, side, look, () => null);
      }
      for (const place of layout.features) {
        context.globalAlpha = place.index < 0 ? 0.35 : 1;
        const at = keys.indexOf(place.key);
        if (features) this.#tile(context, look, place, features.data, at, side, 0);
        else this.#knob(context, look, place);
      }
      context.globalAlpha = 1;
    }
    const hidden = columns.filter((column) => column.kind === "hidden");
    const means = frame.arrays["means"]?.data ?? new Float32Array(0);
    if (units) {
      const [count = 0, side = 0] = units.shape;
      const ranges = hidden.flatMap((column) =>
        column.units.map(() => (bounded(column.activation) ? { middle: 0, half: 1 } : null)),
      );
      this.#shadeMaps(units.data, count, side, look, (k) => ranges[k] ?? null);
      hidden.forEach((column, k) => {
        layout.units[k + 1]!.forEach((place, index) => {
          const at = rank(state, k + 1, index);
          this.#tile(context, look, place, units.data, at, side, middle(column.activation));
        });
      });
    } else {
      hidden.forEach((column, k) => {
        const first = rank(state, k + 1, 0);
        const most = bounded(column.activation)
          ? 1
          : largest(means, first, column.units.length, 1e-9);
        layout.units[k + 1]!.forEach((place, index) => {
          if (k === 0 && state.data.image) this.#weightImage(context, look, place, index);
          else this.#bar(context, look, place, means[first + index] ?? 0, most);
        });
      });
    }
    const last = columns.length - 1;
    if (map) {
      const [count = 0, side = 0] = map.shape;
      const range = targetRange(state);
      this.#shadeMaps(map.data, count, side, look, () => range);
      const level = range.middle + middle(columns[last]!.activation);
      layout.units[last]!.forEach((place, index) => {
        this.#tile(context, look, place, map.data, index, side, level);
      });
    } else {
      const { activation, units: outputs } = columns[last]!;
      const first = rank(state, last, 0);
      const most = activation === "tanh" ? 1 : largest(means, first, outputs.length, 1e-9);
      layout.units[last]!.forEach((place, index) => {
        this.#bar(context, look, place, means[first + index] ?? 0, most);
      });
    }
    this.#marks(context, look);
  }

  /** Puts the maps below each other on the sheet; a range of null is the map's own. */
  #shadeMaps(
    values: Numbers,
    count: number,
    side: number,
    { discretize }: Look,
    rangeOf: (k: number) => Range | null,
  ): void {
    const area = side * side;
    const pixels = this.#tiles.pixels(side, side * count);
    for (let k = 0; k < count; k++) {
      const range = rangeOf(k) ?? { middle: 0, half: largest(values, k * area, area, 1e-9) };
      shade(pixels, k * area, values, k * area, area, range, this.#shades, discretize);
    }
    this.#tiles.put();
  }

  #tile(
    context: CanvasRenderingContext2D,
    { palette, discretize }: Look,
    { x, y, size }: Place,
    values: Numbers,
    at: number,
    side: number,
    level: number,
  ): void {
    const left = x - size / 2;
    const top = y - size / 2;
    context.imageSmoothingEnabled = !discretize;
    enlarge(context, this.#tiles, at, side, left, top, size);
    if (size >= CONTOURED) {
      const line = new Path2D();
      contour(line, values, at * side * side, side, level, left, top, size);
      context.strokeStyle = palette["ink"]!;
      context.lineWidth = 0.7;
      const opacity = context.globalAlpha;
      context.globalAlpha = 0.6 * opacity;
      context.stroke(line);
      context.globalAlpha = opacity;
    }
    this.#frame(context, palette, left, top, size);
  }

  #frame(
    context: CanvasRenderingContext2D,
    palette: Palette,
    left: number,
    top: number,
    size: number,
  ): void {
    context.strokeStyle = palette["ink"]!;
    context.lineWidth = size >= CONTOURED ? 1.1 : 0.5;
    context.strokeRect(left, top, size, size);
  }

  /** An input or output that has no map. */
  #knob(context: CanvasRenderingContext2D, { palette }: Look, { x, y, size }: Place): void {
    context.fillStyle = palette["box"]!;
    context.fillRect(x - size / 2, y - size / 2, size, size);
    this.#frame(context, palette, x - size / 2, y - size / 2, size);
  }

  /** The mean activation over the data, up or down from the middle; `most` fills the tile. */
  #bar(context: CanvasRenderingContext2D, look: Look, place: Place, mean: number, most: number): void {
    const { x, y, size } = place;
    context.fillStyle = look.palette["paper"]!;
    context.fillRect(x - size / 2, y - size / 2, size, size);
    context.fillStyle = css(signs(look.palette)[mean < 0 ? 0 : 1]);
    context.globalAlpha = 0.8;
    const height = (Math.min(1, Math.abs(mean) / most) * size) / 2;
    context.fillRect(x - size * 0.22, mean < 0 ? y : y - height, size * 0.44, height);
    context.globalAlpha = 1;
    context.fillStyle = look.palette["muted"]!;
    context.fillRect(x - size / 2, y - 0.5, size, 1);
    this.#frame(context, look.palette, x - size / 2, y - size / 2, size);
  }

  /** What a unit of the first layer looks for in the image: its weights, where their pixels are. */
  #weightImage(context: CanvasRenderingContext2D, look: Look, place: Place, unit: number): void {
    const { state, frame, palette } = look;
    const parameter = weightsInto(state, 1)!;
    const [rows = 0, across = 0] = state.data.image!;
    const weights = frame.arrays["weights"]!.data;
    const units = parameter.shape[1]!;
    const own = Float64Array.from(
      { length: rows * across },
      (_, i) => weights[parameter.offset + i * units + unit]!,
    );
    const pixels = this.#tiles.pixels(across, rows);
    const range = { middle: 0, half: largest(own, 0, own.length, 1e-9) };
    shade(pixels, 0, own, 0, own.length, range, this.#shades);
    this.#stamp(context, palette, place, across, rows);
  }

  /** The image that the inputs are: the followed row's, or how much the first layer weighs each pixel. */
  #image(context: CanvasRenderingContext2D, { state, frame, palette, layout, drawn }: Look): void {
    const parameter = weightsInto(state, 1)!;
    const [rows = 0, across = 0] = state.data.image!;
    const weights = frame.arrays["weights"]!.data;
    const units = parameter.shape[1]!;
    const norms = Float64Array.from({ length: rows * across }, (_, i) => {
      if (drawn === "signal") return Math.max(0, unitValue(state, frame, 0, i) ?? 0);
      let sum = 0;
      for (let j = 0; j < units; j++) sum += weights[parameter.offset + i * units + j]! ** 2;
      return Math.sqrt(sum);
    });
    const most = largest(norms, 0, norms.length, 1e-9);
    const paper = rgb(palette["paper"]!);
    const ink = rgb(palette["ink"]!);
    const pixels = this.#tiles.pixels(across, rows);
    norms.forEach((norm, i) => {
      const [r, g, b] = between(paper, ink, (0.75 * norm) / most);
      pixels[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    });
    this.#stamp(context, palette, layout.features[0]!, across, rows);
  }

  #stamp(
    context: CanvasRenderingContext2D,
    palette: Palette,
    { x, y, size }: Place,
    across: number,
    rows: number,
  ): void {
    this.#tiles.put();
    context.imageSmoothingEnabled = false;
    context.drawImage(
      this.#tiles.canvas, 0, 0, across, rows, x - size / 2, y - size / 2, size, size,
    );
    this.#frame(context, palette, x - size / 2, y - size / 2, size);
  }

  /** Biases in the lower left corner; rings around what is chosen, pointed at or in trouble. */
  #marks(context: CanvasRenderingContext2D, look: Look): void {
    const { state, layout, palette, numbers } = look;
    const most =
      look.drawn === "weight" || !numbers ? 2 : largest(numbers, 0, numbers.length, 1e-300);
    for (let column = 1; column < layout.units.length; column++) {
      const biases = biasesOf(state, column);
      layout.units[column]!.forEach((place, index) => {
        const left = place.x - place.size / 2;
        const bottom = place.y + place.size / 2;
        if (biases && numbers && place.size >= MARKED) {
          const bias = numbers[biases.offset + index]!;
          const colour = signs(palette)[bias < 0 ? 0 : 1];
          const strength = Math.min(1, 0.12 + Math.abs(bias) / most);
          context.fillStyle = css(between(rgb(palette["paper"]!), colour, strength));
          context.strokeStyle = palette["ink"]!;
          context.lineWidth = 1;
          context.beginPath();
          if (bias < 0) context.rect(left - 4, bottom - 4, 8, 8);
          else context.arc(left, bottom, 4.6, 0, 2 * Math.PI);
          context.fill();
          context.stroke();
        }
        if (look.isTroubled(column, index)) this.#ring(context, place, palette["bad"]!, 2.5, [4, 3]);
      });
    }
    const ring = (selection: Selection | null, width: number): void => {
      if (selection?.kind !== "unit") return;
      const place = layout.units[selection.column]?.[selection.index];
      if (place) this.#ring(context, place, palette["highlight"]!, width, []);
    };
    ring(look.selected, 3);
    ring(look.hovered, 2);
  }

  #ring(
    context: CanvasRenderingContext2D,
    { x, y, size }: Place,
    colour: string,
    width: number,
    dash: number[],
  ): void {
    const half = size / 2 + 1 + width / 2;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.strokeRect(x - half, y - half, 2 * half, 2 * half);
    context.setLineDash([]);
  }
}
