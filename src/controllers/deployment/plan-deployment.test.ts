import { deepEqual, equal, match } from "node:assert/strict";
import { test } from "node:test";
import type { Deployment, DeploymentSpec, ReplicaSet } from "#api/generated/types.ts";
import { planDeployment } from "#controllers/deployment/plan-deployment.ts";
import { templateHash } from "#controllers/deployment/template-hash.ts";

const startMs = Date.parse("2026-01-01T00:00:00Z");

/** A Deployment and its ReplicaSets, whose pods do as they are told. */
class World {
  deployment: Deployment;
  sets: ReplicaSet[] = [];
  nowMs = startMs;
  readonly history: string[] = [];

  constructor(spec: Partial<DeploymentSpec>) {
    this.deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "a", uid: "d", generation: 1 },
      spec: {
        replicas: 3,
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 2,
        selector: { matchLabels: { app: "web" } },
        strategy: {
          type: "RollingUpdate",
          rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" },
        },
        template: templateOf("v1"),
        ...spec,
      },
    };
  }

  change(spec: Partial<DeploymentSpec>): void {
    const { metadata, spec: old } = this.deployment;
    const generation = (metadata.generation ?? 0) + 1;
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, generation },
      spec: { ...(old as DeploymentSpec), ...spec },
    };
  }

  /** Takes one step; true when there was something to do. */
  step(): boolean {
    const plan = planDeployment({
      deployment: this.deployment,
      replicaSets: this.sets,
      podsOf: (set) =>
        Array.from({ length: set.status?.replicas ?? 0 }, () => ({
          apiVersion: "v1",
          kind: "Pod",
          metadata: {},
        })),
      nowMs: this.nowMs,
    });
    for (const action of plan.actions) {
      if (action.kind === "create") {
        const time = new Date(this.nowMs + this.sets.length * 1000).toISOString();
        const { metadata } = action.replicaSet;
        const set = {
          ...metadata,
          uid: metadata.name ?? "",
          creationTimestamp: time,
          generation: 1,
        };
        this.sets.push({ ...action.replicaSet, metadata: set });
      } else if (action.kind === "update") {
        this.sets = this.sets.map((set) =>
          set.metadata.name === action.replicaSet.metadata.name ? action.replicaSet : set,
        );
      } else if (action.kind === "delete") {
        this.sets = this.sets.filter(
          (set) => set.metadata.name !== action.replicaSet.metadata.name,
        );
      } else {
        const annotations = { "deployment.kubernetes.io/revision": action.revision };
        this.deployment = {
          ...this.deployment,
          metadata: { ...this.deployment.metadata, annotations },
        };
      }
    }
    this.deployment = { ...this.deployment, status: plan.status };
    return plan.actions.length > 0;
  }

  /** Every ReplicaSet gets the pods it wants; `healthy` says of which image they become available. */
  run(healthy: (image: string) => boolean): void {
    this.sets = this.sets.map((set) => {
      const replicas = set.spec?.replicas ?? 0;
      const available = healthy(imageOf(set)) ? replicas : 0;
      return {
        ...set,
        status: {
          replicas,
          readyReplicas: available,
          availableReplicas: available,
          observedGeneration: set.metadata.generation ?? 0,
        },
      };
    });
  }

  sizes(): string {
    return this.sets.map((set) => `${imageOf(set)}:${set.spec?.replicas}`).join(" ");
  }

  /** Steps until nothing changes, noting the sizes. */
  settle(healthy: (image: string) => boolean = () => true): string[] {
    const noted: string[] = [];
    for (let turn = 0; turn < 30; turn++) {
      const before = JSON.stringify([this.sets, this.deployment]);
      this.step();
      if (noted.at(-1) !== this.sizes()) noted.push(this.sizes());
      this.run(healthy);
      if (JSON.stringify([this.sets, this.deployment]) === before) break;
    }
    return noted;
  }

  conditions(): unknown {
    return this.deployment.status?.conditions?.map(
      ({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`,
    );
  }
}

const templateOf = (image: string) => ({
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "c", image }] },
});
const imageOf = (set: ReplicaSet): string => set.spec?.template?.spec?.containers[0]?.image ?? "";

test("planDeployment() rolls over within surge and unavailability", () => {
  const cases: [number | string, number | string, number, string[]][] = [
    [
      "25%",
      "25%",
      3,
      ["v1:3 v2:1", "v1:2 v2:1", "v1:2 v2:2", "v1:1 v2:2", "v1:1 v2:3", "v1:0 v2:3"],
    ],
    [0, 1, 2, ["v1:1 v2:0", "v1:1 v2:1", "v1:0 v2:1", "v1:0 v2:2"]],
    ["100%", 0, 2, ["v1:2 v2:2", "v1:0 v2:2"]],
    [0, 0, 1, ["v1:0 v2:0", "v1:0 v2:1"]],
  ];
  for (const [maxSurge, maxUnavailable, replicas, expected] of cases) {
    const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } };
    const world = new World({ replicas, strategy });
    deepEqual(world.settle(), [`v1:${replicas}`]);
    world.change({ template: templateOf("v2") });
    deepEqual(world.settle(), expected);
    equal(world.deployment.metadata.annotations?.["deployment.kubernetes.io/revision"], "2");
  }
});

test("planDeployment() keeps conditions as kubectl rollout status reads them", () => {
  const world = new World({});
  world.step();
  deepEqual(world.conditions(), [
    'Progressing=True NewReplicaSetCreated: Created new replica set "web-' +
      `${templateHash(templateOf("v1"))}"`,
    "Available=False MinimumReplicasUnavailable: Deployment does not have minimum availability.",
  ]);
  world.settle();
  const name = world.sets[0]?.metadata.name;
  deepEqual(world.deployment.status, {
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    conditions: [
      {
        type: "Available",
        status: "True",
        lastUpdateTime: "2026-01-01T00:00:00Z",
        lastTransitionTime: "2026-01-01T00:00:00Z",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      },
      {
        type: "Progressing",
        status: "True",
        lastUpdateTime: "2026-01-01T00:00:00Z",
        lastTransitionTime: "2026-01-01T00:00:00Z",
        reason: "NewReplicaSetAvailable",
        message: `ReplicaSet "${name}" has successfully progressed.`,
      },
    ],
  });
  world.change({ template: templateOf("bad") });
  world.settle((image) => image !== "bad");
  world.nowMs += 601_000;
  world.settle((image) => image !== "bad");
  equal(world.sizes(), "v1:3 bad:1");
  const bad = world.sets[1]?.metadata.name;
  deepEqual(world.conditions(), [
    "Available=True MinimumReplicasAvailable: Deployment has minimum availability.",
    `Progressing=False ProgressDeadlineExceeded: ReplicaSet "${bad}" has timed out progressing.`,
  ]);
});

