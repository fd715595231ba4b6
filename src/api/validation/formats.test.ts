import assert from "node:assert/strict";
import test from "node:test";
import { scheduleProblem } from "#api/strategies/batch/cron-schedule.ts";
import { pullPolicyFor } from "#api/strategies/core/pod/container-defaults.ts";
import { differences, sameMeaning } from "#api/validation/equality.ts";
import {
  cidrProblems,
  containsNetwork,
  isNetworkAddress,
  nonSpecialIpProblems,
  parseCidr,
  parseIp,
} from "#api/validation/ip.ts";
import { selectorMatches } from "#api/validation/labels.ts";
import { roundedToMillis } from "#api/validation/quantity.ts";

test("parseIp() takes what is an address and nothing else", () => {
  const good = [
    "0.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "1::",
    "fd00::1:2",
    "1:2:3:4:5:6:7:8",
    "::ffff:1.2.3.4",
  ];
  const bad = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "256.1.1.1",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7",
    "fe80::1%eth0",
    "12345::",
    "1.2.3.4::",
  ];
  assert.deepEqual(
    good.filter((text) => !parseIp(text)),
    [],
  );
  assert.deepEqual(
    bad.filter((text) => parseIp(text)),
    [],
  );
  assert.equal(parseIp("::ffff:1.2.3.4")?.value, 0xffff_0102_0304n);
});

test("networks know their addresses", () => {
  const outer = parseCidr("10.0.0.0/8");
  const inner = parseCidr("10.1.2.3/16");
  assert.ok(outer && inner);
  assert.ok(containsNetwork(outer, inner));
  assert.ok(!containsNetwork(inner, outer));
  assert.ok(isNetworkAddress(outer));
  assert.ok(!isNetworkAddress(inner));
  assert.equal(cidrProblems("10.0.0.0/33").length, 1);
  assert.deepEqual(nonSpecialIpProblems("127.0.0.1"), [
    "may not be in the loopback range (127.0.0.0/8)",
  ]);
});

test("sameMeaning() sees no difference between what is absent and what is zero", () => {
  const same: readonly (readonly [unknown, unknown])[] = [
    [{ a: false, b: "", c: [], d: {}, e: null, f: 0 }, {}],
    [{ limits: { cpu: "1" } }, { limits: { cpu: "1000m" } }],
    [undefined, { a: { b: null } }],
  ];
  const different: readonly (readonly [unknown, unknown])[] = [
    [{ a: "1" }, { a: "1000m" }],
    [
      [1, 2],
      [2, 1],
    ],
    [{ a: 1 }, undefined],
    ["a", {}],
  ];
  for (const [a, b] of same) assert.ok(sameMeaning(a, b), JSON.stringify([a, b]));
  for (const [a, b] of different) assert.ok(!sameMeaning(a, b), JSON.stringify([a, b]));
  assert.deepEqual(differences({ a: [{ b: 1 }], c: 1 }, { a: [{ b: 2 }], c: 1 }, "spec"), [
    "  spec.a[0].b: 1 -> 2",
  ]);
});

test("selectorMatches() follows every operator", () => {
  const labels = { app: "a" };
  const of = (key: string, operator: string, values: string[] = []): boolean =>
    selectorMatches({ matchExpressions: [{ key, operator, values }] }, labels);
  assert.deepEqual(
    [
      of("app", "In", ["a"]),
      of("app", "NotIn", ["a"]),
      of("x", "NotIn", ["a"]),
      of("app", "Exists"),
      of("app", "DoesNotExist"),
      of("app", "Near"),
    ],
    [true, false, true, true, false, false],
  );
});

test("scheduleProblem() names what is no schedule", () => {
  const good = [
    "* * * * *",
    "*/15 0-6 1,15 jan-mar SUN",
    "@hourly",
    "@every 1h30m",
    "0 0 ? * 1-5/2",
  ];
  assert.deepEqual(
    good.map(scheduleProblem),
    good.map(() => undefined),
  );
  const bad = [
    "",
    "* * * *",
    "60 * * * *",
    "* * 0 * *",
    "a * * * *",
    "5-1 * * * *",
    "*/0 * * * *",
    "@never",
    "@every soon",
  ];
  assert.deepEqual(bad.map(scheduleProblem), [
    "empty spec string",
    "expected exactly 5 fields, found 4: [* * * *]",
    "end of range (60) above maximum (59): 60",
    "beginning of range (0) below minimum (1): 0",
    'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax',
    "beginning of range (5) beyond end of range (1): 5-1",
    "step of range should be a positive number: */0",
    "unrecognized descriptor: @never",
    'failed to parse duration @every soon: time: invalid duration "soon"',
  ]);
});

test("pullPolicyFor() pulls what has no fixed tag again", () => {
  const always = ["a", "a:latest", "r:5000/a", "r:5000/a/b:latest"];
  const once = ["a:1", "r:5000/a:1", "a@sha256:00", "a:latest-1"];
  assert.deepEqual(
    always.map(pullPolicyFor),
    always.map(() => "Always"),
  );
  assert.deepEqual(
    once.map(pullPolicyFor),
    once.map(() => "IfNotPresent"),
  );
});

test("roundedToMillis() rounds up what is finer", () => {
  assert.deepEqual(["1", "0.0001", "1.0005", "1Gi", "x"].map(roundedToMillis), [
    "1",
    "1m",
    "1001m",
    "1Gi",
    "x",
  ]);
});
