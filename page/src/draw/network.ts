/** Where a network's numbers are in the server's arrays, and what its parts are called. */

import type { Column, Frame, Hello, Parameter, State } from "../contract";
import type { NdArray } from "../message";
import type { App, Selection } from "../stores.svelte";

/** Whether the inputs are the columns of a table, not formulas of the two coordinates. */
export function isTable(state: State): boolean {
  return state.settings.data === "own" || state.settings.data === "digits";
}

/** The keys of all features that can be chosen. */
export function featureKeys(hello: Hello, state: State): string[] {
  return isTable(state) ? state.data.names : hello.choices.features;
}

/** The inputs that tell of missing cells, as the server names them: of a number, and of a text. */
const MISSING = /^(.*)( |=)\(missing\)$/s;

/** An input that a table's column became; the column keeps its name. */
export function inputName({ t }: App, key: string): string {
  const [, column, sign] = MISSING.exec(key) ?? [];
  if (column === undefined) return key;
  return t(sign === "=" ? "network.missing_text" : "network.missing", { column });
}

/** A feature as formulas write it, or an input of a table. */
export function featureName(app: App, state: State, key: string): string {
  if (state.data.image) {
    const place = state.data.names.indexOf(key);
    const across = state.data.image[1];
    return app.t("network.pixel", { row: Math.floor(place / across), column: place % across });
  }
  return isTable(state) ? inputName(app, key) : app.named("value", key);
}

export function column(state: State, index: number): Column | undefined {
  return state.network.columns[index];
}

/** What a unit is called in a sentence. */
export function unitName(app: App, state: State, columnIndex: number, index: number): string {
  const found = column(state, columnIndex);
  if (!found) return "";
  if (found.kind === "features") return featureName(app, state, found.units[index] ?? "");
  if (found.kind === "hidden") {
    return app.t("network.unit", { unit: index + 1, layer: columnIndex });
  }
  if (found.units.length === 1) return app.t("network.output");
  return app.t("network.output_of", { name: className(state, index) });
}

export function className(state: State, index: number): string {
  return state.data.classes?.[index] ?? String(index);
}

/** The matrix that leads into a column. */
export function weightsInto(state: State, columnIndex: number): Parameter | undefined {
  return state.network.parameters.find((p) => p.column === columnIndex && p.shape.length === 2);
}

export function biasesOf(state: State, columnIndex: number): Parameter | undefined {
  return state.network.parameters.find((p) => p.column === columnIndex && p.shape.length === 1);
}

/** Where an element of a parameter is in `weights`. */
export function flat({ shape, offset }: Parameter, place: number[]): number {
  return offset + (place.length === 2 ? place[0]! * shape[1]! + place[1]! : place[0]!);
}

/** An element as formulas on the page call it: counted from 1, as units are. */
export function elementName({ name }: Parameter, place: number[]): string {
  return `${name}[${place.map((k) => k + 1).join(",")}]`;
}

/** The parameter, its number in the state's list and the element that a selection means, if any. */
export function chosenElement(
  state: State,
  selection: Selection,
): { number: number; parameter: Parameter; place: number[] } | null {
  if (selection.kind === "weight") {
    const parameter = state.network.parameters[selection.parameter];
    return parameter ? { number: selection.parameter, parameter, place: selection.place } : null;
  }
  const bias = biasesOf(state, selection.column);
  if (!bias) return null;
  return {
    number: state.network.parameters.indexOf(bias),
    parameter: bias,
    place: [selection.index],
  };
}

/** The place of a unit among all hidden units and outputs, column by column. */
export function rank(state: State, columnIndex: number, index: number): number {
  let before = 0;
  for (let k = 1; k < columnIndex; k++) before += column(state, k)?.units.length ?? 0;
  return before + index;
}

/** The map of a unit as the latest frame has it, (1, S, S); null where there is no plane. */
export function unitMap(
  hello: Hello,
  state: State,
  frame: Frame,
  columnIndex: number,
  index: number,
): NdArray | null {
  const found = column(state, columnIndex);
  if (!found) return null;
  const source =
    found.kind === "features"
      ? state.arrays["features"]
      : found.kind === "hidden"
        ? frame.arrays["units"]
        : frame.arrays["map"];
  if (!source) return null;
  const at =
    found.kind === "features"
      ? featureKeys(hello, state).indexOf(found.units[index] ?? "")
      : found.kind === "hidden"
        ? rank(state, columnIndex, index)
        : index;
  const [, side = 0] = source.shape;
  const data = source.data.subarray(at * side * side, (at + 1) * side * side);
  return data.length ? { data, shape: [1, side, side] } : null;
}

/** Whether a unit's output stays between −1 and 1. */
export function bounded(activation: string | null): boolean {
  return activation === "tanh" || activation === "sigmoid" || activation === "softmax";
}

/** The value half-way between no and yes, where a map's line is drawn. */
export function middle(activation: string | null): number {
  return activation === "sigmoid" || activation === "softmax" ? 0.5 : 0;
}

/** A target or an output of a regression as the table has it. */
export function inOwnUnit({ data }: State, value: number): number {
  return value * data.unit[0] + data.unit[1];
}

/** The middle and the half width of the targets' range: what colours of a regression mean. */
export function targetRange(state: State): { middle: number; half: number } {
  const labels = state.arrays["labels"]?.data;
  if (state.problem === "classification" || !labels?.length) return { middle: 0, half: 1 };
  let least = Infinity;
  let most = -Infinity;
  for (const label of labels) {
    if (label < least) least = label;
    if (label > most) most = label;
  }
  if (least <= 0 && most >= 0) return { middle: 0, half: Math.max(-least, most) || 1 };
  return { middle: (least + most) / 2, half: (most - least) / 2 || 1 };
}
