/**
 * The words of the page, in two languages: `text/en.json`, and `text/zh.json`, which is made from the catalogue
 * (`python scripts/messages.py compile`). Both have the same keys.
 */

import en from "./text/en.json";
import zh from "./text/zh.json";

export type Language = "en" | "zh";
export type Key = keyof typeof en;

const CATALOGUES: Record<Language, Record<Key, string>> = { en, zh };
const HAN = /\p{Script=Han}/u;
const WESTERN = /[\p{Script=Latin}\p{Script=Greek}\p{N}]/u;

/**
 * The text of a key, with `{name}` replaced by the value of that name. Where there is a text of the key with
 * `.one` behind it, that is told of one thing: of how many a text speaks is its value `n`.
 */
export function text(language: Language, key: Key, values: Record<string, unknown> = {}): string {
  const one = `${key}.one`;
  const template = CATALOGUES[language][values["n"] === 1 && known(one) ? one : key];
  const parts = template.split(/\{(\w+)\}/).map((part, k) => (k % 2 ? String(values[part]) : part));
  return language === "zh" ? parts.reduce(spaced) : parts.join("");
}

/** Whether there is a text of that key, for keys made from what the server sends. */
export function known(key: string): key is Key {
  return key in en;
}

/** Two parts of a Chinese text: letters and digits of the West keep a space from Chinese, nothing else does. */
export function spaced(left: string, right: string): string {
  const before = left.trimEnd();
  const after = right.trimStart();
  const [a = "", b = ""] = [before.slice(-1), after.slice(0, 1)];
  if (HAN.test(a) && HAN.test(b)) return before + after;
  const apart = (HAN.test(a) && WESTERN.test(b)) || (WESTERN.test(a) && HAN.test(b));
  return apart ? `${before} ${after}` : left + right;
}
