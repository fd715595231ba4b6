import { deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { ruleAllows } from "#api/rbac/policy-rule.ts";
import type { Asked } from "#addons/access/asked.ts";
import { readAuditLine } from "#addons/access/audited-requests.ts";
import { roleManifests, roleNameFor } from "#addons/access/role-manifests.ts";
import { smallestRoles } from "#addons/access/smallest-role.ts";

const pods: Asked = {
  verb: "get",
  isResource: true,
  group: "",
  resource: "pods",
  subresource: "",
  name: "web",
  path: "",
  namespace: "dev",
};
const health: Asked = {
  ...pods,
  isResource: false,
  resource: "",
  name: "",
  namespace: "",
  path: "/healthz",
};
const wishes = { alreadyHeld: [], names: false };

test("smallestRoles() writes rules as people do, with their bindings", () => {
  const requests: readonly Asked[] = [
    { ...pods, verb: "list", name: "" },
    pods,
    { ...pods, resource: "services" },
    { ...pods, resource: "services", verb: "list" },
    { ...pods, resource: "deployments", group: "apps", verb: "patch", subresource: "scale" },
    { ...pods, resource: "nodes", namespace: "", verb: "watch" },
    health,
  ];
  const rbac = "rbac.authorization.k8s.io";
  const user = "system:serviceaccount:dev:robot";
  const metadata = { name: "robot-audited", namespace: "dev" };
  const subjects = [{ kind: "ServiceAccount", name: "robot", namespace: "dev" }];
  deepEqual(roleManifests(smallestRoles(requests, wishes), roleNameFor(user), user), [
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: "robot-audited" },
      rules: [
        { apiGroups: [""], resources: ["nodes"], verbs: ["watch"] },
        { nonResourceURLs: ["/healthz"], verbs: ["get"] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: "robot-audited" },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "robot-audited" },
      subjects,
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "Role",
      metadata,
      rules: [
        { apiGroups: [""], resources: ["pods", "services"], verbs: ["get", "list"] },
        { apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["patch"] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: rbac, kind: "Role", name: "robot-audited" },
      subjects,
    },
  ]);
});

test("smallestRoles() holds requests to the names that were used, where a rule can", () => {
  const requests = [pods, { ...pods, name: "api" }, { ...pods, verb: "create", name: "new" }];
  const [role] = smallestRoles(requests, { alreadyHeld: [], names: true });
  const of = { apiGroups: [""], resources: ["pods"], nonResourceURLs: [] };
  deepEqual(role?.rules, [
    { ...of, verbs: ["create"], resourceNames: [] },
    { ...of, verbs: ["get"], resourceNames: ["api", "web"] },
  ]);
});

test("smallestRoles() allows everything that was done and nothing else", () => {
  const random = seededRandom(7);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(values: readonly T[]): T => values[below(values.length)] as T;
  const any = (): Asked => ({
    ...pods,
    verb: pick(["get", "list", "create", "delete"]),
    group: pick(["", "apps"]),
    resource: pick(["pods", "services", "deployments"]),
    subresource: pick(["", "", "status"]),
    name: pick(["", "a", "b"]),
    namespace: pick(["", "dev", "prod"]),
  });
  for (let round = 0; round < 200; round += 1) {
    const requests = Array.from({ length: below(12) }, any);
    const roles = smallestRoles(requests, wishes);
    const allows = (asked: Asked): boolean =>
      roles.some(
        ({ namespace, rules }) =>
          (namespace === "" || namespace === asked.namespace) &&
          rules.some((rule) => ruleAllows(rule, asked)),
      );
    for (const asked of requests) ok(allows(asked), JSON.stringify({ round, asked }));
    const probe = any();
    const sameBut = (a: Asked): boolean =>
      a.verb === probe.verb &&
      a.group === probe.group &&
      a.resource === probe.resource &&
      a.subresource === probe.subresource &&
      (a.namespace === "" || a.namespace === probe.namespace);
    ok(allows(probe) === requests.some(sameBut), JSON.stringify({ round, probe, requests }));
  }
});

test("readAuditLine() takes what was done, by whom it was done for, and leaves the rest", () => {
  const event = {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    stage: "ResponseComplete",
    verb: "list",
    requestURI: "/api/v1/namespaces/dev/pods?limit=500",
    user: { username: "admin" },
    impersonatedUser: { username: "jane" },
    objectRef: { resource: "pods", namespace: "dev", apiVersion: "v1" },
    annotations: { "authorization.k8s.io/decision": "allow" },
  };
  const read = (change: object) => readAuditLine(JSON.stringify({ ...event, ...change }));
  deepEqual(read({}), {
    user: "jane",
    allowed: true,
    asked: { ...pods, verb: "list", name: "" },
  });
  deepEqual(read({ annotations: { "authorization.k8s.io/decision": "forbid" } })?.allowed, false);
  deepEqual(read({ annotations: undefined, responseStatus: { code: 403 } })?.allowed, false);
  deepEqual(
    read({ objectRef: undefined, verb: "get", requestURI: "/healthz?verbose" })?.asked,
    health,
  );
  for (const line of [
    "",
    "{",
    "[]",
    "null",
    JSON.stringify({ ...event, stage: "RequestReceived" }),
  ]) {
    deepEqual(readAuditLine(line), undefined);
  }
});
