/** Hides and locks controls: parts of the page that have `data-control`, as the state says. */

import type { App } from "./stores.svelte";

const CHANGING = ["click", "pointerdown", "mousedown", "touchstart", "input", "change", "keydown", "dblclick"];
const INPUTS = "button, input, select, textarea";

/** Keeps the controls in an element as `app.state.controls` says; one that is locked stays readable. */
export function warden(app: App) {
  return (root: HTMLElement): (() => void) => {
    function keep(): void {
      const controls = app.state?.controls ?? {};
      for (const part of root.querySelectorAll<HTMLElement>("[data-control]")) {
        const states = (part.dataset["control"] ?? "").split(" ").map((name) => controls[name]);
        const hidden = states.includes("hidden");
        const locked = states.includes("locked");
        part.classList.toggle("control-hidden", hidden);
        part.classList.toggle("control-locked", locked && !hidden);
        for (const input of part.matches(INPUTS) ? [part] : part.querySelectorAll(INPUTS)) {
          if (locked) input.setAttribute("aria-disabled", "true");
          else input.removeAttribute("aria-disabled");
        }
      }
    }
    function refuse(event: Event): void {
      const inside = event.target instanceof Element && event.target.closest(".control-locked");
      const passes = event instanceof KeyboardEvent && ["Tab", "Escape"].includes(event.key);
      if (!inside || passes) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (event.type === "click") app.notify("error", [app.t("control.locked")]);
    }
    const observer = new MutationObserver(keep);
    observer.observe(root, { childList: true, subtree: true });
    for (const type of CHANGING) root.addEventListener(type, refuse, true);
    $effect(() => {
      void app.state?.controls;
      keep();
    });
    return () => {
      observer.disconnect();
      for (const type of CHANGING) root.removeEventListener(type, refuse, true);
    };
  };
}
