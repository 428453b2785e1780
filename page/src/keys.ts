/** What keys do: one table for the page and for its help. */

import type { App } from "./stores.svelte";
import type { Key } from "./text";

export interface Shortcut {
  /** As `KeyboardEvent.key` says, after "Shift+" where that is held. */
  key: string;
  /** What the help shows for the key. */
  shown: string;
  text: Key;
  run: (app: App) => unknown;
}

export const SHORTCUTS: Shortcut[] = [
  {
    key: " ",
    shown: "Space",
    text: "keys.play",
    run: (app) => app.playOrPause(),
  },
  { key: "ArrowRight", shown: "→", text: "keys.batch", run: (app) => app.step("batch") },
  { key: "Shift+ArrowRight", shown: "Shift →", text: "keys.epoch", run: (app) => app.step("epoch") },
  { key: "ArrowLeft", shown: "←", text: "keys.back", run: (app) => app.back("batch") },
  {
    key: "Shift+ArrowLeft",
    shown: "Shift ←",
    text: "keys.back_epoch",
    run: (app) => app.back("epoch"),
  },
  { key: ".", shown: ".", text: "keys.operation", run: (app) => app.lookInside({ of: "next" }) },
  {
    key: "Escape",
    shown: "Esc",
    text: "keys.unfollow",
    run: (app) => app.followed !== null && app.followRow(null),
  },
  { key: "r", shown: "R", text: "keys.reset", run: (app) => app.do({ do: "reset" }) },
  { key: "w", shown: "W", text: "keys.weights", run: (app) => app.do({ do: "new_weights" }) },
  { key: "n", shown: "N", text: "keys.data", run: (app) => app.do({ do: "regenerate" }) },
  { key: "t", shown: "T", text: "keys.test", run: (app) => (app.showTest = !app.showTest) },
  { key: "b", shown: "B", text: "keys.ringed", run: (app) => (app.showBatch = !app.showBatch) },
  {
    key: "d",
    shown: "D",
    text: "keys.discretize",
    run: (app) => (app.discretize = !app.discretize),
  },
  { key: "o", shown: "O", text: "keys.table", run: (app) => (app.dialog = "table") },
  { key: "l", shown: "L", text: "keys.link", run: (app) => (app.dialog = "link") },
  { key: "?", shown: "?", text: "keys.help", run: (app) => (app.dialog = "help") },
];

/** Controls that use the keys themselves. */
const OWN_KEYS = "input, select, textarea, dialog, [popover], [contenteditable]";
/** Those that take Space: what was reached by Tab. What was clicked lets go of the keys (`released`). */
const OWN_SPACE = "button, summary, a";
const RANGE = "input[type=range]";

/** Runs the shortcut of a key press; whether there was one. */
export function press(app: App, event: KeyboardEvent): boolean {
  const target = event.target instanceof Element ? event.target : null;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return false;
  const slides = event.key === " " && target?.matches(RANGE) && !target.closest("dialog, [popover]");
  if (target?.closest(OWN_KEYS) && !slides) return false;
  if (event.key === " " && target?.closest(OWN_SPACE)) return false;
  const letter = event.key.length === 1 && event.key !== " ";
  if (letter && !app.letters) return false;
  const key = event.shiftKey && !letter ? `Shift+${event.key}` : event.key;
  const shortcut = SHORTCUTS.find((one) => one.key === key);
  if (!shortcut || (event.repeat && !event.key.startsWith("Arrow"))) return false;
  event.preventDefault();
  shortcut.run(app);
  return true;
}
