import { deepEqual, equal, ok } from "node:assert/strict";
import type { CronJob, Job, Pod } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { cronJobs, jobs, pods } from "#api/resources.ts";
import { ownersOf, scenario, templateOf } from "#test/conformance-apps/scenario.ts";

const namespace = "conformance";
const at = { name: "work", namespace };

const runs = (seconds: number, more: Record<string, string> = {}) => ({
  annotations: { "simulated.kogge.dev/run-seconds": String(seconds), ...more },
});

const work = (
  spec: Partial<Job["spec"]> = {},
  annotations: Record<string, string> = runs(0).annotations,
): Job => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: at,
  spec: { template: templateOf("work", { annotations }, { restartPolicy: "Never" }), ...spec },
});

const finalizersOf = (pod: Pod | undefined): readonly string[] => pod?.metadata.finalizers ?? [];

const conditionOf = (job: Job | undefined, type: string) =>
  job?.status?.conditions?.find(
    (condition) => condition.type === type && condition.status === "True",
  );

scenario("a Job runs its completions and says so", async ({ client, get, until }) => {
  await client.create(jobs, work({ completions: 4, parallelism: 2 }));
  await until(() => conditionOf(get(jobs, "work"), "Complete") !== undefined);
  const { status } = get(jobs, "work") ?? {};
  deepEqual(
    [status?.succeeded, conditionOf(get(jobs, "work"), "SuccessCriteriaMet")?.reason],
    [4, "CompletionsReached"],
  );
});

scenario("a Job whose pods fail gives up at its limit", async ({ client, get, until }) => {
  const failing = runs(0, { "simulated.kogge.dev/exit-code": "1" }).annotations;
  await client.create(jobs, work({ backoffLimit: 0 }, failing));
  await until(() => conditionOf(get(jobs, "work"), "Failed") !== undefined);
  equal(conditionOf(get(jobs, "work"), "Failed")?.reason, "BackoffLimitExceeded");
});

scenario(
  "an exit code of the failure policy fails the Job early",
  async ({ client, get, until }) => {
    const failing = runs(0, { "simulated.kogge.dev/exit-code": "42" }).annotations;
    const onExitCodes = { containerName: "main", operator: "In", values: [42] };
    const podFailurePolicy = { rules: [{ action: "FailJob", onExitCodes }] };
    await client.create(jobs, work({ backoffLimit: 6, podFailurePolicy }, failing));
    await until(() => conditionOf(get(jobs, "work"), "Failed") !== undefined);
    equal(conditionOf(get(jobs, "work"), "Failed")?.reason, "PodFailurePolicy");
  },
);

scenario("an indexed Job gives each pod its index and counts each once", async (scene) => {
  const { client, get, until } = scene;
  await client.create(jobs, work({ completions: 3, parallelism: 3, completionMode: "Indexed" }));
  await until(() => conditionOf(get(jobs, "work"), "Complete") !== undefined);
  deepEqual(
    scene
      .pods()
      .map(({ metadata, spec }) => {
        const index = metadata.annotations?.["batch.kubernetes.io/job-completion-index"];
        return `${index} ${spec?.hostname}`;
      })
      .toSorted(),
    ["0 work-0", "1 work-1", "2 work-2"],
  );
  equal(get(jobs, "work")?.status?.completedIndexes, "0-2");
});

scenario("with a limit for each index, all indexes are tried", async ({ client, get, until }) => {
  const failing = runs(0, { "simulated.kogge.dev/exit-code": "1" }).annotations;
  const spec = {
    completions: 2,
    parallelism: 2,
    completionMode: "Indexed",
    backoffLimitPerIndex: 0,
  };
  await client.create(jobs, work(spec, failing));
  await until(() => conditionOf(get(jobs, "work"), "Failed") !== undefined);
  const { status } = get(jobs, "work") ?? {};
  deepEqual(
    [status?.failedIndexes, conditionOf(get(jobs, "work"), "Failed")?.reason],
    ["0,1", "FailedIndexes"],
  );
});

scenario("a success policy ends an indexed Job early", async ({ client, get, until }) => {
  const spec = {
    completions: 3,
    parallelism: 1,
    completionMode: "Indexed",
    successPolicy: { rules: [{ succeededIndexes: "0" }] },
  };
  await client.create(jobs, work(spec));
  await until(() => conditionOf(get(jobs, "work"), "Complete") !== undefined);
  equal(conditionOf(get(jobs, "work"), "SuccessCriteriaMet")?.reason, "SuccessPolicy");
});

