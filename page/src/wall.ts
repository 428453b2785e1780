/** What the teacher's page says and hears: the wall, and orders to everybody. */

import { Refused } from "./channel";
import type { ErrorMessage } from "./contract";
import { decode, type Message } from "./message";

export interface Pupil {
  number: number;
  called: string;
  here: boolean;
  step: number;
  epoch: number;
  playing: boolean;
  train_loss: number | null;
  test_loss: number | null;
  test_score: number | null;
  /** How many outputs the map has; 0 where there is none. */
  classes: number;
  trouble: string | null;
}

/** All pupils; array `maps` (those with a map, S, S). */
export interface WallMessage extends Message {
  look: string | null;
  start: string | null;
  pupils: Pupil[];
  address: string;
  code: string;
  qr: boolean;
}

/** What a page is told of its class. */
export interface ClassMessage extends Message {
  teacher: boolean;
  number: number;
  called: string;
  look: string | null;
}

export async function readWall(): Promise<WallMessage> {
  const response = await fetch("class/wall");
  if (!response.ok) throw new Refused(null);
  return decode(await response.arrayBuffer()) as WallMessage;
}

export async function order(command: { do: string; [field: string]: unknown }): Promise<void> {
  const response = await fetch("class/do", { method: "POST", body: JSON.stringify(command) });
  const answer = decode(await response.arrayBuffer());
  if (answer.kind === "error") throw new Refused((answer as ErrorMessage).told);
}
