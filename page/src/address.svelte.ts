/**
 * The address of the page: behind #, a link to what it shows, followed once and kept up to date;
 * behind ?, the language that the command was given, which is taken as chosen here.
 */

import type { App } from "./stores.svelte";

/** Milliseconds between two changes of the address while it plays: browsers take only so many. */
const APART = 1000;

export function keepAddress(app: App): void {
  let followed = false;
  let state: unknown = null;
  let later: ReturnType<typeof setTimeout> | undefined;
  const write = (): void => {
    clearTimeout(later);
    later = undefined;
    history.replaceState(null, "", app.link || location.pathname);
  };
  $effect.root(() => {
    $effect(() => {
      if (!app.state) return;
      const link = app.link;
      const asked = location.hash;
      const elsewhere = asked.length > 1 && asked !== link && !reloaded(asked, link, app.state.position.step);
      if (!followed && elsewhere) void app.follow(asked);
      else if (!app.playing || state !== app.state) write();
      else later ??= setTimeout(write, APART);
      state = app.state;
      followed = true;
    });
  });
  window.addEventListener("hashchange", () => {
    if (location.hash.length > 1) void app.follow(location.hash);
  });
}

/** Whether the page was loaded again while its run went on: that is shown, not begun anew. */
function reloaded(asked: string, link: string, step: number): boolean {
  const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const run = (text: string) => text.replace(/&(step|view|\w+_(hide|lock))=[^&]*/g, "");
  const then = Number(/&step=(\d+)/.exec(asked)?.[1] ?? 0);
  return entry?.type === "reload" && run(asked) === run(link) && then <= step;
}

export function takeLanguage(app: App): void {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked === "en" || asked === "zh") app.setLanguage(asked);
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
}
