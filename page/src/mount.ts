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

export function mount(target: HTMLElement, channel: Channel): Mounted {
  const app = new App(channel);
  const component = mountComponent(Playground, { target, props: { app } });
  return { app, remove: () => void unmount(component) };
}
