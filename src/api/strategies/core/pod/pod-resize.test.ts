import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { fillPod } from "#api/strategies/core/pod/pod-defaults.ts";
import { validateResize } from "#api/strategies/core/pod/pod-resize.ts";

const pod = (spec: JsonObject, more: JsonObject = {}): JsonObject => {
  const filled = { metadata: { name: "p" }, spec, ...more };
  fillPod(filled as never);
  return filled;
};
const container = (name: string, more: JsonObject = {}): JsonObject => ({
  name,
  image: "i",
  ...more,
});
const asking = (requests: JsonObject, limits?: JsonObject): JsonObject => ({
  resources: { requests, ...(limits && { limits }) },
});
const one = (more: JsonObject): JsonObject => pod({ containers: [container("c", more)] });
const small = asking({ cpu: "1", memory: "1Gi" }, { memory: "1Gi" });
const whole = (resources: JsonObject, more: JsonObject = {}): JsonObject =>
  pod({ containers: [container("c", more)], resources });
const withInit = (more: JsonObject): JsonObject =>
  pod({ containers: [container("c", small)], initContainers: [container("i", more)] });
const restarts = { resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }] };
const sidecar = { restartPolicy: "Always", ...restarts };
const running = (more: JsonObject): JsonObject => ({
  status: { containerStatuses: [{ name: "c", state: { running: {} }, ...more }] },
});
const only = "only cpu and memory resources are mutable";

