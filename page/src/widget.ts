/** The same page in a notebook: a module for anywidget, which talks over the widget's messages. */

import { Answers, type Channel, type Command, type Connection } from "./channel";
import { decode, type Message } from "./message";
import { mount } from "./mount";

/** What anywidget gives of Jupyter's model. */
interface Model {
  send(content: unknown, callbacks?: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[]): void;
  on(event: "msg:custom", hear: (content: unknown, buffers: DataView[]) => void): void;
  off(event: "msg:custom", hear: (content: unknown, buffers: DataView[]) => void): void;
}

class ModelChannel implements Channel {
  #answers = new Answers();
  #hear: ((message: Message) => void)[] = [];

  constructor(private readonly model: Model) {
    model.on("msg:custom", this.#arrived);
    // A cell may be shown long after it was run: ask for all that there is.
    model.send({ do: "hello" });
  }

  async send(command: Command): Promise<Message> {
    const { id, answer } = this.#answers.expect();
    this.model.send({ id, ...command });
    return answer;
  }

  async upload(name: string, body: Blob): Promise<Message> {
    const { id, answer } = this.#answers.expect();
    this.model.send({ id, do: "upload", name }, undefined, [await body.arrayBuffer()]);
    return answer;
  }

  listen(hear: (message: Message) => void): void {
    this.#hear.push(hear);
  }

  watch(tell: (connection: Connection) => void): void {
    tell("open");
  }

  close(): void {
    this.model.off("msg:custom", this.#arrived);
    this.#answers.drop();
  }

  #arrived = (_: unknown, buffers: DataView[]): void => {
    const [view] = buffers;
    if (!view) return;
    // A copy of its own: arrays in it must begin at multiples of 8.
    const message = decode(
      view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer,
    );
    for (const hear of this.#hear) hear(message);
    this.#answers.hear(message);
  };
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }): () => void {
    const channel = new ModelChannel(model);
    const { remove } = mount(el, channel, false);
    return () => {
      remove();
      channel.close();
    };
  },
};
