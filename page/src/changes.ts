/** Changed settings in words: those of a run, and those of a moment on the time line. */

import type { Settings } from "./contract";
import { inputName } from "./draw/network";
import type { App } from "./stores.svelte";

/** Longer lists are only counted. */
const MANY = 8;

/** What was changed, in words; nothing if nothing was. */
export function changesTold(app: App, changed: Partial<Settings>, table: string | null = null): string {
  const data = changed.data ?? app.state?.settings.data;
  const told = Object.entries(changed).filter(
    ([name]) =>
      !(name === "optimizer_numbers" && changed.optimizer) &&
      !(name === "points" && data !== "painted") &&
      !(name === "target" && data !== "own") &&
      !(name === "features" && data === "digits"),
  );
  const parts = told.map(([name, value]) => {
    if (name === "data" && value === "own" && table) return table;
    const setting = app.named("setting", name);
    if (Array.isArray(value) && (name === "points" || value.length > MANY)) {
      return app.t("setting.counted", { setting, n: value.length });
    }
    // The columns of a table have their own names, be they x or circle.
    const own = data === "own" && (name === "features" || name === "target");
    const word = (one: unknown) =>
      own ? inputName(app, String(one)) : app.named("value", String(one));
    const several = value !== null && typeof value === "object";
    const shown = several ? app.list("items", Object.values(value).map(word)) : word(value);
    return app.t("setting.changed", { setting, value: shown });
  });
  return app.list("clauses", parts);
}
