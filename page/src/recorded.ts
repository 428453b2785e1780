/** A recorded run, which stands in the page itself: what a session once said, said again. */

import { Refused, type Channel, type Command, type Connection } from "./channel";
import type { Frame, Hello, Settings, State } from "./contract";
import { decode, type Message, type NdArray } from "./message";
import { text, type Key } from "./text";

/** Which steps were recorded, and which of them can be opened. */
export interface Recorded {
  steps: readonly number[];
  insides: readonly number[];
}

/** All messages of it; their arrays are those of the recording. */
interface Recording extends Message {
  steps: number[];
  insides: number[];
  hello: Hello;
  state: State;
  /** From which frame on other settings hold. */
  changes: { frame: number; settings: Settings }[];
  frames: Frame[];
}

interface Question {
  arrow: string;
  element: number[];
  gradient: boolean;
  update?: string;
}
interface Answered extends Question {
  answer: Message | null;
}

const NAN = 255;
const LEVELS = 254;
/** Milliseconds that a frame stands while it plays. */
const STAND = 90;

export class RecordedChannel implements Channel {
  #hear: ((message: Message) => void)[] = [];
  #tell: ((connection: Connection) => void)[] = [];
  #recording: Recording | null = null;
  #at = 0;
  #forward = true;
  #timer: ReturnType<typeof setInterval> | undefined;
  #moved = 0;
  /** What is known of the step that was last opened. */
  #opened: { detail: boolean; parts: Record<string, NdArray> } | null = null;

  /** `read` gives the text of a part of the file, `begin` the step to show first. */
  constructor(
    private readonly read: (name: string) => string | null,
    private readonly begin: number,
  ) {
    void this.#open();
  }

  get recorded(): Recorded | null {
    return this.#recording;
  }

  listen(hear: (message: Message) => void): void {
    this.#hear.push(hear);
  }

  watch(tell: (connection: Connection) => void): void {
    this.#tell.push(tell);
  }

  upload(): Promise<Message> {
    return Promise.reject(told("recorded.cannot"));
  }

