import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Job, JobSpec, JobStatus, Pod } from "#api/generated/types.ts";
import { formatIndexes, parseIndexes } from "#controllers/job/indexes.ts";
import { planJob, trackingFinalizer } from "#controllers/job/plan-job.ts";

const now = "2026-01-01T01:00:00Z";
const nowMs = Date.parse(now);

const job = (spec: Partial<JobSpec>, status?: JobStatus): Job => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "j", namespace: "a", uid: "j" },
  spec: { completions: 1, backoffLimit: 2, template: {}, ...spec },
  ...(status && { status }),
});

const pod = (uid: string, phase: string, tracked = true, index?: number): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: uid,
    uid,
    creationTimestamp: "2026-01-01T00:00:00Z",
    ...(tracked && { finalizers: [trackingFinalizer] }),
    ...(index !== undefined && {
      annotations: { "batch.kubernetes.io/job-completion-index": String(index) },
    }),
  },
  status: { phase },
});

const plan = (wanted: Job, pods: readonly Pod[] = []) => planJob({ job: wanted, pods, nowMs });

test("planJob() starts as many pods as may run together and are still needed", () => {
  const running = [pod("a", "Running"), pod("b", "Running")];
  const cases: [Job, readonly Pod[], number, number][] = [
    [job({ parallelism: 3, completions: 5 }), [], 3, 0],
    [job({ parallelism: 3, completions: 5 }, { succeeded: 3 }), [], 2, 0],
    [job({ parallelism: 3, completions: 5 }), running, 1, 0],
    [job({ parallelism: 1, completions: 5 }), running, 0, 1],
    [job({ parallelism: 3, completions: 5, suspend: true }), running, 0, 2],
  ];
  for (const [wanted, pods, created, deleted] of cases) {
    const { create, delete: remove } = plan(wanted, pods);
    deepEqual([create.length, remove.length], [created, deleted]);
  }
  const indexed = job({ parallelism: 3, completions: 4, completionMode: "Indexed" });
  const pods = [pod("a", "Running", true, 1), pod("b", "Succeeded", true, 0)];
  deepEqual(plan(indexed, pods).create, [2, 3]);
  equal(plan(indexed, pods).status.completedIndexes, "0");
});

test("planJob() counts a pod that ended exactly once and completes when all are counted", () => {
  const first = plan(job({}), [pod("a", "Succeeded")]);
  deepEqual(
    [first.status.succeeded, first.status.uncountedTerminatedPods, first.release.length],
    [undefined, { succeeded: ["a"] }, 1],
  );
  const types = (status: JobStatus): unknown => status.conditions?.map(({ type }) => type);
  deepEqual(types(first.status), ["SuccessCriteriaMet"]);
  const second = plan(job({}, first.status), [pod("a", "Succeeded", false)]);
  const condition = {
    status: "True",
    lastProbeTime: now,
    lastTransitionTime: now,
    reason: "CompletionsReached",
    message: "Reached expected number of succeeded pods",
  };
  deepEqual(second, {
    status: {
      succeeded: 1,
      ready: 0,
      terminating: 0,
      uncountedTerminatedPods: {},
      startTime: now,
      conditions: [
        { type: "SuccessCriteriaMet", ...condition },
        { type: "Complete", ...condition },
      ],
      completionTime: now,
    },
    create: [],
    delete: [],
    release: [],
  });
});

test("planJob() waits after a failure, and gives up past the limit or the deadline", () => {
  const failed = {
    ...pod("a", "Failed"),
    metadata: { ...pod("a", "Failed").metadata, creationTimestamp: now },
  };
  const retried = plan(job({}), [failed]);
  deepEqual([retried.create.length, retried.againInMs], [0, 10_000]);
  const running = pod("r", "Running");
  const over = plan(job({}, { failed: 3 }), [running]);
  deepEqual(
    over.status.conditions?.map(({ type, reason }) => [type, reason]),
    [["FailureTarget", "BackoffLimitExceeded"]],
  );
  deepEqual(over.delete, [running]);
  const done = plan(job({}, { ...over.status, failed: 3 }));
  deepEqual(done.status.conditions?.at(-1)?.type, "Failed");
  const late = job({ activeDeadlineSeconds: 5 }, { startTime: "2026-01-01T00:59:55Z" });
  equal(plan(late, [running]).status.conditions?.[0]?.reason, "DeadlineExceeded");
  equal(plan(late, [running]).againInMs, undefined);
});

test("formatIndexes() and parseIndexes() are each other's inverse", () => {
  for (const text of ["", "0", "0,1", "0-2,4", "1,3-5,7,8"]) {
    equal(formatIndexes(parseIndexes(text)), text);
  }
});
