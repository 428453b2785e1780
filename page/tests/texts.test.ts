/** Texts and numbers as people read them. */

import { expect, test } from "vitest";
import { count, exact, percent, short, within } from "../src/draw/numbers";
import en from "../src/text/en.json";
import zh from "../src/text/zh.json";
import { known, spaced, text, type Key } from "../src/text";

test("values stand where their names are", () => {
  expect(text("en", "card.bias", { name: "output" })).toBe("bias of output");
  expect(text("zh", "card.bias", { name: "输出" })).toBe("输出的偏置");
  const unit = text("zh", "network.unit", { unit: 1, layer: 2 });
  expect(text("zh", "card.bias", { name: unit })).toBe("第 2 层单元 1 的偏置");
});

test("one thing is told of in another form, in English", () => {
  expect(text("en", "inside.title", { step: 3, n: 1 })).toBe("Inside step 3: 1 row");
  expect(text("en", "inside.title", { step: 3, n: 10 })).toBe("Inside step 3: 10 rows");
  expect(text("zh", "inside.title", { step: 3, n: 1 })).toBe("第 3 步的内部：1 个样本");
});

test("a form for one is that of a text which is told of several", () => {
  const forms = Object.keys(en).filter((key) => key.endsWith(".one"));
  expect(forms.length).toBeGreaterThan(0);
  for (const key of forms) {
    expect(known(key.slice(0, -".one".length))).toBe(true);
    const several = key.slice(0, -".one".length) as Key;
    expect(zh[key as Key]).toBe(zh[several]);
  }
});

test.each([
  ["第 ", "1", "第 1"],
  ["损失和", "R²", "损失和 R²"],
  ["损失和", "准确率", "损失和准确率"],
  ["把 ", "花瓣", "把花瓣"],
  ["把 ", "petal", "把 petal"],
  ["单元 1", "的", "单元 1 的"],
  ["（", "x₁", "（x₁"],
  ["a ", "b", "a b"],
  ["", "值", "值"],
])("%j and %j side by side are %j", (left, right, both) => {
  expect(spaced(left, right)).toBe(both);
});

test("numbers with the digits that are needed", () => {
  expect([0.534, 12, 123456, 1.2e-5, -0.5, NaN, -Infinity, null].map((n) => short(n))).toEqual([
    "0.53", "12", "1.2e5", "1.2e−5", "−0.50", "NaN", "−∞", "–",
  ]);
  expect([0, 1, 0.5, 0.9999, 0.001].map(percent)).toEqual(["0%", "100%", "50.0%", "99.99%", "0.10%"]);
  expect(exact(2.5e-5)).toBe("2.5e−5");
  expect(count(1234567)).toBe("1\u202f234\u202f567");
  expect(within(1234.5678, 10)).toBe("1\u202f234.6");
  expect(within(0.004, 10)).toBe("0");
});
