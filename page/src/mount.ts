/** Puts a playground into an element, talking over a channel; the page and the notebook both do. */

import { mount as mountComponent, unmount } from "svelte";
import "./app.css";
import Playground from "./App.svelte";
import type { Channel } from "./channel";
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
