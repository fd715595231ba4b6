import type { JsonObject } from "#api/kind.ts";

// Upstream's flow schemas and priority levels, as data: those that must be as they are, and those that are a start.

export interface DefaultObject {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly object: JsonObject;
  readonly name: string;
  /** Is always as it stands here, whatever is written. */
  readonly mandatory: boolean;
}

export const flowControlGroup = "flowcontrol.apiserver.k8s.io";
export const autoUpdateAnnotation = "apf.kubernetes.io/autoupdate-spec";

/** Levels come before the schemas that name them. */
export function defaultFlowControl(): readonly DefaultObject[] {
  return [...levels.map(levelObject), ...schemas.map(schemaObject)];
}

/** The spec that an object of this name must have; undefined for all but the mandatory ones. */
export function mandatorySpec(kind: string, name: string): JsonObject | undefined {
  if (!mandatory.has(name)) return undefined;
  const found = defaultFlowControl().find((one) => one.name === name && one.object.kind === kind);
  return found?.object.spec as JsonObject | undefined;
}

interface Level {
  readonly name: string;
  readonly shares: number;
  readonly lendable: number;
  /** Absent: what does not fit is refused. */
  readonly queues?: { readonly queues: number; readonly handSize: number };
}

const levels: readonly Level[] = [
  { name: "exempt", shares: 0, lendable: 0 },
  { name: "catch-all", shares: 5, lendable: 0 },
  { name: "system", shares: 30, lendable: 33, queues: { queues: 64, handSize: 6 } },
  { name: "node-high", shares: 40, lendable: 25, queues: { queues: 64, handSize: 6 } },
  { name: "leader-election", shares: 10, lendable: 0, queues: { queues: 16, handSize: 4 } },
  { name: "workload-high", shares: 40, lendable: 50, queues: { queues: 128, handSize: 6 } },
  { name: "workload-low", shares: 100, lendable: 90, queues: { queues: 128, handSize: 6 } },
  { name: "global-default", shares: 20, lendable: 50, queues: { queues: 128, handSize: 6 } },
];

const mandatory: ReadonlySet<string> = new Set(["exempt", "catch-all"]);

function levelObject({ name, shares, lendable, queues }: Level): DefaultObject {
  const common = { nominalConcurrencyShares: shares, lendablePercent: lendable };
  const limitResponse: JsonObject = queues
    ? { type: "Queue", queuing: { ...queues, queueLengthLimit: 50 } }
    : { type: "Reject" };
  const spec: JsonObject =
    name === "exempt"
      ? { type: "Exempt", exempt: common }
      : { type: "Limited", limited: { ...common, limitResponse } };
  return defaultObject("PriorityLevelConfiguration", name, spec);
}

interface Schema {
  readonly name: string;
  readonly level: string;
  readonly precedence: number;
  readonly by?: "ByUser" | "ByNamespace";
  readonly subjects: readonly JsonObject[];
  readonly rules?: JsonObject;
}

const group = (name: string): JsonObject => ({ kind: "Group", group: { name } });
const user = (name: string): JsonObject => ({ kind: "User", user: { name } });
const systemAccounts: JsonObject = {
  kind: "ServiceAccount",
  serviceAccount: { namespace: "kube-system", name: "*" },
};
const everybody = [group("system:unauthenticated"), group("system:authenticated")];
const manager = user("system:kube-controller-manager");
const scheduler = user("system:kube-scheduler");

const everything: JsonObject = {
  resourceRules: [
    { verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] },
  ],
  nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
};

const leases: JsonObject = {
  apiGroups: ["coordination.k8s.io"],
  resources: ["leases"],
  namespaces: ["*"],
};

const schemas: readonly Schema[] = [
  { name: "exempt", level: "exempt", precedence: 1, subjects: [group("system:masters")] },
  {
    name: "probes",
    level: "exempt",
    precedence: 2,
    subjects: everybody,
    rules: {
      nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/readyz", "/livez"] }],
    },
  },
  {
    name: "system-leader-election",
    level: "leader-election",
    precedence: 100,
    by: "ByUser",
    subjects: [manager, scheduler, systemAccounts],
    rules: { resourceRules: [{ verbs: ["get", "create", "update"], ...leases }] },
  },
  {
    name: "system-node-high",
    level: "node-high",
    precedence: 400,
    by: "ByUser",
    subjects: [group("system:nodes")],
    rules: {
      resourceRules: [
        {
          verbs: ["*"],
          apiGroups: [""],
          resources: ["nodes", "nodes/status"],
          clusterScope: true,
          namespaces: ["*"],
        },
        { verbs: ["*"], ...leases },
      ],
    },
  },
  {
    name: "system-nodes",
    level: "system",
    precedence: 500,
    by: "ByUser",
    subjects: [group("system:nodes")],
  },
  {
    name: "kube-controller-manager",
    level: "workload-high",
    precedence: 800,
    by: "ByNamespace",
    subjects: [manager],
  },
  {
    name: "kube-scheduler",
    level: "workload-high",
    precedence: 800,
    by: "ByNamespace",
    subjects: [scheduler],
  },
  {
    name: "kube-system-service-accounts",
    level: "workload-high",
    precedence: 900,
    by: "ByNamespace",
    subjects: [systemAccounts],
  },
  {
    name: "service-accounts",
    level: "workload-low",
    precedence: 9_000,
    by: "ByUser",
    subjects: [group("system:serviceaccounts")],
  },
  {
    name: "global-default",
    level: "global-default",
    precedence: 9_900,
    by: "ByUser",
    subjects: everybody,
  },
  {
    name: "catch-all",
    level: "catch-all",
    precedence: 10_000,
    by: "ByUser",
    subjects: everybody,
  },
];

function schemaObject({ name, level, precedence, by, subjects, rules }: Schema): DefaultObject {
  return defaultObject("FlowSchema", name, {
    priorityLevelConfiguration: { name: level },
    matchingPrecedence: precedence,
    ...(by && { distinguisherMethod: { type: by } }),
    rules: [{ subjects: [...subjects], ...(rules ?? everything) }],
  });
}

function defaultObject(kind: string, name: string, spec: JsonObject): DefaultObject {
  const metadata = { name, annotations: { [autoUpdateAnnotation]: "true" } };
  const object = { apiVersion: `${flowControlGroup}/v1`, kind, metadata, spec };
  const resource = kind === "FlowSchema" ? "flowschemas" : "prioritylevelconfigurations";
  return {
    group: flowControlGroup,
    version: "v1",
    resource,
    object,
    name,
    mandatory: mandatory.has(name),
  };
}
