import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import type { Attributes } from "#apiserver/authorizer.ts";
import { defaultAccess } from "#apiserver/rbac/defaults/default-objects.ts";
import { ruleAllows, rulesOf, type PolicyRule } from "#api/rbac/policy-rule.ts";

// One line for each default ClusterRole and resource: what the role lets its holder do. Made from upstream's own
// listing of its default policy, by rules of another hand, and compared with what our table and matcher say.
const golden = readFileSync(join(import.meta.dirname, "golden/default-roles.txt"), "utf8");

const verbs = [
  ..."get list watch create update patch delete deletecollection".split(" "),
  ..."approve attest bind escalate impersonate proxy sign".split(" "),
];
const urls = [
  ..."/ /api /api/v1 /apis /apis/apps/v1 /healthz /healthz/etcd /livez /livez/ping /readyz".split(
    " ",
  ),
  ..."/readyz/ping /version /version/ /openapi/v2 /metrics /metrics/slis /metrics/cadvisor".split(
    " ",
  ),
  ..."/.well-known/openid-configuration /openid/v1/jwks /logs/ /debug/pprof".split(" "),
];
const unserved = [
  "/users",
  "/groups",
  "certificates.k8s.io/signers",
  "/pods/metrics",
  "/nodes/metrics",
];

test("every default ClusterRole allows on every resource what upstream says", () => {
  const lines = defaultAccess()
    .filter(({ resource }) => resource === "clusterroles")
    .flatMap(({ object }) => {
      const { name } = object.metadata as { name: string };
      return linesOf(name, rulesOf(object));
    });
  assert.equal(`${lines.toSorted().join("\n")}\n`, golden);
});

function linesOf(role: string, rules: readonly PolicyRule[]): readonly string[] {
  const line = (what: string, attributes: Partial<Attributes>): string => {
    const allowed = verbs.filter((verb) =>
      rules.some((rule) => ruleAllows(rule, { ...nothing, ...attributes, verb })),
    );
    return allowed.length === 0 ? "" : `${role} ${what} ${inShort(allowed)}`;
  };
  return [
    ...resources().map((what) => {
      const [group = "", resource = "", subresource = ""] = what.split("/");
      return line(what, { isResource: true, group, resource, subresource });
    }),
    ...urls.map((path) => line(path, { path })),
  ].filter((text) => text !== "");
}

function inShort(allowed: readonly string[]): string {
  if (allowed.length === verbs.length) return "*";
  return allowed
    .join(",")
    .replace("get,list,watch", "read")
    .replace("create,update,patch,delete,deletecollection", "write");
}

const nothing: Attributes = {
  user: { name: "somebody", groups: [] },
  verb: "",
  isResource: false,
  group: "",
  version: "",
  resource: "",
  subresource: "",
  namespace: "",
  name: "",
  path: "",
};

function resources(): readonly string[] {
  const served = builtinKinds().flatMap(({ group, resource, subresources }) => [
    `${group}/${resource}`,
    ...subresources.map(({ name }) => `${group}/${resource}/${name}`),
  ]);
  return [...new Set([...served, ...unserved])];
}
