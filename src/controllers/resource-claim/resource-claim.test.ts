import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, ResourceV1ResourceClaim as ResourceClaim } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { events, pods, resourceClaims, resourceClaimTemplates } from "#api/resources.ts";
import { planClaim } from "#controllers/resource-claim/plan-claim.ts";
import { startCluster } from "#controllers/started-cluster.test.ts";

const namespace = "default";

test("a pod's claims are made from their template and go when it has ended", async () => {
  await using cluster = await startCluster(1);
  const { client, informers, until } = cluster;
  const claims = informers.of(resourceClaims);
  const at = { name: "train", namespace };
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: at,
    spec: {
      restartPolicy: "Never",
      // Nobody places it: what becomes of the claim is not the scheduler's business here.
      schedulerName: "nobody",
      resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }],
      containers: [{ name: "c", image: "i", resources: { claims: [{ name: "gpu" }] } }],
    },
  };
  await client.create(pods, pod);
  const told = informers.of(events);
  await until(() =>
    [...told.list(namespace)].some(({ reason }) => reason === "FailedResourceClaimCreation"),
  );
  await client.create(resourceClaimTemplates, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaimTemplate",
    metadata: { name: "one-gpu", namespace },
    spec: {
      metadata: { labels: { team: "a" } },
      spec: {
        devices: {
          requests: [{ name: "gpu", exactly: { deviceClassName: "gpu", allocationMode: "All" } }],
        },
      },
    },
  });
  const seen = () => informers.of(pods).get(at)?.status?.resourceClaimStatuses;
  await until(() => seen()?.length === 1);
  const [claim] = claims.list(namespace);
  deepEqual(seen(), [{ name: "gpu", resourceClaimName: claim && nameOf(claim) }]);
  deepEqual(claim?.metadata.labels, { team: "a" });
  equal(claim?.metadata.annotations?.["resource.kubernetes.io/pod-claim-name"], "gpu");
  const patch = { kind: "merge" as const, value: { status: { phase: "Succeeded" } } };
  await client.patch(pods, at, patch, { subresource: "status" });
  await until(() => [...claims.list(namespace)].length === 0);
});

test("planClaim() gives devices back when nobody uses them any more", () => {
  const claim = (extra: Partial<ResourceClaim>): ResourceClaim => ({
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name: "c", namespace, uid: "c" },
    spec: {},
    ...extra,
  });
  const user = (uid: string) => ({ resource: "pods", name: `pod-${uid}`, uid });
  const pod = (uid: string, phase: string): Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${uid}`, namespace, uid },
    status: { phase },
  });
  const known = new Map([
    ["pod-a", pod("a", "Running")],
    ["pod-b", pod("b", "Succeeded")],
  ]);
  const plan = (given: ResourceClaim) => {
    const made = planClaim(given, { podOf: (name) => known.get(name), owner: undefined });
    return [made.status?.status, made.unprotect?.metadata.finalizers, made.remove];
  };
  const allocation = { devices: {} };
  deepEqual(plan(claim({ status: { allocation, reservedFor: [user("a"), user("b")] } })), [
    { allocation, reservedFor: [user("a")] },
    undefined,
    false,
  ]);
  deepEqual(plan(claim({ status: { allocation, reservedFor: [user("b")] } })), [
    {},
    undefined,
    false,
  ]);
  deepEqual(plan(claim({ status: { allocation, reservedFor: [user("a")] } })), [
    undefined,
    undefined,
    false,
  ]);
  const metadata = {
    name: "c",
    namespace,
    finalizers: ["resource.kubernetes.io/delete-protection", "other"],
  };
  deepEqual(plan(claim({ metadata })), [undefined, undefined, false]);
  const leaving = { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" };
  deepEqual(plan(claim({ metadata: leaving })), [undefined, ["other"], false]);
});
