import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityMilliValue,
  quantityValue,
  readQuantity,
  subtractQuantities,
} from "#api/quantity.ts";

const canonical: [string, string][] = [
  ["0", "0"],
  ["-0", "0"],
  ["0Ki", "0"],
  ["500m", "500m"],
  ["0.5", "500m"],
  [".5", "500m"],
  ["5.", "5"],
  ["1e3", "1e3"],
  ["1000", "1k"],
  ["12E6", "12e6"],
  ["1.5e3", "1500"],
  ["100e-3", "100e-3"],
  ["1.5Gi", "1536Mi"],
  ["1024Mi", "1Gi"],
  ["1023Ki", "1023Ki"],
  ["1Ki", "1Ki"],
  ["0.5Ki", "512"],
  ["1.1Ki", "1126400m"],
  ["1500", "1500"],
  ["0.0000000001", "1n"],
  ["-1500m", "-1500m"],
  ["+1G", "1G"],
  ["1E", "1E"],
  ["1000E", "1000E"],
  ["8Ei", "9223372036854775807"],
  ["1m", "1m"],
  ["1000m", "1"],
];

test("formatQuantity() prints the canonical form", () => {
  assert.deepEqual(
    canonical.map(([text]) => [text, formatQuantity(parseQuantity(text))]),
    canonical,
  );
});

test("parseQuantity() refuses what is no quantity with upstream's texts", () => {
  const shape =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  const suffix = "unable to parse quantity's suffix";
  const refused: [string, string][] = [
    ["", shape],
    ["abc", shape],
    ["1 Gi", shape],
    ["--1", shape],
    ["1.1.M", shape],
    ["1GI", shape],
    ["1i", suffix],
    ["1mi", suffix],
    ["1gi", shape],
    ["1e99999999999", suffix],
    ["9".repeat(600), "unable to parse numeric part of quantity"],
  ];
  assert.deepEqual(
    refused.map(([text]) => [text, readQuantity(text)]),
    refused,
  );
});

test("quantities compare, add and round exactly", () => {
  const sum = addQuantities(parseQuantity("0.1"), parseQuantity("200m"));
  assert.equal(formatQuantity(sum), "300m");
  assert.equal(formatQuantity(addQuantities(parseQuantity("0"), parseQuantity("1Gi"))), "1Gi");
  assert.equal(
    formatQuantity(subtractQuantities(parseQuantity("1Gi"), parseQuantity("1Mi"))),
    "1023Mi",
  );
  assert.equal(compareQuantities(parseQuantity("1Gi"), parseQuantity("1G")), 1);
  assert.equal(compareQuantities(parseQuantity("1000m"), parseQuantity("1")), 0);
  assert.equal(quantityValue(parseQuantity("1500m")), 2n);
  assert.equal(quantityValue(parseQuantity("-1500m")), -2n);
  assert.equal(quantityMilliValue(parseQuantity("1.5")), 1500n);
});

test("formatQuantity() keeps amount and order of random quantities", () => {
  const random = seededRandom(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const suffixes = ["", "n", "u", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti", "e2", "e-3", "E5"];
  const one = (): string =>
    `${pick(["", "-", "+"])}${Math.floor(random() * 100_000)}${pick(["", ".5", ".125"])}${pick(suffixes)}`;
  for (let round = 0; round < 2000; round++) {
    const [left, right] = [parseQuantity(one()), parseQuantity(one())];
    const printed = formatQuantity(left);
    const again = parseQuantity(printed);
    assert.equal(compareQuantities(again, left), 0, printed);
    assert.equal(formatQuantity(again), printed);
    assert.equal(compareQuantities(left, right), -compareQuantities(right, left) + 0);
    const back = subtractQuantities(addQuantities(left, right), right);
    assert.equal(compareQuantities(back, left), 0);
  }
});
