/** How the page talks with a session: over a WebSocket here, over a widget's model in a notebook. */

import type { ErrorMessage, Notes } from "./contract";
import { decode, type Message } from "./message";
import type { Recorded } from "./recorded";

export type Command = { do: string; [field: string]: unknown };

/** What a session refused, in sentences for people; none where nothing answered. */
export class Refused extends Error {
  constructor(readonly told: Notes | null) {
    super(told?.en.join("\n"));
  }
}

/** "gone": lost for so long that chainrule is not likely to come back by itself. */
export type Connection = "opening" | "open" | "lost" | "gone";

export interface Channel {
  /** Sends a command; its answer, or `Refused`. */
  send(command: Command): Promise<Message>;
  /** Sends a file, which may be larger than a command. */
  upload(name: string, body: Blob): Promise<Message>;
  /** Calls `hear` with every message. */
  listen(hear: (message: Message) => void): void;
  /** Calls `tell` whenever the connection changes. */
  watch(tell: (connection: Connection) => void): void;
  /** What was recorded, if nothing else is there. */
  readonly recorded?: Recorded | null;
}

/** Answers that are awaited, by id: what every channel needs. */
export class Answers {
  #next = 1;
  #awaited = new Map<number, { resolve: (m: Message) => void; reject: (e: Error) => void }>();

  expect(): { id: number; answer: Promise<Message> } {
    const id = this.#next++;
    const answer = new Promise<Message>((resolve, reject) => {
      this.#awaited.set(id, { resolve, reject });
    });
    return { id, answer };
  }

  hear(message: Message): void {
    const awaited = message.id === undefined ? undefined : this.#awaited.get(message.id);
    if (!awaited) return;
    this.#awaited.delete(message.id as number);
    const refused = refusal(message);
    if (refused) awaited.reject(refused);
    else awaited.resolve(message);
  }

  /** Gives up all that is awaited. */
  drop(): void {
    for (const { reject } of this.#awaited.values()) reject(new Refused(null));
    this.#awaited.clear();
  }
}

function refusal(message: Message): Refused | null {
  return message.kind === "error" ? new Refused((message as ErrorMessage).told) : null;
}

/** Milliseconds a command, when many come: the server cuts off who sends more than 50 a second. */
const APART = 25;
/** For so long commands may come faster. */
const LENIENCE = 500;

const FIRST_WAIT = 250;
const LONGEST_WAIT = 8000;
/** A server that has not answered so many times in a row is gone. */
const GONE = 3;

export class WebSocketChannel implements Channel {
  #socket: WebSocket | null = null;
  #answers = new Answers();
  #hear: ((message: Message) => void)[] = [];
  #tell: ((connection: Connection) => void)[] = [];
  #wait = FIRST_WAIT;
  #failures = 0;
  /** Done when the command before has been sent. */
  #turn = Promise.resolve();
  #due = 0;

  constructor(private readonly base: URL) {
    this.#open();
  }

  async send(command: Command): Promise<Message> {
    this.#turn = this.#turn.then(() => this.#pace());
    await this.#turn;
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new Refused(null);
    const { id, answer } = this.#answers.expect();
    this.#socket.send(JSON.stringify({ id, ...command }));
    return answer;
  }

  /** Waits as long as the next command must: a key that is held down says much. */
  async #pace(): Promise<void> {
    const now = performance.now();
    this.#due = Math.max(this.#due, now - LENIENCE) + APART;
    const wait = this.#due - now;
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
  }

  async upload(name: string, body: Blob): Promise<Message> {
    const url = new URL("upload", this.base);
    url.searchParams.set("name", name);
    const message = await fetch(url, { method: "POST", body })
      .then((response) => response.arrayBuffer())
      .then(decode)
      .catch(() => {
        throw new Refused(null); // no server, or another one
      });
    const refused = refusal(message);
    if (refused) throw refused;
    return message;
  }

  listen(hear: (message: Message) => void): void {
    this.#hear.push(hear);
  }

  watch(tell: (connection: Connection) => void): void {
    this.#tell.push(tell);
  }

  #open(): void {
    const url = new URL("socket", this.base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#wait = FIRST_WAIT;
      this.#failures = 0;
      this.#changed("open");
    };
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const message = decode(event.data);
      for (const hear of this.#hear) hear(message);
      this.#answers.hear(message);
    };
    socket.onclose = () => {
      this.#answers.drop();
      this.#failures += 1;
      this.#changed(this.#failures > GONE ? "gone" : "lost");
      setTimeout(() => this.#open(), this.#wait * (0.75 + Math.random() / 2));
      this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
    };
    this.#socket = socket;
  }

  #changed(connection: Connection): void {
    for (const tell of this.#tell) tell(connection);
  }
}
