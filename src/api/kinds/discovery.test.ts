import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiResourceList,
} from "#api/kinds/discovery.ts";
import type { Discoverable } from "#api/kinds/discovery.ts";
import { compareVersions } from "#api/kinds/version-order.ts";

const custom = (version: string): Discoverable => ({
  group: "example.com",
  version,
  kind: "Boat",
  resource: "boats",
  namespaced: true,
  singular: "boat",
  shortNames: ["bt"],
  categories: ["all"],
  verbs: ["get"],
  subresources: [],
});

const kinds = [custom("v1beta1"), custom("v2"), custom("v10"), ...builtinKinds()];

test("apiGroupList() orders groups as upstream prefers them, others after", () => {
  const groups = apiGroupList(kinds)["groups"] as { name: string }[];
  deepEqual(
    groups
      .map((group) => group.name)
      .join(" ")
      .split(" ")
      .toSpliced(4, 14),
    [
      "apiregistration.k8s.io",
      "apps",
      "events.k8s.io",
      "authentication.k8s.io",
      "flowcontrol.apiserver.k8s.io",
      "resource.k8s.io",
      "example.com",
    ],
  );
});

test("apiGroup() prefers the newest stable version", () => {
  deepEqual(apiGroup(kinds, "example.com"), {
    kind: "APIGroup",
    apiVersion: "v1",
    name: "example.com",
    versions: [
      { groupVersion: "example.com/v10", version: "v10" },
      { groupVersion: "example.com/v2", version: "v2" },
      { groupVersion: "example.com/v1beta1", version: "v1beta1" },
    ],
    preferredVersion: { groupVersion: "example.com/v10", version: "v10" },
  });
  deepEqual(apiGroup(kinds, "autoscaling")?.["preferredVersion"], {
    groupVersion: "autoscaling/v2",
    version: "v2",
  });
  equal(apiGroup(kinds, "nobody.example"), undefined);
});

test("apiResourceList() lists resources and subresources by name", () => {
  const list = apiResourceList(builtinKinds(), "v1");
  const resources = list?.["resources"] as JsonObject[];
  const names = resources.map((resource) => resource["name"] as string);
  deepEqual(
    names,
    names.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  deepEqual(
    resources.find((resource) => resource["name"] === "pods/eviction"),
    {
      name: "pods/eviction",
      singularName: "",
      namespaced: true,
      group: "policy",
      version: "v1",
      kind: "Eviction",
      verbs: ["create"],
    },
  );
  deepEqual(
    resources.find((resource) => resource["name"] === "services"),
    {
      name: "services",
      singularName: "service",
      namespaced: true,
      kind: "Service",
      verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
      shortNames: ["svc"],
      categories: ["all"],
    },
  );
  equal(names.length, 39);
  equal(apiResourceList(builtinKinds(), "v9"), undefined);
});

test("aggregatedDiscovery() tells groups, versions, resources and subresources at once", () => {
  const core = aggregatedDiscovery(kinds, "api")["items"] as JsonObject[];
  deepEqual(
    core.map((item) => item["metadata"]),
    [{}],
  );
  const groups = aggregatedDiscovery(kinds, "apis")["items"] as {
    metadata: { name: string };
    versions: { version: string; freshness: string; resources: JsonObject[] }[];
  }[];
  const apps = groups.find((group) => group.metadata.name === "apps");
  deepEqual(
    apps?.versions.map((version) => [version.version, version.freshness]),
    [["v1", "Current"]],
  );
  const scaled = { group: "autoscaling", version: "v1", kind: "Scale" };
  const deployment = { group: "apps", version: "v1", kind: "Deployment" };
  deepEqual(
    apps?.versions[0]?.resources.find((resource) => resource["resource"] === "deployments"),
    {
      resource: "deployments",
      responseKind: deployment,
      scope: "Namespaced",
      singularResource: "deployment",
      verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
      shortNames: ["deploy"],
      categories: ["all"],
      subresources: [
        { subresource: "scale", responseKind: scaled, verbs: ["get", "patch", "update"] },
        { subresource: "status", responseKind: deployment, verbs: ["get", "patch", "update"] },
      ],
    },
  );
});

test("compareVersions() orders versions as Kubernetes does", () => {
  const versions = ["v1alpha1", "foo", "v1", "v12alpha1", "v2beta1", "v10", "v2", "bar", "v1beta2"];
  deepEqual(
    versions.toSorted(compareVersions).join(" "),
    "v10 v2 v1 v2beta1 v1beta2 v12alpha1 v1alpha1 bar foo",
  );
});
