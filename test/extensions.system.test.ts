import { deepEqual, match } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { kubectlFor } from "#test/clients.ts";
import { extensionPod } from "#test/extension-pod.ts";
import { koggeFor, writeBusyboxBuild } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

// Webhooks and a server of the API that run as a pod, reached in the pod network, with a real kubectl.
const skip = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");
const image = "localhost/kogge-test/busybox:1";

test(
  "a pod is asked about writes, converts custom resources and serves a part of the API",
  { skip, timeout: 300_000 },
  async (context) => {
    using folder = temporaryFolder("extensions");
    await using kogge = koggeFor(join(folder.path, "data"));
    const { kubeconfig } = await kogge.up(["--runtime", "containerd"]);
    const kubectl = kubectlFor(kubeconfig);
    const apply = (...items: readonly JsonObject[]) =>
      kubectl("apply --server-side -f -", {
        input: JSON.stringify({ apiVersion: "v1", kind: "List", items: [...items] }),
      });
    writeBusyboxBuild(join(folder.path, "busybox"));
    await kogge(["image", "build", join(folder.path, "busybox"), "-t", image]);
    const frontProxy = await kubectl([
      ..."get configmap -n kube-system extension-apiserver-authentication -o".split(" "),
      "jsonpath={.data.requestheader-client-ca-file}",
    ]);
    const { objects, caBundle } = extensionPod(image, frontProxy);
    await apply(...objects);
    await kubectl("wait --for=condition=Ready pod/extension --timeout=90s");
    const service = { namespace: "default", name: "extension" };
    const clientConfig = (path: string): JsonObject => ({
      service: { ...service, path },
      caBundle,
    });

    await context.test("admission webhooks", async () => {
      await apply(
        webhooks("Mutating", clientConfig("/mutate")),
        webhooks("Validating", clientConfig("/validate")),
      );
      await kubectl("create configmap fine --from-literal=a=1");
      const data = await kubectl(["get", "configmap", "fine", "-o", "jsonpath={.data}"]);
      deepEqual(JSON.parse(data), { a: "1", mutated: "yes" });
      const denied = await kubectl.try("create configmap denied --from-literal=a=1".split(" "));
      match(
        denied.stderr,
        /admission webhook "validating\.example\.com" denied the request: this name is denied/,
      );
    });

    await context.test("conversion webhook", async () => {
      await apply(definition(clientConfig("/convert")));
      await kubectl("wait --for=condition=Established crd/hosts.example.com --timeout=30s");
      await apply({
        apiVersion: "example.com/v1",
        kind: "Host",
        metadata: { name: "one", namespace: "default" },
        hostPort: "localhost:80",
      });
      const path = "-o=jsonpath={.items[*].host} {.items[*].port}";
      deepEqual(await kubectl(["get", "hosts.v2.example.com", path]), "localhost 80");
    });

    await context.test("a server of the API", async () => {
      await apply({
        apiVersion: "apiregistration.k8s.io/v1",
        kind: "APIService",
        metadata: { name: "v1.extension.example.com" },
        spec: {
          group: "extension.example.com",
          version: "v1",
          groupPriorityMinimum: 1_000,
          versionPriority: 15,
          service,
          caBundle,
        },
      });
      await kubectl(
        "wait --for=condition=Available apiservice/v1.extension.example.com --timeout=60s",
      );
      deepEqual(
        await kubectl("get caller x -o name"),
        "caller.extension.example.com/kubernetes-admin\n",
      );
      match(await kubectl("api-resources --api-group=extension.example.com"), /callers/);
    });

    await context.test("a webhook whose pod is gone fails closed", async () => {
      await kubectl("delete pod extension --wait");
      const failed = await kubectl.try("create configmap more --from-literal=a=1".split(" "));
      match(
        failed.stderr,
        /failed calling webhook "mutating\.example\.com": failed to call webhook: Post "https:\/\/extension\.default\.svc:443\/mutate\?timeout=10s": no endpoints available for service "extension"/,
      );
    });
  },
);

function webhooks(kind: "Mutating" | "Validating", clientConfig: JsonObject): JsonObject {
  const rule = {
    apiGroups: [""],
    apiVersions: ["v1"],
    resources: ["configmaps"],
    operations: ["CREATE"],
    scope: "Namespaced",
  };
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: "extension" },
    webhooks: [
      {
        name: `${kind.toLowerCase()}.example.com`,
        clientConfig,
        rules: [rule],
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } },
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
      },
    ],
  };
}

function definition(clientConfig: JsonObject): JsonObject {
  const text = { type: "string" };
  const version = (name: string, properties: JsonObject): JsonObject => ({
    name,
    served: true,
    storage: name === "v1",
    schema: { openAPIV3Schema: { type: "object", properties } },
  });
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "hosts.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "hosts", singular: "host", kind: "Host" },
      versions: [version("v1", { hostPort: text }), version("v2", { host: text, port: text })],
      conversion: {
        strategy: "Webhook",
        webhook: { clientConfig, conversionReviewVersions: ["v1"] },
      },
    },
  };
}