scenario("a suspended Job has no pods until it goes on", async (scene) => {
  const { client, get, until } = scene;
  await client.create(jobs, work({ suspend: true }));
  await until(() => conditionOf(get(jobs, "work"), "Suspended") !== undefined);
  equal(scene.pods().length, 0);
  await client.patch(jobs, at, { kind: "merge", value: { spec: { suspend: false } } });
  await until(() => conditionOf(get(jobs, "work"), "Complete") !== undefined);
});

scenario(
  "a Job adopts pods that it selects and releases those that no longer match",
  async (scene) => {
    const { client, get, until } = scene;
    await client.create(jobs, work({ parallelism: 2, completions: 4 }, runs(3600).annotations));
    await until(() => get(jobs, "work")?.status?.active === 2);
    const [pod] = scene.pods();
    const place = { name: pod ? nameOf(pod) : "", namespace };
    await client.patch(pods, place, {
      kind: "merge",
      value: { metadata: { ownerReferences: null } },
    });
    await until(() => ownersOf(get(pods, place.name) ?? scene.pods()[0]!).join() === "Job work");
    const labels = Object.fromEntries(
      Object.keys(pod?.metadata.labels ?? {}).map((name) => [name, null]),
    );
    await client.patch(pods, place, { kind: "merge", value: { metadata: { labels } } });
    await until(() => ownersOf(get(pods, place.name) ?? scene.pods()[0]!).length === 0);
    await until(() => finalizersOf(get(pods, place.name)).length === 0);
  },
);

scenario("a Job holds the pods that it adopts; one of no Job is let go", async (scene) => {
  const { client, get, until } = scene;
  const tracking = "batch.kubernetes.io/job-tracking";
  await client.create(jobs, work({}, runs(3600).annotations));
  await until(() => get(jobs, "work")?.status?.active === 1);
  const name = nameOf(scene.pods()[0]!);
  const forgotten = { metadata: { ownerReferences: null, finalizers: null } };
  await client.patch(pods, { name, namespace }, { kind: "merge", value: forgotten });
  await until(() => finalizersOf(get(pods, name)).join() === tracking);
  await client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "lone", namespace, finalizers: [tracking, "example.com/mine"] },
    spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] },
  });
  await until(() => finalizersOf(get(pods, "lone")).join() === "example.com/mine");
});

scenario("a finished Job goes when its time to live is over", async (scene) => {
  const { client, get, until } = scene;
  await client.create(jobs, work({ ttlSecondsAfterFinished: 0 }));
  await until(() => get(jobs, "work") === undefined && scene.pods().length === 0);
});

scenario("a Job that somebody else manages is left alone", async (scene) => {
  const { client, get, until } = scene;
  await client.create(jobs, work({ managedBy: "example.org/queue" }));
  await client.create(jobs, { ...work(), metadata: { name: "other", namespace } });
  await until(() => conditionOf(get(jobs, "other"), "Complete") !== undefined);
  deepEqual([get(jobs, "work")?.status, scene.pods().length], [{}, 1]);
});

const cron = (spec: Partial<CronJob["spec"]> = {}): CronJob => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name: "often", namespace },
  spec: {
    schedule: "*/1 * * * *",
    jobTemplate: { spec: work({}, runs(3600).annotations).spec! },
    ...spec,
  },
});

scenario(
  "CronJobs take all operations; a suspended one makes no Jobs",
  async ({ client, informers, get, until }) => {
    await client.create(cronJobs, cron({ suspend: true }));
    const place = { name: "often", namespace };
    const value = { metadata: { annotations: { patched: "true" } } };
    const patched = await client.patch(cronJobs, place, { kind: "merge", value });
    const updated = await client.update(cronJobs, {
      ...patched,
      metadata: { ...patched.metadata, annotations: { updated: "true" } },
    });
    deepEqual(updated.metadata.annotations, { updated: "true" });
    const status = { status: { lastScheduleTime: "2026-01-01T00:00:00Z" } };
    const told = await client.patch(
      cronJobs,
      place,
      { kind: "merge", value: status },
      { subresource: "status" },
    );
    equal(told.status?.lastScheduleTime, "2026-01-01T00:00:00Z");
    ok([...informers.of(jobs).list(namespace)].length === 0);
    await client.deleteCollection(cronJobs, { namespace });
    await until(() => get(cronJobs, "often") === undefined);
  },
);
