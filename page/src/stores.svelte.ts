/** What the page knows and shows, in one place; parts read it with `useApp()`. */

import { createContext } from "svelte";
import { Refused, type Channel, type Command, type Connection } from "./channel";
import type { Frame, Hello, LinkReply, Palette, Remedy, RemedyReply, Settings, State } from "./contract";
import type { Quantity } from "./draw/quantity";
import type { Message } from "./message";
import type { Recorded } from "./recorded";
import { known, text, type Key, type Language } from "./text";
import type { ClassMessage } from "./wall";

export type Theme = "light" | "dark";

/** A unit of the network by column (0 are the features) and place in it; or one number of a parameter. */
export type Selection =
  | { kind: "unit"; column: number; index: number }
  | { kind: "weight"; parameter: number; place: number[] };

/** What the pointer does on the output map: paints points of a class, or erases around it. */
export type Brush = { paint: number } | { erase: number };

/** What is looked into: the step that comes next, the latest one, or the row that is followed. */
export interface Look {
  of: "next" | "latest" | "row";
  /** A number of a parameter to be explained: its gradient, or what the update made of it. */
  why?: { parameter: number; place: number[]; of: "gradient" | "update" };
}

/** What an open operation is about: a column of units, the rows of its batch. */
export interface Lit {
  column: number | null;
  rows: ReadonlySet<number>;
}

export interface Notice {
  id: number;
  tone: "error" | "good";
  lines: string[];
}

/** Links lead to so many steps at most. */
const MOST_STEPS = 1_000_000;

export class App {
  hello = $state.raw<Hello | null>(null);
  state = $state.raw<State | null>(null);
  frame = $state.raw<Frame | null>(null);
  connection = $state<Connection>("opening");
  /** Which steps there are, where all is a recording. */
  recorded = $state.raw<Recorded | null>(null);

  selected = $state.raw<Selection | null>(null);
  hovered = $state.raw<Selection | null>(null);
  brush = $state.raw<Brush | null>(null);
  /** Runs whose curves are drawn beside that of the present one. */
  compared = $state.raw<readonly number[]>([]);
  showTest = $state(false);
  showBatch = $state(false);
  discretize = $state(false);
  /** Hears of every key before the page does, and says whether it took it. */
  intercept: ((event: KeyboardEvent) => boolean) | null = null;
  /** Whether the view of the step's computational graph is open. */
  inside = $state(false);
  /** What is told of the class, in one. */
  room = $state.raw<ClassMessage | null>(null);
  /** What is, or would be, looked into. */
  look = $state.raw<Look>({ of: "next" });
  lit = $state.raw<Lit | null>(null);
  /** What the lines and marks of the network show, if nothing is followed. */
  quantity = $state<Quantity>("weight");
  /** The dialog that is open. */
  dialog = $state<"table" | "link" | "help" | null>(null);

  language = $state<Language>(chosen("language", ["en", "zh"]) ?? browserLanguage());
  theme = $state<Theme>(chosen("theme", ["light", "dark"]) ?? preferredTheme());
  /** Whether single letters are shortcuts; people who speak to their computer turn them off. */
  letters = $state(chosen("letters", ["on", "off"]) !== "off");
  reducedMotion = $state(matchMedia("(prefers-reduced-motion: reduce)").matches);
  /** Whether the page is used with fingers. */
  coarse = $state(matchMedia("(pointer: coarse)").matches);
  notices = $state.raw<Notice[]>([]);
  /** How many commands wait for their answer; what the page only asks, over and over, does not count. */
  awaited = $state(0);

  /** The library's colours by what they mean, in the present theme. */
  palette: Palette = $derived(this.hello?.theme[this.theme] ?? {});
  playing: boolean = $derived(this.connection === "open" && (this.frame?.playing ?? false));
  /** The row that is followed through the network, those to train on first. */
  followed: number | null = $derived(this.frame?.followed ?? null);

  #nextNotice = 1;
  /** How many links had been opened when what they show was last taken over. */
  #links = 0;
  /** The steps that wait for those under way, and when all of them are done. */
  #later: { kind: "step" | "back"; unit: "epoch" | "batch"; count: number } | null = null;
  #moved: Promise<Message | null> = Promise.resolve(null);

