/** What the lines and marks of the network show: weights, gradients, changes, or what a row sends along. */

import type { Frame, Hello, State } from "../contract";
import type { Numbers } from "../message";
import { column, rank } from "./network";

export type Quantity = "weight" | "gradient" | "change";
/** A followed row takes the place of what is chosen: each weight times what flows along its line. */
export type Drawn = Quantity | "signal";

export const QUANTITIES: Quantity[] = ["weight", "gradient", "change"];

/** The numbers to draw, in the order of the weights; null where there are none. */
export function numbersOf(state: State, frame: Frame, drawn: Drawn): Numbers | null {
  if (drawn === "signal") return signals(state, frame);
  const array = { weight: "weights", gradient: "grads", change: "change" }[drawn];
  return frame.arrays[array]?.data ?? null;
}

/** Why there are no gradients, or no changes: too many weights, no step yet, an edit since. */
export function missing(hello: Hello, frame: Frame): "large" | "edited" | "none" {
  if (frame.arrays["weights"]!.data.length > hello.most_gradients) return "large";
  return frame.moved_by === "edit" ? "edited" : "none";
}

/** What a unit makes of the followed row; undefined where none is followed. */
export function unitValue(state: State, frame: Frame, k: number, index: number): number | undefined {
  const inputs = column(state, 0)?.units.length ?? 0;
  return frame.arrays["followed"]?.data[k === 0 ? index : inputs + rank(state, k, index)];
}

/** Weight times what its unit gives, for the followed row; biases as they are. */
function signals(state: State, frame: Frame): Numbers {
  const found = Float64Array.from(frame.arrays["weights"]!.data);
  for (const { column: k, shape, offset } of state.network.parameters) {
    if (shape.length !== 2) continue;
    const [rows = 0, across = 0] = shape;
    for (let i = 0; i < rows; i++) {
      const value = unitValue(state, frame, k - 1, i) ?? 0;
      for (let j = 0; j < across; j++) found[offset + i * across + j]! *= value;
    }
  }
  return found;
}
