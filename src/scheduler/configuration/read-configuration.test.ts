import { deepEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { readSchedulerConfiguration } from "#scheduler/configuration/read-configuration.ts";

const names = new Set(["PrioritySort", "NodeResourcesFit", "ImageLocality", "DefaultBinder"]);
const read = (rest: object) =>
  readSchedulerConfiguration(
    {
      apiVersion: "kubescheduler.config.k8s.io/v1",
      kind: "KubeSchedulerConfiguration",
      ...rest,
    },
    names,
  );

test("readSchedulerConfiguration() reads profiles with what they leave out and weigh otherwise", () => {
  const profiles = read({
    percentageOfNodesToScore: 40,
    profiles: [
      { plugins: { score: { disabled: [{ name: "ImageLocality" }] } } },
      {
        schedulerName: "packed",
        percentageOfNodesToScore: 100,
        plugins: {
          multiPoint: {
            enabled: [{ name: "NodeResourcesFit", weight: 7 }],
            disabled: [{ name: "*" }],
          },
        },
      },
    ],
  });
  deepEqual(profiles, [
    {
      schedulerName: "default-scheduler",
      disabled: new Set(),
      disabledScores: new Set(["ImageLocality"]),
      weights: new Map(),
      percentageOfNodesToScore: 40,
    },
    {
      schedulerName: "packed",
      disabled: new Set(["ImageLocality"]),
      disabledScores: new Set(),
      weights: new Map([["NodeResourcesFit", 7]]),
      percentageOfNodesToScore: 100,
    },
  ]);
});

test("readSchedulerConfiguration() names the field that is wrong", () => {
  const enabled = (plugin: object) => ({
    profiles: [{ plugins: { multiPoint: { enabled: [plugin] } } }],
  });
  const wrong: readonly [object, RegExp][] = [
    [{ kind: "Pod" }, /^Error: kind: must be KubeSchedulerConfiguration$/],
    [{ extenders: [] }, /^Error: extenders: is no field that is used here/],
    [{ percentageOfNodesToScore: 101 }, /^Error: percentageOfNodesToScore: must be a whole number/],
    [{ profiles: [{}, {}] }, /profiles\[1\]\.schedulerName: "default-scheduler" is there twice/],
    [enabled({ name: "Fit" }), /profiles\[0\]\.plugins\.multiPoint\.enabled\[0\]\.name: no plugin/],
    [
      enabled({ name: "ImageLocality", weight: -1 }),
      /enabled\[0\]\.weight: must be a whole number/,
    ],
    [
      { profiles: [{ plugins: { multiPoint: { disabled: [{ name: "DefaultBinder" }] } } }] },
      /multiPoint\.disabled: "DefaultBinder" cannot be left out/,
    ],
  ];
  for (const [rest, problem] of wrong) throws(() => read(rest), problem);
});
