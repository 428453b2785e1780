/** The address of the page is a link to what it shows: it is followed once, and kept up to date. */

import type { App } from "./stores.svelte";

export function keepAddress(app: App): void {
  let followed = false;
  $effect.root(() => {
    $effect(() => {
      const link = app.state?.link;
      if (link === undefined) return;
      const asked = location.hash;
      if (!followed && asked.length > 1 && asked !== link) void app.do({ do: "link", text: asked });
      else history.replaceState(null, "", link || location.pathname);
      followed = true;
    });
  });
  window.addEventListener("hashchange", () => {
    if (location.hash.length > 1) void app.do({ do: "link", text: location.hash });
  });
}
