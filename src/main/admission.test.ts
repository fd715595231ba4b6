import { equal, match, rejects } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { messageOf } from "#base/log.ts";
import { namespaces, pods, serviceAccounts } from "#api/resources.ts";
import type { StatusError } from "#api/status.ts";
import { createCluster } from "#main/testing.ts";
import { temporaryFolder } from "#test/temporary.ts";

test("--admission-control-config-file tells plugins what to do, with files beside it", async () => {
  using folder = temporaryFolder("admission");
  const at = (name: string): string => join(folder.path, name);
  const write = (name: string, content: object): void =>
    writeFileSync(at(name), stringify(content));
  write("admission.yaml", {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AdmissionConfiguration",
    plugins: [{ name: "PodSecurity", path: "pods.yaml" }],
  });
  const podSecurity = (enforce: string): void =>
    write("pods.yaml", {
      apiVersion: "pod-security.admission.config.k8s.io/v1",
      kind: "PodSecurityConfiguration",
      defaults: { enforce },
    });
  const start = () =>
    createCluster({ nodes: 0, flags: { admissionControlConfigFile: at("admission.yaml") } });
  podSecurity("strict");
  await rejects(start(), (error: Error) => {
    match(
      messageOf(error),
      /^Cannot use --admission-control-config-file .*admission\.yaml: plugins\[0\]\.path pods\.yaml: defaults\.enforce: Invalid value: "strict"/,
    );
    return true;
  });
  podSecurity("baseline");
  await using cluster = await start();
  const metadata = { name: "dev" };
  await cluster.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata });
  await cluster.client.create(serviceAccounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "own", namespace: "dev" },
  });
  const made = await cluster.client
    .create(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", namespace: "dev" },
      spec: {
        hostPID: true,
        serviceAccountName: "own",
        containers: [{ name: "c", image: "i" }],
      },
    })
    .then(
      () => "made",
      (error: StatusError) => error.message,
    );
  equal(
    made,
    'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
  );
});
