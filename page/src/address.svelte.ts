/**
 * The address of the page: behind #, a link to what it shows, followed once and kept up to date;
 * behind ?, the language that the command was given, which is taken as chosen here.
 */

import type { App } from "./stores.svelte";

export function keepAddress(app: App): void {
  let followed = false;
  $effect.root(() => {
    $effect(() => {
      if (!app.state) return;
      const link = app.link;
      const asked = location.hash;
      if (!followed && asked.length > 1 && asked !== link) void app.follow(asked);
      else history.replaceState(null, "", link || location.pathname);
      followed = true;
    });
  });
  window.addEventListener("hashchange", () => {
    if (location.hash.length > 1) void app.follow(location.hash);
  });
}

export function takeLanguage(app: App): void {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked === "en" || asked === "zh") app.setLanguage(asked);
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
}
