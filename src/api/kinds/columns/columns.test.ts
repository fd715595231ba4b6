import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { columnsOf } from "#api/kinds/columns/columns.ts";
import { humanDuration } from "#api/kinds/columns/human-duration.ts";

const nowMs = Date.parse("2026-11-22T12:00:00Z");
const metadata = { name: "a", creationTimestamp: "2026-11-22T10:00:00Z" };
const template = {
  spec: {
    containers: [
      { name: "c", image: "i" },
      { name: "d", image: "j" },
    ],
  },
};
const selector: JsonObject = {
  matchLabels: { app: "web" },
  matchExpressions: [
    { key: "tier", operator: "In", values: ["b", "a"] },
    { key: "old", operator: "DoesNotExist" },
  ],
};

test("humanDuration() prints two units at most, as kubectl does", () => {
  const rows: readonly [number, string][] = [
    [-2, "<invalid>"],
    [-1, "0s"],
    [0, "0s"],
    [119, "119s"],
    [120, "2m"],
    [125, "2m5s"],
    [599, "9m59s"],
    [600, "10m"],
    [10_799, "179m"],
    [10_800, "3h"],
    [11_460, "3h11m"],
    [28_800, "8h"],
    [172_799, "47h"],
    [172_800, "2d"],
    [176_400, "2d1h"],
    [691_200, "8d"],
    [63_072_000, "2y"],
    [63_158_400, "2y1d"],
    [252_288_000, "8y"],
  ];
  const printed = rows.map(([seconds]) => humanDuration(seconds * 1000));
  deepEqual(
    printed,
    rows.map(([, text]) => text),
  );
});

