/** What `inside`, `explain` and `check` answer. */

import type { Message } from "../../message";

/** A value, or a gradient, on its way into or out of an operation. */
export interface Flow {
  name: string;
  /** The arrow of the picture it is on (`data-arrow`); none for a number or an optimizer's slot. */
  arrow: string | null;
  gradient: boolean;
  number?: number;
  array?: string;
}

export interface Formula {
  text: string;
  mathml: string;
}

export interface SourceLine {
  place: string;
  text: string;
  start: number;
  stop: number;
}

export type Phase = "forward" | "loss" | "backward" | "update";

export interface Step {
  phase: Phase;
  /** The node of the picture (`data-node`). */
  node: string | null;
  title: string;
  symbol: string;
  layer: string;
  /** The column of units that it is about; none in the loss. */
  column: number | null;
  /** The node of the graph that is not unfolded, or what is updated: the same in simpler nodes. */
  origin: string | null;
  formulas: Formula[];
  inputs: Flow[];
  reads: Flow[];
  outputs: Flow[];
  source: SourceLine[];
  numbers?: Record<string, number>;
}

export interface Arrow {
  name: string;
  shape: number[];
  value: string;
  gradient: string | null;
  parameter: boolean;
  /** The column of units that the last axis runs over. */
  column: number | null;
}

/**
 * The graph of a step's batch, or of one row. Arrays: those that arrows and flows name; `batch`, its rows.
 */
export interface InsideMessage extends Message {
  of: "next" | "latest" | "row";
  run: number;
  /** The step that it is; of a row, where the network stands. */
  step: number;
  /** The arrows of the weights and biases that move, in the order of the state. */
  parameters: string[];
  rows: number;
  svg: string;
  steps: Step[];
  arrows: Record<string, Arrow>;
  /** What is not finite in the detail, and is where it is folded. */
  overflows: string[];
  /** Why the step cannot be made, if it cannot. */
  failure: string | null;
}

export interface Verdict {
  ok: boolean;
  sentence: string;
}

export interface Verdicts extends Message {
  verdicts: Record<string, Verdict>;
  summary: string;
  svg: string;
}

export interface ExplainedLine {
  text: string;
  mathml?: string;
  goes_on: boolean;
}

export interface Explained extends Message {
  name: string;
  value: number;
  lines: ExplainedLine[];
  arrows: string[];
}

/** A line of a program, and the operations that it computes, by their keys. */
export interface CodeLine {
  text: string;
  of: string[];
}

/** The step as programs: in NumPy, and as a compiled kernel, or why there is none. */
export interface CodeMessage extends Message {
  numpy: CodeLine[];
  kernel: CodeLine[];
  why: string | null;
}

/** What lines of programs call an operation. */
export function keyOf({ phase, origin }: Step): string {
  if (phase === "update") return phase;
  return `${phase === "backward" ? phase : "forward"} ${origin}`;
}

export const PHASES: Phase[] = ["forward", "loss", "backward", "update"];
