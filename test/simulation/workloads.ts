import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  LabelSelector,
  PodDisruptionBudget,
  PodTemplateSpec,
  StatefulSet,
  V2HorizontalPodAutoscaler,
} from "#api/generated/types.ts";
import {
  cronJobs,
  daemonSets,
  deployments,
  horizontalPodAutoscalers,
  jobs,
  podDisruptionBudgets,
  statefulSets,
} from "#api/resources.ts";
import type { Client } from "#client/client.ts";

// What runs in a simulated cluster, and the bounds it asks for.

export const namespace = "default";
export const surge = 2;
export const replicas = 5;
export const minAvailable = 3;
export const parallelism = 3;
export const historyLimit = 2;
export const scaledMax = 6;

/** What all pods of the Deployment `load` use together: three pods are right. */
export const loadBytes = 150 * 2 ** 20;
const requestBytes = "100Mi";
export const scaledRight = 3;

export async function createWorkloads(client: Client): Promise<void> {
  await client.create(deployments, deployment("steady"));
  await client.create(deployments, deployment("fragile", { fragile: "yes" }));
  await client.create(deployments, scaled);
  await client.create(podDisruptionBudgets, budget);
  await client.create(horizontalPodAutoscalers, autoscaler);
  await client.create(statefulSets, statefulSet);
  await client.create(daemonSets, daemonSet("agent", { maxUnavailable: 1 }));
  await client.create(daemonSets, daemonSet("proxy", { maxSurge: 1, maxUnavailable: 0 }));
  await client.create(jobs, job);
  await client.create(cronJobs, cronJob("forbid", "Forbid"));
  await client.create(cronJobs, cronJob("replace", "Replace"));
}

const selector = (app: string): LabelSelector => ({ matchLabels: { app } });
const template = (app: string, more: object = {}, labels: object = {}): PodTemplateSpec => ({
  metadata: { labels: { app, ...labels } },
  spec: { containers: [{ name: "c", image: "v0" }], ...more },
});

const deployment = (name: string, labels: object = {}): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace },
  spec: {
    replicas,
    selector: selector(name),
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: surge, maxUnavailable: 1 } },
    template: template(name, {}, labels),
  },
});

const scaled: Deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "load", namespace },
  spec: {
    selector: selector("load"),
    template: template("load", {
      containers: [
        { name: "c", image: "v0", resources: { requests: { memory: requestBytes, cpu: "1m" } } },
      ],
    }),
  },
};

const autoscaler: V2HorizontalPodAutoscaler = {
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name: "load", namespace },
  spec: {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "load" },
    minReplicas: 1,
    maxReplicas: scaledMax,
    behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
    metrics: [
      {
        type: "Resource",
        resource: { name: "memory", target: { type: "Utilization", averageUtilization: 50 } },
      },
    ],
  },
};

const budget: PodDisruptionBudget = {
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "steady", namespace },
  spec: { minAvailable, selector: selector("steady") },
};

const statefulSet: StatefulSet = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "db", namespace },
  spec: {
    replicas: 3,
    serviceName: "db",
    selector: selector("db"),
    template: template("db"),
    volumeClaimTemplates: [
      {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "data" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      },
    ],
  },
};

const daemonSet = (name: string, rollingUpdate: object): DaemonSet => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name, namespace },
  spec: {
    selector: selector(name),
    updateStrategy: { type: "RollingUpdate", rollingUpdate },
    template: template(name),
  },
});

const job: Job = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "work", namespace },
  spec: {
    completions: 6,
    parallelism,
    completionMode: "Indexed",
    backoffLimit: 100,
    template: template("work", { restartPolicy: "Never" }, { fragile: "yes" }),
  },
};

const cronJob = (name: string, concurrencyPolicy: string): CronJob => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name, namespace },
  spec: {
    schedule: "* * * * *",
    concurrencyPolicy,
    successfulJobsHistoryLimit: historyLimit,
    jobTemplate: { spec: { template: template(name, { restartPolicy: "Never" }) } },
  },
});
