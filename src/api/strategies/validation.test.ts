import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { strategyOf } from "#api/strategies/strategies.ts";

type KindName = readonly [group: string, kind: string];

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/** What is found in an object after defaulting, as `field: message`. */
function problemsOf(kind: KindName, object: object): string[] {
  const strategy = strategyOf(...kind);
  const given = structuredClone(object) as JsonObject;
  strategy.fillDefaults?.(given);
  return (strategy.validate?.(given) ?? []).map((cause) => `${cause.field}: ${cause.message}`);
}

function updateProblemsOf(kind: KindName, object: object, old: object): string[] {
  const strategy = strategyOf(...kind);
  const [now, before] = [object, old].map((one) => {
    const filled = structuredClone(one) as JsonObject;
    strategy.fillDefaults?.(filled);
    return filled;
  });
  return (strategy.validateUpdate?.(now!, before!) ?? []).map(
    (cause) => `${cause.field}: ${cause.message}`,
  );
}

const container = { name: "web", image: "nginx" };
const pod = (spec: object, metadata: object = {}): object => ({
  metadata,
  spec: { containers: [container], ...spec },
});
const template = { metadata: { labels: { app: "a" } }, spec: { containers: [container] } };
const jobTemplate = { spec: { containers: [container], restartPolicy: "Never" } };
const selector = { matchLabels: { app: "a" } };

