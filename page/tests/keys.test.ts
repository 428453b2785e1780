/** Every text that the sources ask for exists, and is given the values that it names. */

import { parse } from "svelte/compiler";
import { expect, test } from "vitest";
import en from "../src/text/en.json";

type Node = Record<string, unknown> & { type: string };
type Call = { key: string; values: string[] | null; where: string };

const SOURCES = import.meta.glob<string>("../src/**/*.{svelte,ts}", { query: "?raw", import: "default", eager: true });
const TEXTS: Record<string, string> = en;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

/** All nodes of a syntax tree. */
function* nodes(tree: unknown): Generator<Node> {
  if (isNode(tree)) yield tree;
  if (typeof tree !== "object" || tree === null) return;
  for (const [name, part] of Object.entries(tree)) if (name !== "metadata") yield* nodes(part);
}

/** The names in an object literal; null if it is none, or takes over those of another. */
function names(values: unknown): string[] | null {
  if (values === undefined) return [];
  if (!isNode(values) || values.type !== "ObjectExpression") return null;
  const properties = values["properties"] as Node[];
  if (properties.some((property) => property.type !== "Property")) return null;
  return properties.map((property) => (property["key"] as { name: string }).name);
}

/** The calls `t(key, values)` of a file whose key is written there. */
function calls([file, code]: [string, string]): Call[] {
  const tree = parse(file.endsWith(".svelte") ? code : `<script lang="ts">${code}</script>`, { modern: true });
  const found: Call[] = [];
  for (const node of nodes(tree)) {
    if (node.type !== "CallExpression") continue;
    const callee = node["callee"] as Node;
    const name = (callee.type === "MemberExpression" ? callee["property"] : callee) as { name?: string };
    const [first, second] = node["arguments"] as (Node | undefined)[];
    if (name.name !== "t" || first?.type !== "Literal") continue;
    found.push({ key: String(first["value"]), values: names(second), where: `${file}: ${String(first["value"])}` });
  }
  return found;
}

const CALLS = Object.entries(SOURCES).flatMap(calls);

function placeholders(key: string): string[] {
  return [...(TEXTS[key] ?? "").matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
}

test("the sources ask for hundreds of texts", () => {
  expect(CALLS.length).toBeGreaterThan(200);
});

test("every text that is asked for exists", () => {
  expect(CALLS.filter(({ key }) => !(key in TEXTS)).map(({ where }) => where)).toEqual([]);
});

test("every text is given the values that it names", () => {
  const lacking = CALLS.flatMap(({ key, values, where }) =>
    values === null
      ? []
      : placeholders(key)
          .filter((name) => !values.includes(name))
          .map((name) => `${where} needs ${name}`),
  );
  expect(lacking).toEqual([]);
});

test("no text is given a value that it does not name", () => {
  const useless = CALLS.flatMap(({ key, values, where }) =>
    (values ?? [])
      .filter((name) => !placeholders(key).includes(name) && !(name === "n" && `${key}.one` in TEXTS))
      .map((name) => `${where} has no ${name}`),
  );
  expect(useless).toEqual([]);
});
