import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Job, JobSpec, JobStatus, Pod, PodFailurePolicyRule } from "#api/generated/types.ts";
import { indexAnnotation } from "#controllers/job/indexes.ts";
import { planJob, trackingFinalizer } from "#controllers/job/plan-job.ts";
import { failureAnnotations, failureCountAnnotation } from "#controllers/job/pod-failures.ts";
import { metSuccessPolicy } from "#controllers/job/success-policy.ts";

const nowMs = Date.parse("2026-01-01T01:00:00Z");

const job = (spec: Partial<JobSpec>, status?: JobStatus): Job => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "j", namespace: "a", uid: "j" },
  spec: { completions: 3, parallelism: 3, template: {}, ...spec },
  ...(status && { status }),
});

interface PodFacts {
  readonly exitCode?: number;
  readonly index?: number;
  readonly failures?: number;
  readonly deleted?: boolean;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

const pod = (name: string, phase: string, facts: PodFacts = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    namespace: "a",
    uid: name,
    creationTimestamp: "2026-01-01T00:00:00Z",
    finalizers: [trackingFinalizer],
    annotations: {
      ...(facts.index !== undefined && { [indexAnnotation]: String(facts.index) }),
      ...(facts.failures !== undefined && { [failureCountAnnotation]: String(facts.failures) }),
    },
    ...(facts.deleted && { deletionTimestamp: "2026-01-01T00:59:00Z" }),
  },
  status: {
    phase,
    ...(facts.conditions && { conditions: facts.conditions }),
    ...(facts.exitCode !== undefined && {
      containerStatuses: [
        {
          name: "c",
          image: "i",
          imageID: "",
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode: facts.exitCode } },
        },
      ],
    }),
  },
});

const summary = (wanted: Job, pods: readonly Pod[]) => {
  const { status, create, release } = planJob({ job: wanted, pods, nowMs });
  const conditions = status.conditions?.map(({ type, reason, message }) => [type, reason, message]);
  return {
    failed: status.uncountedTerminatedPods?.failed ?? [],
    create: create.length,
    release: release.map(({ metadata }) => metadata.name),
    conditions: conditions ?? [],
  };
};

test("planJob() follows the first rule of the pod failure policy that matches", () => {
  const rules: PodFailurePolicyRule[] = [
    { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
    { action: "Count", onExitCodes: { operator: "In", values: [1] } },
    { action: "FailJob", onExitCodes: { containerName: "c", operator: "NotIn", values: [2] } },
  ];
  const wanted = job({ podFailurePolicy: { rules } });
  const disrupted = { exitCode: 42, conditions: [{ type: "DisruptionTarget", status: "True" }] };
  const failJob =
    "Container c for pod a/p failed with exit code 42 matching FailJob rule at index 2";
  deepEqual(
    [
      summary(wanted, [pod("p", "Failed", disrupted)]),
      summary(wanted, [pod("p", "Failed", { exitCode: 1 })]),
      summary(wanted, [pod("p", "Failed", { exitCode: 42 })]),
      // A pod on its way counts, and is replaced, only when it has ended.
      summary(wanted, [pod("p", "Running", { deleted: true })]),
    ],
    [
      { failed: [], create: 3, release: ["p"], conditions: [] },
      { failed: ["p"], create: 3, release: ["p"], conditions: [] },
      {
        failed: ["p"],
        create: 0,
        release: ["p"],
        conditions: [["FailureTarget", "PodFailurePolicy", failJob]],
      },
      { failed: [], create: 2, release: [], conditions: [] },
    ],
  );
});

test("planJob() gives each index its own limit, and fails when too many indexes did", () => {
  const spec = { completionMode: "Indexed", backoffLimitPerIndex: 1 };
  const once = pod("p0", "Failed", { index: 0, failures: 0 });
  const twice = pod("p1", "Failed", { index: 1, failures: 1 });
  const done = pod("p2", "Succeeded", { index: 2 });
  const first = planJob({ job: job(spec), pods: [once, twice, done], nowMs });
  deepEqual(
    [
      first.create,
      first.status.failedIndexes,
      first.status.completedIndexes,
      first.release.map(({ metadata }) => metadata.name),
      failureAnnotations(job(spec), 0, [once, twice]),
    ],
    [[0], "1", "2", ["p1", "p2"], { [failureCountAnnotation]: "1" }],
  );
  const again = pod("p0b", "Failed", { index: 0, failures: 1 });
  deepEqual(
    [
      summary(job(spec), [again, twice, done]).conditions,
      summary(job({ ...spec, maxFailedIndexes: 0 }), [twice]).conditions,
    ],
    [
      [["FailureTarget", "FailedIndexes", "Job has failed indexes"]],
      [
        [
          "FailureTarget",
          "MaxFailedIndexesExceeded",
          "Job has exceeded the specified maximal number of failed indexes",
        ],
      ],
    ],
  );
});

test("planJob() ends early by the success policy, and stays with what it decided", () => {
  const spec = { completionMode: "Indexed", successPolicy: { rules: [{ succeededIndexes: "0" }] } };
  const pods = [pod("p0", "Succeeded", { index: 0 }), pod("p1", "Running", { index: 1 })];
  const met = ["SuccessCriteriaMet", "SuccessPolicy", "Matched rules at index 0"];
  const first = planJob({ job: job(spec), pods, nowMs });
  deepEqual(first.delete, [pods[1]]);
  deepEqual(summary(job(spec), pods).conditions, [met]);
  const ended = job(spec, { ...first.status, uncountedTerminatedPods: {} });
  deepEqual(summary(ended, []).conditions, [
    met,
    ["Complete", "SuccessPolicy", "Matched rules at index 0"],
  ]);
  const rules = [{ succeededIndexes: "0-3", succeededCount: 2 }, { succeededCount: 4 }];
  deepEqual(
    [[0], [0, 9], [1, 2], [6, 7, 8, 9], []].map((done) =>
      metSuccessPolicy({ rules }, new Set(done)),
    ),
    [undefined, undefined, "Matched rules at index 0", "Matched rules at index 1", undefined],
  );
});
