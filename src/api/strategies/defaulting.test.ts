import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { strategyOf } from "#api/strategies/strategies.ts";

const container = { name: "web", image: "nginx" };
const filledContainer = {
  name: "web",
  image: "nginx",
  imagePullPolicy: "Always",
  resources: {},
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
};
const filledPodSpec = {
  containers: [filledContainer],
  dnsPolicy: "ClusterFirst",
  restartPolicy: "Always",
  schedulerName: "default-scheduler",
  securityContext: {},
  terminationGracePeriodSeconds: 30,
};
const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
const filledTemplate = { metadata: { labels: { app: "a" } }, spec: filledPodSpec };
const selector = { matchLabels: { app: "a" } };

interface Case {
  readonly kind: readonly [group: string, kind: string];
  readonly given: JsonObject;
  readonly filled: JsonObject;
}

const cases: readonly Case[] = [
  {
    kind: ["", "Pod"],
    given: {
      spec: {
        hostNetwork: true,
        serviceAccount: "robot",
        initContainers: [{ name: "init", image: "r.example:5000/a/b:1.2" }],
        containers: [
          {
            name: "web",
            image: "nginx:latest",
            ports: [{ containerPort: 80 }],
            env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
            resources: { limits: { cpu: "0.1001", memory: "1Gi" }, requests: { cpu: "50m" } },
            livenessProbe: { httpGet: { port: 80 }, timeoutSeconds: 0 },
            readinessProbe: { grpc: { port: 1 }, periodSeconds: 3 },
            lifecycle: { preStop: { httpGet: { port: "web" } } },
          },
        ],
        volumes: [
          { name: "a" },
          { name: "b", secret: { secretName: "s" } },
          { name: "c", hostPath: { path: "/x" } },
          { name: "d", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } },
          {
            name: "e",
            downwardAPI: { items: [{ path: "p", fieldRef: { fieldPath: "metadata.name" } }] },
          },
        ],
      },
    },
    filled: {
      spec: {
        ...filledPodSpec,
        enableServiceLinks: true,
        hostNetwork: true,
        serviceAccount: "robot",
        serviceAccountName: "robot",
        initContainers: [
          {
            ...filledContainer,
            name: "init",
            image: "r.example:5000/a/b:1.2",
            imagePullPolicy: "IfNotPresent",
          },
        ],
        containers: [
          {
            ...filledContainer,
            image: "nginx:latest",
            ports: [{ containerPort: 80, hostPort: 80, protocol: "TCP" }],
            env: [
              {
                name: "IP",
                valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } },
              },
            ],
            resources: {
              limits: { cpu: "101m", memory: "1Gi" },
              requests: { cpu: "50m", memory: "1Gi" },
            },
            livenessProbe: {
              httpGet: { port: 80, path: "/", scheme: "HTTP" },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
            readinessProbe: {
              grpc: { port: 1, service: "" },
              timeoutSeconds: 1,
              periodSeconds: 3,
              successThreshold: 1,
              failureThreshold: 3,
            },
            lifecycle: { preStop: { httpGet: { port: "web", path: "/", scheme: "HTTP" } } },
          },
        ],
        volumes: [
          { name: "a", emptyDir: {} },
          { name: "b", secret: { secretName: "s", defaultMode: 420 } },
          { name: "c", hostPath: { path: "/x", type: "" } },
          {
            name: "d",
            projected: {
              defaultMode: 420,
              sources: [{ serviceAccountToken: { path: "t", expirationSeconds: 3600 } }],
            },
          },
          {
            name: "e",
            downwardAPI: {
              defaultMode: 420,
              items: [{ path: "p", fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } }],
            },
          },
        ],
      },
    },
  },
  {
    kind: ["apps", "Deployment"],
    given: { spec: { selector, template } },
    filled: {
      spec: {
        replicas: 1,
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        strategy: {
          type: "RollingUpdate",
          rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" },
        },
        selector,
        template: filledTemplate,
      },
    },
  },
  {
    kind: ["apps", "StatefulSet"],
    given: { spec: { serviceName: "s", selector, template, volumeClaimTemplates: [{ spec: {} }] } },
    filled: {
      spec: {
        serviceName: "s",
        replicas: 1,
        podManagementPolicy: "OrderedReady",
        revisionHistoryLimit: 10,
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
        selector,
        template: filledTemplate,
        volumeClaimTemplates: [
          {
            apiVersion: "v1",
            kind: "PersistentVolumeClaim",
            spec: { resources: {}, volumeMode: "Filesystem" },
            status: { phase: "Pending" },
          },
        ],
      },
    },
  },
  {
    kind: ["apps", "DaemonSet"],
    given: { spec: { selector, template } },
    filled: {
      metadata: { annotations: { "deprecated.daemonset.template.generation": "0" } },
      spec: {
        revisionHistoryLimit: 10,
        updateStrategy: {
          type: "RollingUpdate",
          rollingUpdate: { maxUnavailable: 1, maxSurge: 0 },
        },
        selector,
        template: filledTemplate,
      },
    },
  },
  {
    kind: ["batch", "Job"],
    given: { metadata: { name: "j" }, spec: { template } },
    filled: {
      metadata: { name: "j", labels: { app: "a" } },
      spec: {
        backoffLimit: 6,
        completionMode: "NonIndexed",
        completions: 1,
        manualSelector: false,
        parallelism: 1,
        podReplacementPolicy: "TerminatingOrFailed",
        suspend: false,
        template: filledTemplate,
      },
    },
  },
  {
    kind: ["batch", "CronJob"],
    given: { spec: { schedule: "@hourly", jobTemplate: { spec: { template } } } },
    filled: {
      spec: {
        schedule: "@hourly",
        concurrencyPolicy: "Allow",
        suspend: false,
        successfulJobsHistoryLimit: 3,
        failedJobsHistoryLimit: 1,
        jobTemplate: { spec: { template: filledTemplate } },
      },
    },
  },
  {
    kind: ["", "Service"],
    given: { spec: { type: "LoadBalancer", sessionAffinity: "ClientIP", ports: [{ port: 80 }] } },
    filled: {
      spec: {
        type: "LoadBalancer",
        allocateLoadBalancerNodePorts: true,
        externalTrafficPolicy: "Cluster",
        internalTrafficPolicy: "Cluster",
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
        ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
      },
    },
  },
  {
    kind: ["", "Secret"],
    given: { data: { a: "YQ==", b: "eA==" }, stringData: { b: "é" } },
    filled: { type: "Opaque", data: { a: "YQ==", b: "w6k=" } },
  },
  {
    kind: ["", "Namespace"],
    given: { metadata: { name: "n" } },
    filled: {
      metadata: { name: "n", labels: { "kubernetes.io/metadata.name": "n" } },
      status: { phase: "Active" },
    },
  },
  {
    kind: ["", "LimitRange"],
    given: { spec: { limits: [{ type: "Container", max: { cpu: "1" }, min: { memory: "1Mi" } }] } },
    filled: {
      spec: {
        limits: [
          {
            type: "Container",
            max: { cpu: "1" },
            min: { memory: "1Mi" },
            default: { cpu: "1" },
            defaultRequest: { cpu: "1", memory: "1Mi" },
          },
        ],
      },
    },
  },
  {
    kind: ["autoscaling", "HorizontalPodAutoscaler"],
    given: { apiVersion: "autoscaling/v2", spec: { maxReplicas: 3 } },
    filled: {
      apiVersion: "autoscaling/v2",
      spec: {
        minReplicas: 1,
        maxReplicas: 3,
        metrics: [
          {
            type: "Resource",
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } },
          },
        ],
      },
    },
  },
  {
    kind: ["networking.k8s.io", "NetworkPolicy"],
    given: { spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] } },
    filled: {
      spec: {
        podSelector: {},
        egress: [{ ports: [{ port: 53, protocol: "TCP" }] }],
        policyTypes: ["Ingress", "Egress"],
      },
    },
  },
  {
    kind: ["storage.k8s.io", "StorageClass"],
    given: { provisioner: "x" },
    filled: { provisioner: "x", reclaimPolicy: "Delete", volumeBindingMode: "Immediate" },
  },
  {
    kind: ["rbac.authorization.k8s.io", "RoleBinding"],
    given: {
      roleRef: { kind: "Role", name: "r" },
      subjects: [{ kind: "User", name: "u" }],
    },
    filled: {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "r" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "u" }],
    },
  },
];

