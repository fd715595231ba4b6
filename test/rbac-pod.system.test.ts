import { equal, match } from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { kubectlBinary, kubectlFor } from "#test/clients.ts";
import { koggeFor, machineTraces, writeBusyboxBuild } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { prometheusAccount } from "#test/prometheus-account.ts";
import { temporaryFolder } from "#test/temporary.ts";

// The `prometheus` of the announcement of role-based access control, asking from inside a real container: kubectl
// finds the API server, its token and the cluster's authority as any client in a pod does.
const skip = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");
const image = "localhost/kogge-test/kubectl:1";
const objects = `
apiVersion: v1
kind: Namespace
metadata: { name: dev }
---${prometheusAccount}---
apiVersion: apps/v1
kind: Deployment
metadata: { name: prometheus, namespace: dev }
spec:
  selector: { matchLabels: { app: prometheus } }
  template:
    metadata: { labels: { app: prometheus } }
    spec:
      serviceAccountName: prometheus
      terminationGracePeriodSeconds: 0
      containers: [{ name: c, image: ${image}, command: [sleep, "3600"] }]
`;

test(
  "a pod may do from inside what its account's role says and nothing else",
  { skip, timeout: 300_000 },
  async () => {
    using folder = temporaryFolder("rbac-pod");
    const dataDir = join(folder.path, "data");
    const before = machineTraces([dataDir]);
    {
      await using kogge = koggeFor(dataDir);
      const ready = await kogge.up(["--runtime", "containerd"]);
      const kubectl = kubectlFor(ready.kubeconfig);
      const build = join(folder.path, "image");
      writeBusyboxBuild(build, ["COPY kubectl /bin/kubectl"]);
      cpSync(kubectlBinary(), join(build, "kubectl"));
      await kogge(["image", "build", build, "-t", image]);
      await kubectl(["apply", "-f", "-"], { input: objects });
      await kubectl("rollout status deployment/prometheus --namespace=dev --timeout=90s");
      const inside = async (words: string): Promise<string> => {
        const shell = `HOME=/tmp kubectl ${words} 2>&1 || true`;
        const exec = ["exec", "--namespace=dev", "deploy/prometheus", "--", "sh", "-c", shell];
        return (await kubectl(exec)).trim();
      };
      match(await inside("get pods"), /^NAME .*\nprometheus-\S+ +1\/1 +Running/);
      const name = 'User "system:serviceaccount:dev:prometheus"';
      const refused = (what: string, where: string): string =>
        `Error from server (Forbidden): ${what} is forbidden: ${name} cannot ${where}`;
      equal(
        await inside("get pods --namespace=default"),
        refused("pods", 'list resource "pods" in API group "" in the namespace "default"'),
      );
      equal(
        await inside("get secrets"),
        refused("secrets", 'list resource "secrets" in API group "" in the namespace "dev"'),
      );
      equal(
        await inside("delete pod x"),
        refused('pods "x"', 'delete resource "pods" in API group "" in the namespace "dev"'),
      );
      equal(
        await inside("auth whoami -o jsonpath={.status.userInfo.username}"),
        "system:serviceaccount:dev:prometheus",
      );
    }
    equal(machineTraces([dataDir]).join("\n"), before.join("\n"));
  },
);
