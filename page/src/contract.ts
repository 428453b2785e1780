/** What the server's messages hold. */

import type { Message } from "./message";
import type { Language } from "./text";

/** Remarks, in each language. */
export type Notes = Record<Language, string[]>;

export interface Settings {
  mode: "teaching" | "compatible";
  data: string;
  noise: number;
  train_part: number;
  data_seed: number | string;
  features: string[];
  hidden: number[];
  activations: string[];
  init: string;
  weight_seed: number;
  loss: string;
  optimizer: string;
  optimizer_numbers: Record<string, number>;
  learning_rate: number;
  l1: number;
  l2: number;
  dropout: number;
  batch_size: number;
  target: string | null;
  /** x, y and the number of a class. */
  points: number[][];
}

/** Epochs a second; null for as fast as it goes. */
export type Speed = number | null;

export interface DataChoice {
  key: string;
  problem: "classification" | "regression";
  plane: boolean;
}

export interface OptimizerChoice {
  key: string;
  numbers: { name: string; default: number; least: number; most: number }[];
  slots: string[];
}

export interface Caps {
  layers: number;
  units: number;
  parameters: number;
  points: number;
  batch_size: number;
  learning_rate: number;
  penalty: number;
  map: number;
}

export type Palette = Record<string, string>;

/** What may be chosen, once: arrays `thumb_<key>` (n, 3) are x, y and label of a data set. */
export interface Hello extends Message {
  version: string;
  caps: Caps;
  choices: {
    data: DataChoice[];
    features: string[];
    activations: string[];
    inits: string[];
    losses: string[];
    optimizers: OptimizerChoice[];
    learning_rates: number[];
    rates: number[];
    speeds: Speed[];
  };
  theme: { light: Palette; dark: Palette };
  /** Gradients and changes are sent with every frame up to so many weights and biases. */
  most_gradients: number;
}

export interface Column {
  kind: "features" | "hidden" | "output";
  layer: number | null;
  activation: string | null;
  units: string[];
}

/** One parameter: it leads into column `column`; its numbers begin at `offset` of `weights`. */
export interface Parameter {
  name: string;
  column: number;
  shape: number[];
  offset: number;
}

export interface RunEntry {
  id: number;
  parent: number | null;
  forked_at: number | null;
  step: number;
  end: number;
  /** What differs from the parent's settings. */
  settings: Partial<Settings>;
  events: RunEvent[];
  /** Whether its data and its loss are those of the shown run, so that the curves can be compared. */
  alike: boolean;
  /** The name of the file that its table came from. */
  table: string | null;
}

/** What was changed in the middle of a run. */
export interface RunEvent {
  step: number;
  settings?: Partial<Settings>;
  edit?: { parameter: number; place: number[]; value: number };
}

/** Everything but what time changes: arrays `points`, `labels`, `features`, `curve_<run>`. */
export interface State extends Message {
  version: number;
  settings: Settings;
  problem: "classification" | "regression";
  live: string[];
  network: { columns: Column[]; parameters: Parameter[] };
  data: {
    train: number;
    test: number;
    names: string[];
    classes: string[] | null;
    target: string | null;
    /** Targets and outputs, times the first plus the second, are in the table's own unit. */
    unit: [number, number];
    plane: { x: [number, number]; y: [number, number]; names: [string, string] } | null;
    /** Rows and columns of the image whose pixels the features are. */
    image: [number, number] | null;
    notes: Notes;
  };
  runs: RunEntry[];
  position: { run: number; step: number; end: number };
  link: string;
  /** Whether the link leads to where the run stands, not only to its beginning. */
  link_whole: boolean;
  /** What the latest link wants to be shown, and how many links were opened. */
  shows: { test?: boolean; batch?: boolean; discretize?: boolean; link: number };
  compatible: boolean;
  /** What of the page a link has hidden or locked. */
  controls: Record<string, "hidden" | "locked">;
  speed: Speed;
  /** Where playing stops by itself. */
  goal: { step: number | null; score: number | null };
}

export interface Trouble {
  kind: string;
  column: number | null;
  /** Those in the column, if only some. */
  units: number[];
  value: number | null;
  best: number | null;
  step: number;
  /** What stopped the training, if anything did. */
  sentences?: Notes;
}

/**
 * What time changes; complete in itself. Arrays: `map`, `units`, `weights`, `grads`, `change`, `slots`, `curve`,
 * `batch`; `followed`: the inputs of the row that is followed, then what every unit makes of it.
 */
export interface Frame extends Message {
  seq: number;
  run: number;
  step: number;
  end: number;
  epoch: number;
  batch: number;
  batches: number;
  playing: boolean;
  rate: number;
  /** How much of a recording of the run is made, if one is. */
  recording: number | null;
  loss: number | null;
  train_loss: number | null;
  test_loss: number | null;
  train_score: number | null;
  test_score: number | null;
  trouble: Trouble[];
  /** The row that is followed, those to train on first; and its own loss. */
  followed: number | null;
  followed_loss: number | null;
  /** What moved the weights last; after an edit the gradients would be those of other weights. */
  moved_by: "step" | "edit" | null;
}

/** A weight or bias at a step, and what it was at the kept steps: the array `history`, steps and values. */
export interface ElementReply extends Message {
  step: number;
  gradient: number | null;
  change: number | null;
}

/** What was wrong with a command: `errors` as Python says it, `told` for people on the page. */
export interface ErrorMessage extends Message {
  errors: string[];
  told: Notes;
}

/** The answer to a table. */
export interface TableReply extends Message {
  ok: boolean;
  columns: string[];
  rows: number;
  notes: Notes;
}

/** The answer to a link. */
export interface LinkReply extends Message {
  ok: boolean;
  view: { test?: boolean; batch?: boolean; discretize?: boolean };
  notes: Notes;
}

/** A file to take home, its bytes in the array `bytes`. */
export interface ExportReply extends Message {
  name: string;
  media: string;
}

/** What helps: back to a step, null for a new run from the first weights, and these settings. */
export interface Remedy {
  step: number | null;
  settings: Partial<Settings>;
}

/** What is wrong, since which step, and what was tried and helps. */
export interface Diagnosed {
  kind: string;
  column: number | null;
  units: number[];
  value: number | null;
  best: number | null;
  began: number;
  remedies: Remedy[];
}

/** What is wrong with the shown run, where it stands. */
export interface DiagnosisReply extends Message {
  run: number;
  step: number;
  troubles: Diagnosed[];
}

/** The answer to a remedy: the run before it, and the new one. */
export interface RemedyReply extends Message {
  ok: boolean;
  before: number;
  run: number;
}

/** A hidden unit over the plane, in the array `map`. */
export interface UnitReply extends Message {
  column: number;
  index: number;
}