test("planDeployment() undoes to an older ReplicaSet and remembers its former revision", () => {
  const world = new World({});
  world.settle();
  world.change({ template: templateOf("v2") });
  world.settle();
  world.change({ template: templateOf("v1") });
  world.settle();
  deepEqual(
    world.sets.map(({ metadata }) => [
      metadata.annotations?.["deployment.kubernetes.io/revision"],
      metadata.annotations?.["deployment.kubernetes.io/revision-history"],
    ]),
    [
      ["3", "1"],
      ["2", undefined],
    ],
  );
});

test("planDeployment() forgets revisions beyond the limit", () => {
  const world = new World({});
  for (const image of ["v1", "v2", "v3", "v4", "v5"]) {
    world.change({ template: templateOf(image) });
    world.settle();
    world.sets = world.sets.map((set) => ({
      ...set,
      status: { ...set.status, replicas: set.status?.replicas ?? 0, observedGeneration: 1 },
    }));
  }
  world.settle();
  equal(world.sizes(), "v3:0 v4:0 v5:3");
});

test("planDeployment() with Recreate waits for every old pod to go", () => {
  const world = new World({ strategy: { type: "Recreate" } });
  world.settle();
  world.change({ template: templateOf("v2") });
  world.step();
  equal(world.sizes(), "v1:0");
  world.step();
  equal(world.sizes(), "v1:0");
  deepEqual(world.settle(), ["v1:0", "v1:0 v2:3"]);
});

test("planDeployment() scales in proportion in the middle of a rollout, and only that while paused", () => {
  const world = new World({ replicas: 10 });
  world.settle();
  world.change({ template: templateOf("v2") });
  world.settle((image) => image === "v1");
  equal(world.sizes(), "v1:8 v2:5");
  world.change({ replicas: 20, paused: true });
  world.step();
  equal(world.sizes(), "v1:15 v2:10");
  match(JSON.stringify(world.conditions()), /Progressing=Unknown DeploymentPaused/);
  world.change({ template: templateOf("v3") });
  world.settle();
  equal(world.sizes(), "v1:15 v2:10");
});

test("templateHash() is stable, depends on the content only and changes with a collision", () => {
  const template = templateOf("v1");
  const reordered = { spec: template.spec, metadata: template.metadata };
  equal(templateHash(template), templateHash(reordered));
  equal(new Set([0, 1, 2].map((count) => templateHash(template, count))).size, 3);
  match(templateHash(template), /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
});