for (const { kind, given, filled } of cases) {
  test(`fillDefaults() of ${kind[1]} sets what upstream sets`, () => {
    strategyOf(...kind).fillDefaults?.(given);
    assert.deepEqual(given, filled);
  });
}

test("prepareForCreate() of a job selects its pods by the job's uid", () => {
  const job = {
    metadata: { name: "j", uid: "u-1" },
    spec: { template: structuredClone(template) },
  };
  strategyOf("batch", "Job").prepareForCreate?.(job as JsonObject);
  assert.deepEqual(job, {
    metadata: { name: "j", uid: "u-1" },
    status: {},
    spec: {
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "u-1" } },
      template: {
        ...template,
        metadata: {
          labels: {
            app: "a",
            "batch.kubernetes.io/controller-uid": "u-1",
            "batch.kubernetes.io/job-name": "j",
            "controller-uid": "u-1",
            "job-name": "j",
          },
        },
      },
    },
  });
});

test("prepareForCreate() of a pod gives it the quality of service of its resources", () => {
  const qualityOf = (...resources: object[]): unknown => {
    const containers = resources.map((given, index) => ({ name: `c${index}`, resources: given }));
    const pod = { spec: { containers } } as JsonObject;
    strategyOf("", "Pod").prepareForCreate?.(pod);
    return pod.status;
  };
  const all = { cpu: "1", memory: "1Gi" };
  const same = { cpu: "1000m", memory: "1024Mi" };
  assert.deepEqual(
    [
      qualityOf({}),
      qualityOf({ limits: all, requests: same }),
      qualityOf({ limits: all }, {}),
      qualityOf({ requests: all }),
    ],
    ["BestEffort", "Guaranteed", "Burstable", "Burstable"].map((qosClass) => ({
      phase: "Pending",
      qosClass,
    })),
  );
});