const cases: readonly (readonly [kind: KindName, object: object, problems: readonly string[]])[] = [
  [["", "Pod"], pod({}), []],
  [["", "Pod"], { spec: {} }, ["spec.containers: Required value"]],
  [
    ["", "Pod"],
    pod({ containers: [{ name: "Web" }, { name: "b", image: " x", imagePullPolicy: "Maybe" }] }),
    [
      `spec.containers[0].name: Invalid value: "Web": ${label}`,
      "spec.containers[0].image: Required value",
      'spec.containers[1].image: Invalid value: " x": must not have leading or trailing whitespace',
      'spec.containers[1].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"',
    ],
  ],
  [
    ["", "Pod"],
    pod({
      containers: [
        {
          ...container,
          ports: [
            { containerPort: 0 },
            { containerPort: 80, hostPort: 1 },
            { containerPort: 81, hostPort: 1, protocol: "X" },
          ],
        },
        { ...container, resources: { requests: { cpu: "2", foo: "1" }, limits: { cpu: "1" } } },
      ],
    }),
    [
      "spec.containers[0].ports[0].containerPort: Required value",
      'spec.containers[0].ports[2].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
      'spec.containers[1].resources.requests[foo]: Invalid value: "foo": must be a standard resource for containers',
      'spec.containers[1].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
      'spec.containers[1].name: Duplicate value: "web"',
    ],
  ],
  [
    ["", "Pod"],
    pod({
      restartPolicy: "Sometimes",
      containers: [
        {
          ...container,
          volumeMounts: [
            { name: "v", mountPath: "/a", subPath: "../x" },
            { name: "w", mountPath: "/a" },
          ],
        },
      ],
      volumes: [{ name: "v", secret: {}, emptyDir: {} }],
      tolerations: [{ key: "a", operator: "Exists", value: "x" }],
    }),
    [
      "spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type",
      "spec.volumes[0].secret.secretName: Required value",
      "spec.containers[0].volumeMounts.subPath: Invalid value: \"../x\": must not contain '..'",
      'spec.containers[0].volumeMounts[1].name: Not found: "w"',
      'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
      "spec.tolerations[0].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
    ],
  ],
  [
    ["", "Pod"],
    pod({
      initContainers: [{ ...container, name: "i", livenessProbe: { exec: { command: ["x"] } } }],
      containers: [
        {
          ...container,
          livenessProbe: { successThreshold: 2 },
          env: [{ name: "A=", valueFrom: {} }],
        },
      ],
    }),
    [
      "spec.containers[0].env[0].name: Invalid value: \"A=\": a valid environment variable name must consist only of printable ASCII characters other than '='",
      'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
      "spec.containers[0].livenessProbe: Required value: must specify a handler type",
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
      "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
    ],
  ],
  [
    ["apps", "Deployment"],
    { spec: { replicas: -1, selector: { matchLabels: { app: "b" } }, template } },
    [
      "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
      'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
    ],
  ],
  [
    ["apps", "Deployment"],
    {
      spec: {
        strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "0%" } },
        selector,
        template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } },
      },
    },
    [
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
      'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
    ],
  ],
  [["apps", "ReplicaSet"], { spec: { template } }, ["spec.selector: Required value"]],
  [
    ["apps", "DaemonSet"],
    { spec: { selector, template, updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } } },
    [
      "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
    ],
  ],
  [
    ["apps", "StatefulSet"],
    { spec: { selector: {}, template, podManagementPolicy: "X" } },
    [
      'spec.podManagementPolicy: Unsupported value: "X": supported values: "OrderedReady", "Parallel"',
      "spec.selector: Invalid value: {}: empty selector is invalid for statefulset",
    ],
  ],
  [
    ["batch", "CronJob"],
    {
      spec: {
        schedule: "* * 32 * *",
        timeZone: "Mars/Base",
        jobTemplate: { spec: { template: jobTemplate } },
      },
    },
    [
      'spec.schedule: Invalid value: "* * 32 * *": end of range (32) above maximum (31): 32',
      'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base',
    ],
  ],
  [
    ["batch", "CronJob"],
    { spec: { schedule: "bad schedule", jobTemplate: { spec: { template } } } },
    [
      'spec.schedule: Invalid value: "bad schedule": expected exactly 5 fields, found 2: [bad schedule]',
      'spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ],
  ],
  [["", "Service"], { spec: {} }, ["spec.ports: Required value"]],
  [
    ["", "Service"],
    { spec: { clusterIP: "None", type: "NodePort", ports: [{ port: 0 }, { port: 1, name: "A" }] } },
    [
      "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
      "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
      "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
      "spec.ports[0].name: Required value",
      `spec.ports[1].name: Invalid value: "A": ${label}`,
    ],
  ],
  [
    ["", "ConfigMap"],
    { data: { "a b": "x" } },
    [
      "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    ],
  ],
  [
    ["", "ConfigMap"],
    { data: { a: "x".repeat(1024 * 1024 + 1) } },
    ["[]: Too long: may not be more than 1048576 bytes"],
  ],
  [
    ["", "Secret"],
    { type: "kubernetes.io/tls", data: { "tls.crt": "" } },
    ["data[tls.key]: Required value"],
  ],
  [
    ["", "PersistentVolumeClaim"],
    { spec: {} },
    [
      "spec.accessModes: Required value: at least 1 access mode is required",
      "spec.resources[storage]: Required value",
    ],
  ],
  [
    ["networking.k8s.io", "Ingress"],
    {
      spec: {
        rules: [
          { host: "1.2.3.4", http: { paths: [{ path: "x", pathType: "Prefix", backend: {} }] } },
        ],
      },
    },
    [
      'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
      'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
      "spec.rules[0].http.paths[0].backend: Required value: resource or service backend is required",
    ],
  ],
  [
    ["rbac.authorization.k8s.io", "Role"],
    {
      rules: [
        { verbs: [], nonResourceURLs: ["/x"] },
        { verbs: ["get"], resources: ["pods"] },
      ],
    },
    [
      "rules[0].verbs: Required value: verbs must contain at least one value",
      'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
      "rules[1].apiGroups: Required value: resource rules must supply at least one api group",
    ],
  ],
];

for (const [kind, object, problems] of cases) {
  test(`validate() of ${kind[1]} finds ${problems[0] ?? "nothing wrong"}`, () => {
    assert.deepEqual(problemsOf(kind, object), problems);
  });
}

const updates: readonly (readonly [
  kind: KindName,
  now: object,
  old: object,
  problems: readonly RegExp[],
])[] = [
  [
    ["", "Pod"],
    pod({ containers: [{ ...container, image: "b" }], activeDeadlineSeconds: 5 }),
    pod({}),
    [],
  ],
  [["", "Pod"], pod({ hostNetwork: false, hostname: "" }), pod({}), []],
  [
    ["", "Pod"],
    pod({ nodeName: "n" }),
    pod({}),
    [
      /^spec: Forbidden: pod updates may not change fields other than .*\n {2}spec.nodeName: \(unset\) -> "n"$/,
    ],
  ],
  [
    ["", "Pod"],
    pod({ containers: [container, { ...container, name: "b" }] }),
    pod({}),
    [/^spec.containers: Forbidden: pod updates may not add or remove containers$/],
  ],
  [
    ["", "Pod"],
    pod({ tolerations: [] }),
    pod({ tolerations: [{ key: "a", operator: "Exists" }] }),
    [/existing toleration can not be modified except its tolerationSeconds/],
  ],
  [
    ["apps", "Deployment"],
    { spec: { selector, template } },
    { spec: { selector: { matchLabels: { app: "x" } }, template } },
    [/^spec.selector: Invalid value: \{"matchLabels":\{"app":"a"\}\}: field is immutable$/],
  ],
  [
    ["apps", "StatefulSet"],
    { spec: { serviceName: "b", replicas: 3, selector, template } },
    { spec: { serviceName: "a", selector, template } },
    [/^spec: Forbidden: updates to statefulset spec for fields other than 'replicas'/],
  ],
  [
    ["", "Service"],
    { spec: { clusterIP: "10.0.0.2", ports: [{ port: 1 }] } },
    { spec: { clusterIP: "10.0.0.1", ports: [{ port: 1 }] } },
    [/^spec.clusterIPs\[0\]: Invalid value: \["10.0.0.2"\]: may not change once set$/],
  ],
  [
    ["", "ConfigMap"],
    { immutable: true, data: { a: "2" } },
    { immutable: true, data: { a: "1" } },
    [/^data: Forbidden: field is immutable when `immutable` is set$/],
  ],
  [
    ["rbac.authorization.k8s.io", "RoleBinding"],
    { roleRef: { kind: "Role", name: "b" } },
    { roleRef: { kind: "Role", name: "a" } },
    [/cannot change roleRef$/],
  ],
];

for (const [kind, now, old, problems] of updates) {
  test(`validateUpdate() of ${kind[1]} finds ${problems[0]?.source.slice(0, 60) ?? "nothing wrong"}`, () => {
    const found = updateProblemsOf(kind, now, old);
    assert.equal(found.length, problems.length, found.join("\n"));
    for (const [index, problem] of problems.entries()) assert.match(found[index]!, problem);
  });
}