  constructor(
    private readonly channel: Channel,
    readonly alone: boolean,
  ) {
    channel.listen((message) => this.#hear(message));
    channel.watch((connection) => (this.connection = connection));
    matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", (event) => {
      this.reducedMotion = event.matches;
    });
    matchMedia("(pointer: coarse)").addEventListener("change", (event) => {
      this.coarse = event.matches;
    });
  }

  /** A text in the present language. */
  readonly t = (key: Key, values: Record<string, unknown> = {}): string =>
    text(this.language, key, values);

  /** The text of `prefix.name`, or the name itself where there is none: for what the server names. */
  readonly named = (prefix: string, name: string): string => {
    const key = `${prefix}.${name}`;
    return known(key) ? text(this.language, key) : name;
  };

  /** Things one after another: "a, b" items, or "a; b" clauses. Of more than `most`, the others are counted. */
  readonly list = (kind: "items" | "clauses", parts: string[], most = Infinity): string => {
    const told = parts.slice(0, most);
    const list = told.length ? told.reduce((first, next) => this.t(`list.${kind}`, { first, next })) : "";
    return parts.length > most ? this.t("list.more", { list, n: parts.length - most }) : list;
  };

  /** Sends a command; its answer, or null when it was refused, which the page then says. */
  async do(command: Command): Promise<Message | null> {
    if (this.#later !== null) await this.#moved; // what was pressed before comes before
    return this.#send(command);
  }

  async #send(command: Command): Promise<Message | null> {
    try {
      const answer = await this.#waited(this.channel.send(command));
      if (command.do !== "inside") this.#settled();
      return answer;
    } catch (error) {
      this.#refused(error);
      return null;
    }
  }

  /** Asks for something that may just have gone; null then. */
  async ask(command: Command): Promise<Message | null> {
    return this.channel.send(command).catch(() => null);
  }

  async #waited(answer: Promise<Message>): Promise<Message> {
    this.awaited += 1;
    return answer.finally(() => (this.awaited -= 1));
  }

  /** Plays or pauses; what is played ends where it is told to. */
  playOrPause(goal: { epochs?: number; score?: number } = {}): Promise<Message | null> {
    const pausing = this.playing && goal.epochs === undefined && goal.score === undefined;
    return this.do(pausing ? { do: "pause" } : { do: "play", ...goal });
  }

  /** Plays so many epochs a second from now on, null for as fast as it goes; the browser remembers it. */
  setSpeed(epochs: number | null): void {
    keep("speed", String(epochs));
    void this.do({ do: "speed", epochs });
  }

  /** Goes on with what helps: another run, drawn beside the one before it. */
  async heal(remedy: Remedy): Promise<void> {
    const answer = (await this.do({ do: "remedy", ...remedy })) as RemedyReply | null;
    if (!answer || answer.before === answer.run) return;
    this.compared = [...new Set([...this.compared, answer.before])];
  }

  /** Changes some settings. */
  configure(settings: Partial<Settings>): Promise<Message | null> {
    return this.do({ do: "configure", settings });
  }

  /** Trains one epoch or batch further. */
  step(unit: "epoch" | "batch"): Promise<Message | null> {
    return this.#move("step", unit);
  }

  /** Goes back one epoch or batch, at most to the beginning; from where the run is by then. */
  back(unit: "epoch" | "batch"): Promise<Message | null> {
    return this.#move("back", unit);
  }

  /**
   * One step more. Presses that come while one is under way, as of a key that is held down, are asked for
   * together: a slow machine falls behind, and loses none.
   */
  #move(kind: "step" | "back", unit: "epoch" | "batch"): Promise<Message | null> {
    if (this.#later?.kind === kind && this.#later.unit === unit) {
      this.#later.count += 1;
      return this.#moved;
    }
    const move = { kind, unit, count: 1 };
    this.#later = move;
    this.#moved = this.#moved.then(() => {
      if (this.#later === move) this.#later = null;
      return this.#send({ do: kind, unit, count: move.count });
    });
    return this.#moved;
  }

  async upload(name: string, body: Blob): Promise<Message | null> {
    try {
      const answer = await this.#waited(this.channel.upload(name, body));
      this.#settled();
      return answer;
    } catch (error) {
      this.#refused(error);
      return null;
    }
  }

  /** Follows a row through the network, those to train on first; null leaves it. */
  followRow(row: number | null): Promise<Message | null> {
    return this.do({ do: "follow", row });
  }

  /** Follows the next row, from this one on, that is answered wrongly. */
  followWrong(row: number): Promise<Message | null> {
    return this.do({ do: "follow", row, wrong: true });
  }

  /** Opens the graph of a step, or of the row that is followed. */
  lookInside(look: Look): void {
    this.look = look;
    this.inside = true;
  }

  /** Opens a link; whether it could be opened. */
  async follow(text: string): Promise<boolean> {
    const answer = await this.do({ do: "link", text });
    if (answer) this.notices = []; // what was said of an earlier one
    const notes = (answer as LinkReply | null)?.notes[this.language] ?? [];
    if (notes.length) this.notify("good", notes);
    return answer !== null;
  }

  /** The link to what the page shows. */
  link: string = $derived.by(() => {
    const kept = Object.entries(this.state?.controls ?? {}).map(
      ([name, what]) => `&${name}_${what === "hidden" ? "hide" : "lock"}=true`,
    );
    const link = this.#linkNow() + kept.join("");
    const shows = { test: this.showTest, batch: this.showBatch, discretize: this.discretize };
    if (this.state?.compatible && !link.includes("chainrule=")) {
      return link
        .replace("showTestData=false", `showTestData=${shows.test}`)
        .replace("discretize=false", `discretize=${shows.discretize}`);
    }
    const on = Object.entries(shows).filter(([, wanted]) => wanted);
    return on.length ? `${link}&view=${on.map(([name]) => name).join(",")}` : link;
  });

  /** The link with the step that the newest frame shows, where it leads to a step. */
  #linkNow(): string {
    const { state, frame } = this;
    if (!state || !frame || !state.link_whole || frame.run !== state.position.run) return state?.link ?? "";
    if (frame.step > MOST_STEPS) return state.link;
    const begin = state.link.replace(/&step=\d+$/, "");
    return frame.step ? `${begin}&step=${frame.step}` : begin;
  }

  /** Says something; what was said before in the same tone is said no longer. */
  notify(tone: Notice["tone"], lines: string[]): void {
    const id = this.#nextNotice++;
    this.notices = [...this.notices.filter((one) => one.tone !== tone), { id, tone, lines }];
    const long = 3000 + 60 * lines.join("").length;
    setTimeout(() => this.dismiss(id), tone === "good" ? Math.max(4000, long) : 9000 + long);
  }

  /** What was refused before is of no more interest once something else was done. */
  #settled(): void {
    const kept = this.notices.filter((notice) => notice.tone !== "error");
    if (kept.length < this.notices.length) this.notices = kept;
  }

  dismiss(id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id);
  }

  setLanguage(language: Language): void {
    this.language = language;
    keep("language", language);
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    keep("theme", theme);
  }

  setLetters(on: boolean): void {
    this.letters = on;
    keep("letters", on ? "on" : "off");
  }

  #hear(message: Message): void {
    if (message.kind === "hello") this.#greeted(message as Hello);
    else if (message.kind === "state") this.#changed(message as State);
    else if (message.kind === "frame") this.frame = message as Frame;
    else if (message.kind === "class") this.room = message as ClassMessage;
  }

  /** The speed that was chosen here before is that of a new session, too. */
  #greeted(hello: Hello): void {
    const speeds = hello.choices.speeds.map(String);
    const speed = this.hello === null ? chosen("speed", speeds) : null;
    [this.hello, this.recorded] = [hello, this.channel.recorded ?? null];
    if (speed !== null) void this.ask({ do: "speed", epochs: speed === "null" ? null : Number(speed) });
  }

  #changed(state: State): void {
    const before = this.state?.network.columns.map((column) => column.units.length).join();
    const after = state.network.columns.map((column) => column.units.length).join();
    if (before !== after) this.selected = this.hovered = null;
    const runs = state.runs.map((run) => run.id);
    this.compared = this.compared.filter((run) => runs.includes(run));
    if (this.#links !== state.shows.link) {
      this.#links = state.shows.link;
      this.showTest = state.shows.test ?? this.showTest;
      this.showBatch = state.shows.batch ?? this.showBatch;
      this.discretize = state.shows.discretize ?? this.discretize;
    }
    this.state = state;
  }

  #refused(error: unknown): void {
    if (!(error instanceof Refused)) throw error;
    this.notify("error", error.told?.[this.language] ?? [this.t("connection.unsent")]);
  }
}

export const [useApp, provideApp] = createContext<App>();

function browserLanguage(): Language {
  return navigator.languages.find((name) => /^(zh|en)\b/i.test(name))?.startsWith("zh")
    ? "zh"
    : "en";
}

/** What a notebook says of its own theme (JupyterLab, VS Code, Colab, marimo), or else the system. */
function preferredTheme(): Theme {
  for (const theme of ["light", "dark"] as const) {
    const says = `[data-jp-theme-light="${theme === "light"}"], .vscode-${theme}, .${theme}-theme`;
    if (document.querySelector(`body:is(${says}), html[theme="${theme}"]`)) return theme;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** What was chosen before; nothing where the browser keeps nothing. */
function chosen<Name extends string>(what: string, names: Name[]): Name | null {
  try {
    const name = localStorage.getItem(`chainrule.${what}`);
    return names.find((known) => known === name) ?? null;
  } catch {
    return null;
  }
}

function keep(what: string, name: string): void {
  try {
    localStorage.setItem(`chainrule.${what}`, name);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}