  async send(command: Command): Promise<Message> {
    const recording = this.#recording;
    if (!recording) throw new Refused(null);
    switch (command.do) {
      case "play":
        this.#play();
        break;
      case "pause":
        this.#pause();
        break;
      case "goto":
        this.#goTo(Number(command["step"]));
        break;
      case "reset":
        this.#pause();
        this.#show(0);
        break;
      case "step":
      case "back":
        this.#move(command.do === "step" ? 1 : -1, command["unit"] === "epoch", Number(command["count"] ?? 1));
        break;
      case "unit":
        return this.#unit(Number(command["column"]), Number(command["index"]));
      case "inside":
        // Only the step that comes next was recorded, not one row, nor the step before.
        if ((command["of"] ?? "next") !== "next") throw told("recorded.cannot");
        return this.#inside(command["detail"] === true, String(command["lang"]));
      case "explain":
        return this.#explain(command as unknown as Question);
      case "check":
        if (!this.#opened || this.#opened.detail) throw told("recorded.plain");
        return message(this.#opened.parts["check"]);
      default:
        throw told("recorded.cannot");
    }
    return { kind: "reply", ok: true, arrays: {} };
  }

  async #open(): Promise<void> {
    this.#recording = (await unpacked(this.read("recording"))) as Recording;
    for (const name of ["map", "units"]) summed(this.#recording.arrays[`frame/${name}`]);
    for (const tell of this.#tell) tell("open");
    this.#say({ ...this.#recording.hello, kind: "hello", arrays: this.#arrays("hello/") });
    const at = this.#nearest(this.begin);
    this.#state(at);
    this.#show(at);
  }

  #arrays(prefix: string): Record<string, NdArray> {
    const all = Object.entries(this.#recording?.arrays ?? {});
    return Object.fromEntries(
      all.filter(([name]) => name.startsWith(prefix)).map(([name, array]) => [name.slice(prefix.length), array]),
    );
  }

  #say(message: Message): void {
    for (const hear of this.#hear) hear(message);
  }

  // -- time ----------------------------------------------------------------------------------------

  #nearest(step: number): number {
    const steps = this.#recording?.steps ?? [];
    let best = 0;
    steps.forEach((one, k) => {
      if (Math.abs(one - step) < Math.abs((steps[best] as number) - step)) best = k;
    });
    return best;
  }

  /** The settings that hold at a frame, with all else that there is to know. */
  #state(at: number): void {
    const { state, changes } = this.#recording as Recording;
    const { settings } = changes.filter(({ frame }) => frame <= at).at(-1) ?? state;
    this.#say({ ...state, settings, kind: "state", arrays: this.#arrays("state/") });
  }

  #show(at: number): void {
    const recording = this.#recording as Recording;
    const changed = (k: number) => recording.changes.filter(({ frame }) => frame <= k).length;
    if (changed(at) !== changed(this.#at)) this.#state(at);
    if (at !== this.#at) this.#forward = at > this.#at;
    this.#at = at;
    this.#moved += 1;
    this.#say({
      ...(recording.frames[at] as Frame),
      kind: "frame",
      seq: this.#moved,
      playing: this.#timer !== undefined,
      arrays: { ...this.#frameArrays(at), curve: recording.arrays["curve"] as NdArray },
    });
  }

  #goTo(step: number): void {
    this.#pause();
    const here = (this.#recording as Recording).steps[this.#at] as number;
    const found = this.#nearest(step);
    // A step that was not recorded: at least one further, in its direction.
    this.#show(found === this.#at ? this.#within(this.#at + Math.sign(step - here)) : found);
  }

  #within(at: number): number {
    return Math.max(0, Math.min((this.#recording as Recording).steps.length - 1, at));
  }

  #move(by: 1 | -1, epochs: boolean, count: number): void {
    this.#pause();
    const { frames } = this.#recording as Recording;
    let at = this.#at;
    for (let k = 0; k < count; k++) {
      const epoch = frames[at]?.epoch;
      at = this.#within(at + by);
      while (epochs && frames[at]?.epoch === epoch && this.#within(at + by) !== at) at += by;
    }
    this.#show(at);
  }

  #play(): void {
    if (this.#timer !== undefined) return;
    const last = (this.#recording as Recording).steps.length - 1;
    this.#timer = setInterval(() => {
      if (this.#at >= last) this.#pause();
      else this.#show(this.#at + 1);
    }, STAND);
    this.#show(this.#at >= last ? 0 : this.#at);
  }

  #pause(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#show(this.#at);
  }

  // -- the arrays of a frame -----------------------------------------------------------------------

  #frameArrays(at: number): Record<string, NdArray> {
    const { arrays } = this.#recording as Recording;
    const found: Record<string, NdArray> = {};
    for (const [key, { data: having }] of Object.entries(arrays)) {
      if (!key.startsWith("in/")) continue;
      const name = key.slice(3);
      const place = having.indexOf(at);
      const all = arrays[`frame/${name}`];
      const range = arrays[`range/${name}`];
      if (place < 0 || !all || !range) continue;
      found[name] = range.data instanceof Int32Array ? part(all, range, place) : map(all, range, place);
    }
    return found;
  }

  /** A hidden unit over the plane: of a recording, as small as in the network. */
  #unit(column: number, index: number): Message {
    const { state } = this.#recording as Recording;
    const units = this.#frameArrays(this.#at)["units"];
    const before = state.settings.hidden.slice(0, column - 1).reduce((sum, n) => sum + n, 0);
    const [, side = 0] = units?.shape ?? [];
    if (!units) throw told("recorded.cannot");
    const begin = (before + index) * side * side;
    const data = units.data.slice(begin, begin + side * side);
    return { kind: "unit", column, index, arrays: { map: { data, shape: [side, side] } } };
  }

  // -- inside a step -------------------------------------------------------------------------------

  /** The step that can be opened: this one, or the next one on the way. */
  async #inside(detail: boolean, lang: string): Promise<Message> {
    this.#pause();
    const { steps, insides } = this.#recording as Recording;
    const here = steps[this.#at] as number;
    const ahead = insides.find((step) => step >= here);
    const behind = insides.filter((step) => step <= here).at(-1);
    const step = (this.#forward ? (ahead ?? behind) : (behind ?? ahead)) ?? -1;
    const block = this.read(`opened-${step}-${lang}`);
    if (block === null) throw told("recorded.none");
    const { arrays } = await unpacked(block);
    this.#opened = { detail, parts: arrays };
    if (step !== here) this.#show(steps.indexOf(step));
    const found = message(arrays[detail ? "detail" : "plain"]);
    if (found.kind === "error") throw new Refused(found["told"] as never);
    return found;
  }

  #explain({ arrow, element, gradient, update }: Question): Message {
    if (!this.#opened || this.#opened.detail) throw told("recorded.plain");
    const { asked } = message(this.#opened.parts["asked"]) as Message & { asked: Answered[] };
    const found = asked.find(
      (one) =>
        one.arrow === arrow &&
        one.gradient === gradient &&
        one.update === update &&
        one.element.join() === element.join(),
    );
    if (!found?.answer) throw told("recorded.unasked");
    return { ...found.answer, kind: "explained", arrays: {} };
  }
}

/** What a recording cannot do, in both languages. */
function told(key: Key): Refused {
  return new Refused({ en: [text("en", key)], zh: [text("zh", key)] });
}

/** The message in a part of the file: Base64 of its compressed bytes. */
async function unpacked(block: string | null): Promise<Message> {
  const bytes = Uint8Array.from(atob(block ?? ""), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return decode(await new Response(stream).arrayBuffer());
}

/** The message in an array of bytes; a copy, since its own arrays must begin at multiples of 8. */
function message(array: NdArray | undefined): Message {
  return decode((array as NdArray).data.slice().buffer);
}

/** Differences from frame to frame, made levels again. */
function summed(array: NdArray | undefined): void {
  if (!(array?.data instanceof Uint8Array)) return;
  const size = array.data.length / (array.shape[0] ?? 1);
  for (let k = size; k < array.data.length; k++) {
    array.data[k] = (array.data[k] as number) + (array.data[k - size] as number);
  }
}

/** The numbers of the array at a place, of several that lie one after another. */
function part({ data }: NdArray, { data: shapes, shape }: NdArray, place: number): NdArray {
  const axes = shape[1] ?? 0;
  const shapeAt = (k: number) => Array.from(shapes.subarray(k * axes, (k + 1) * axes));
  const size = (k: number) => shapeAt(k).reduce((product, n) => product * n, 1);
  let begin = 0;
  for (let k = 0; k < place; k++) begin += size(k);
  return { data: data.subarray(begin, begin + size(place)), shape: shapeAt(place) };
}

/** The maps of a frame from their levels. */
function map({ data, shape }: NdArray, { data: range }: NdArray, place: number): NdArray {
  const [, maps = 0, down = 0, across = 0] = shape;
  const area = down * across;
  const found = new Float32Array(maps * area);
  for (let k = 0; k < maps; k++) {
    const at = 2 * (place * maps + k);
    const least = range[at] as number;
    const scale = ((range[at + 1] as number) - least) / LEVELS;
    for (let i = k * area; i < (k + 1) * area; i++) {
      const level = data[place * maps * area + i] as number;
      found[i] = level === NAN ? NaN : least + level * scale;
    }
  }
  return { data: found, shape: [maps, down, across] };
}
