/** Puts a playground into an element, talking over a channel; the page and the notebook both do. */

import { mount as mountComponent, unmount } from "svelte";
import "./app.css";
import Playground from "./App.svelte";
import { WebSocketChannel, type Channel } from "./channel";
import Wall from "./parts/Wall.svelte";
import { App } from "./stores.svelte";

export interface Mounted {
  app: App;
  /** Takes it out again. */
  remove: () => void;
}

/** `alone`: whether the playground is the whole page, and so may take every key for itself. */
export function mount(target: HTMLElement, channel: Channel, alone: boolean): Mounted {
  const app = new App(channel, alone);
  const component = mountComponent(Playground, { target, props: { app } });
  return { app, remove: () => void unmount(component) };
}

/** Puts the teacher's wall there; its colours come over the teacher's own network. */
export function mountWall(target: HTMLElement): { app: App } {
  const app = new App(new WebSocketChannel(new URL(".", location.href)), true);
  mountComponent(Wall, { target, props: { app } });
  return { app };
}