test("validateResize() takes what upstream takes, and refuses the rest in its words", () => {
  const table: readonly (readonly [string, JsonObject, JsonObject, readonly string[]])[] = [
    ["more", one(small), one(asking({ cpu: "2", memory: "2Gi" }, { memory: "2Gi" })), []],
    ["less memory", one(small), one(asking({ cpu: "1", memory: "1Mi" }, { memory: "1Mi" })), []],
    ["a limit more", one(asking({ cpu: "1" })), one(asking({ cpu: "1" }, { memory: "1Gi" })), []],
    [
      "a limit less",
      one(small),
      one(asking({ cpu: "1", memory: "1Gi" })),
      ["spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"],
    ],
    [
      "a request less",
      one(asking({ cpu: "1", memory: "1Gi" })),
      one(asking({ cpu: "1" })),
      ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"],
    ],
    [
      "another class of service",
      one({}),
      one(asking({ cpu: "1" })),
      ['spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing'],
    ],
    [
      "something else than cpu and memory",
      one(asking({ cpu: "1", "ephemeral-storage": "1Gi" })),
      one(asking({ cpu: "1", "ephemeral-storage": "2Gi" })),
      [`spec: Forbidden: ${only}`],
    ],
    ["another policy", one(small), one({ ...small, ...restarts }), [`spec: Forbidden: ${only}`]],
    [
      "another order",
      pod({ containers: [container("a", small), container("b")] }),
      pod({ containers: [container("b"), container("a", small)] }),
      [0, 1].map(
        (at) =>
          `spec.containers[${at}].name: Forbidden: containers may not be renamed or reordered on resize`,
      ),
    ],
    [
      "one container more, one init container less",
      withInit(small),
      pod({ containers: [container("c", small), container("d")] }),
      [
        "spec.containers: Forbidden: containers may not be added or removed on resize",
        "spec.initContainers: Forbidden: initContainers may not be added or removed on resize",
      ],
    ],
    [
      "an init container",
      withInit(small),
      withInit(asking({ cpu: "2", memory: "1Gi" }, { memory: "1Gi" })),
      [],
    ],
    [
      "a sidecar",
      withInit({ ...sidecar, ...small }),
      withInit({ ...sidecar, ...asking({ cpu: "3", memory: "1Gi" }, { memory: "1Gi" }) }),
      [],
    ],
    [
      "an init container that would have to run anew",
      withInit({ ...restarts, ...asking({ cpu: "1" }) }),
      withInit({ ...restarts, ...asking({ cpu: "2" }) }),
      [
        "spec.initContainers[0]: Forbidden: non-sidecar init containers with a resize policy of RestartContainer cannot be resized",
      ],
    ],
    [
      "storage of an init container",
      withInit(asking({ cpu: "1", "ephemeral-storage": "1Gi" })),
      withInit(asking({ cpu: "1", "ephemeral-storage": "2Gi" })),
      [
        "spec.initContainers[0]: Forbidden: only cpu and memory resources for init or sidecar containers are mutable",
      ],
    ],
    ["the whole pod", whole({ requests: { cpu: "1" } }), whole({ requests: { cpu: "2" } }), []],
    ["the whole pod for the first time", one(small), whole({ requests: { cpu: "2" } }, small), []],
    [
      "the whole pod no more",
      whole({ requests: { cpu: "1" } }, small),
      one(small),
      ["spec.resources: Forbidden: pod-level resources cannot be removed"],
    ],
    [
      "parts of the whole pod no more",
      whole({ requests: { cpu: "1", memory: "1Gi" }, limits: { cpu: "1" } }),
      whole({ requests: { cpu: "1" } }),
      [
        "spec.resources.requests: Forbidden: pod-level resource requests cannot be removed",
        "spec.resources.limits: Forbidden: pod-level resource limits cannot be removed",
      ],
    ],
    [
      "a whole smaller than its parts",
      whole({ requests: { cpu: "2" }, limits: { memory: "2Gi" } }, small),
      whole({ requests: { cpu: "500m" }, limits: { memory: "512Mi" } }, small),
      [
        'spec.resources.requests[cpu]: Invalid value: "500m": must be greater than or equal to aggregate container requests of 1',
        'spec.resources.requests: Invalid value: "1Gi": must be less than or equal to memory limit of 512Mi',
        'spec.resources.containers[0][memory].limits: Invalid value: "1Gi": must be less than or equal to pod limits of 512Mi',
      ],
    ],
    [
      "a static pod",
      pod(
        { containers: [] },
        { metadata: { annotations: { "kubernetes.io/config.mirror": "x" } } },
      ),
      one(small),
      ["[]: Forbidden: static pods cannot be resized"],
    ],
    [
      "a pod of Windows",
      pod({ containers: [], os: { name: "windows" } }),
      one(small),
      ["[]: Forbidden: windows pods cannot be resized"],
    ],
    [
      "a pod of a node that tells nothing",
      { ...one(small), ...running({}) },
      one(asking({ cpu: "2", memory: "1Gi" }, { memory: "1Gi" })),
      ["spec: Forbidden: Pod running on node without support for resize"],
    ],
    [
      "a pod of a node that tells",
      { ...one(small), ...running({ resources: {} }) },
      one(asking({ cpu: "2", memory: "1Gi" }, { memory: "1Gi" })),
      [],
    ],
    [
      "a pod with claims of what the node gives",
      pod(
        { containers: [container("c", small)] },
        { status: { nodeAllocatableResourceClaimStatuses: [{}] } },
      ),
      one(asking({ cpu: "2", memory: "1Gi" }, { memory: "1Gi" })),
      ["spec: Forbidden: pods with node allocatable resource claims cannot be resized"],
    ],
  ];
  for (const [what, old, wanted, expected] of table) {
    const found = validateResize(wanted, old).map(({ field, message }) => `${field}: ${message}`);
    deepEqual(found.toSorted(), expected.toSorted(), what);
  }
});

test("fillPod() completes what a whole pod is to have from its containers, then from its limits", () => {
  const pages = { "hugepages-2Mi": "4Mi" };
  const table: readonly (readonly [JsonObject, JsonObject, JsonObject])[] = [
    [
      { limits: { cpu: "2", memory: "2Gi" } },
      asking({ cpu: "500m" }),
      { limits: { cpu: "2", memory: "2Gi" }, requests: { cpu: "500m", memory: "2Gi" } },
    ],
    [
      { limits: { cpu: "2" } },
      asking({ memory: "1Gi" }),
      { limits: { cpu: "2" }, requests: { cpu: "2", memory: "1Gi" } },
    ],
    [
      { requests: { cpu: "2" } },
      asking({ cpu: "1", ...pages }, pages),
      { limits: pages, requests: { cpu: "2", ...pages } },
    ],
    [{ requests: { cpu: "2" } }, asking({ memory: "1Gi" }), { requests: { cpu: "2" } }],
    [{}, asking({ cpu: "1" }), {}],
  ];
  for (const [resources, more, expected] of table) {
    const { spec } = whole(resources, more) as { spec: JsonObject };
    deepEqual(spec.resources, expected);
  }
});
