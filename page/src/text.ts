/** The words of the page, in two languages: `text/en.json` and `text/zh.json` have the same keys. */

import en from "./text/en.json";
import zh from "./text/zh.json";

export type Language = "en" | "zh";
export type Key = keyof typeof en;

const CATALOGUES: Record<Language, Record<Key, string>> = { en, zh };

/** The text of a key, with `{name}` replaced by the value of that name. */
export function text(language: Language, key: Key, values: Record<string, unknown> = {}): string {
  return CATALOGUES[language][key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]));
}

/** Whether there is a text of that key, for keys made from what the server sends. */
export function known(key: string): key is Key {
  return key in en;
}