const tables: readonly [string, JsonObject, string][] = [
  [
    "apps/Deployment",
    { spec: { replicas: 3, selector, template }, status: { readyReplicas: 1, updatedReplicas: 2 } },
    "a | 1/3 | 2 | 0 | 120m | c,d | i,j | app=web,!old,tier in (a,b)",
  ],
  [
    "apps/DaemonSet",
    {
      spec: { selector, template: { spec: { nodeSelector: { os: "linux", arch: "arm" } } } },
      status: { desiredNumberScheduled: 2, currentNumberScheduled: 1 },
    },
    "a | 2 | 1 | 0 | 0 | 0 | arch=arm,os=linux | 120m |  |  | app=web,!old,tier in (a,b)",
  ],
  [
    "apps/StatefulSet",
    { spec: { replicas: 2, template }, status: { readyReplicas: 2 } },
    "a | 2/2 | 120m | c,d | i,j",
  ],
  [
    "batch/Job",
    {
      spec: { completions: 4, template },
      status: { succeeded: 1, startTime: "2026-11-22T11:59:18Z" },
    },
    "a | Running | 1/4 | 42s | 120m | c,d | i,j | <none>",
  ],
  [
    "batch/CronJob",
    {
      spec: { schedule: "* * * * *", suspend: false, jobTemplate: { spec: { template } } },
      status: { active: [{}], lastScheduleTime: "2026-11-22T11:59:50Z" },
    },
    "a | * * * * * | <none> | False | 1 | 10s | 120m | c,d | i,j | <none>",
  ],
  [
    "/Service",
    {
      spec: {
        type: "LoadBalancer",
        clusterIPs: ["10.96.0.7"],
        externalIPs: ["1.2.3.4"],
        ports: [
          { port: 80, nodePort: 30080, protocol: "TCP" },
          { port: 53, protocol: "UDP" },
        ],
        selector: { app: "web" },
      },
      status: { loadBalancer: { ingress: [{ ip: "9.9.9.9" }] } },
    },
    "a | LoadBalancer | 10.96.0.7 | 9.9.9.9,1.2.3.4 | 80:30080/TCP,53/UDP | 120m | app=web",
  ],
  [
    "/Service",
    { spec: { type: "LoadBalancer", clusterIPs: ["10.96.0.7"] } },
    "a | LoadBalancer | 10.96.0.7 | <pending> | <none> | 120m | <none>",
  ],
  [
    "/Node",
    {
      metadata: {
        ...metadata,
        labels: { "node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "edge" },
      },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: "Ready", status: "True" }],
        addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
        nodeInfo: { kubeletVersion: "v1.36.0", osImage: "Debian" },
      },
    },
    "a | Ready,SchedulingDisabled | control-plane,edge | 120m | v1.36.0 | 10.0.0.1 | <none> | Debian | <unknown> | <unknown>",
  ],
  [
    "/PersistentVolumeClaim",
    {
      spec: { volumeName: "pv", storageClassName: "fast" },
      status: {
        phase: "Bound",
        accessModes: ["ReadWriteMany", "ReadWriteOnce"],
        capacity: { storage: "1Gi" },
      },
    },
    "a | Bound | pv | 1Gi | RWO,RWX | fast | <unset> | 120m | <unset>",
  ],
  [
    "/Endpoints",
    {
      subsets: [
        { addresses: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }], ports: [{ port: 80 }, { port: 81 }] },
      ],
    },
    "a | 10.0.0.1:80,[fd00::1]:80,10.0.0.1:81 + 1 more... | 120m",
  ],
  [
    "discovery.k8s.io/EndpointSlice",
    {
      addressType: "IPv4",
      ports: [{ name: "", port: 80 }],
      endpoints: [{ addresses: ["10.0.0.1"] }],
    },
    "a | IPv4 | 80 | 10.0.0.1 | 120m",
  ],
  [
    "/Event",
    {
      type: "Normal",
      reason: "Pulled",
      involvedObject: { kind: "Pod", name: "web", fieldPath: "spec.containers{a}" },
      source: { component: "kubelet", host: "n1" },
      message: "Pulled image\n",
      firstTimestamp: "2026-11-22T11:00:00Z",
      lastTimestamp: "2026-11-22T11:59:30Z",
      count: 3,
    },
    "30s | Normal | Pulled | pod/web | spec.containers{a} | kubelet, n1 | Pulled image | 60m | 3 | a",
  ],
  [
    "events.k8s.io/Event",
    {
      type: "Normal",
      reason: "Scheduled",
      regarding: { kind: "Pod", name: "web" },
      reportingController: "default-scheduler",
      note: "Assigned",
      eventTime: "2026-11-22T11:59:00.000001Z",
    },
    "60s | Normal | Scheduled | pod/web |  | default-scheduler | Assigned | 60s | 1 | a",
  ],
  [
    "autoscaling/HorizontalPodAutoscaler",
    {
      apiVersion: "autoscaling/v1",
      spec: {
        scaleTargetRef: { kind: "Deployment", name: "web" },
        targetCPUUtilizationPercentage: 80,
        maxReplicas: 4,
      },
    },
    "a | Deployment/web | cpu: <unknown>/80% | <unset> | 4 | 0 | 120m",
  ],
  [
    "networking.k8s.io/Ingress",
    {
      spec: {
        ingressClassName: "nginx",
        rules: ["a", "b", "c", "d"].map((letter) => ({ host: `${letter}.example` })),
        tls: [{}],
      },
    },
    "a | nginx | a.example,b.example,c.example + 1 more... |  | 80, 443 | 120m",
  ],
  [
    "rbac.authorization.k8s.io/RoleBinding",
    {
      roleRef: { kind: "Role", name: "edit" },
      subjects: [
        { kind: "User", name: "eve" },
        { kind: "ServiceAccount", namespace: "ns", name: "bot" },
      ],
    },
    "a | Role/edit | 120m | eve |  | ns/bot",
  ],
  [
    "storage.k8s.io/StorageClass",
    {
      metadata: {
        ...metadata,
        annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
      },
      provisioner: "local",
    },
    "a (default) | local | Delete | Immediate | false | 120m",
  ],
  [
    "certificates.k8s.io/CertificateSigningRequest",
    {
      spec: { signerName: "s", username: "eve", expirationSeconds: 3600 },
      status: { conditions: [{ type: "Approved" }], certificate: "x" },
    },
    "a | 120m | s | eve | 60m | Approved,Issued",
  ],
  [
    "/ResourceQuota",
    {
      status: {
        hard: { pods: "4", "limits.cpu": "2", "requests.cpu": "1" },
        used: { pods: "1", "limits.cpu": "500m" },
      },
    },
    "a | pods: 1/4, requests.cpu: 0/1 | limits.cpu: 500m/2 | 120m",
  ],
  ["rbac.authorization.k8s.io/Role", {}, "a | 2026-11-22T10:00:00Z"],
];

for (const [kind, object, wanted] of tables) {
  test(`columnsOf() prints ${kind} as kubectl shows it: ${wanted}`, () => {
    const [group = "", name = ""] = kind.split("/");
    const whole: JsonObject = { metadata, ...object };
    const cells = columnsOf(group, name).map((column) => column.cell(whole, nowMs) as string);
    equal(cells.join(" | "), wanted);
  });
}

test("the columns of every kind print an empty object without failing", () => {
  for (const kind of builtinKinds()) {
    for (const column of kind.columns) {
      const cell = column.cell({}, nowMs);
      equal(["string", "number", "boolean"].includes(typeof cell) || cell === null, true);
    }
  }
});
