import { deepEqual, equal, rejects } from "node:assert/strict";
import { test } from "node:test";
import type { Container, Pod, Service } from "#api/generated/types.ts";
import { containerResources } from "#agent/pods/container-resources.ts";
import {
  buildEnvironment,
  MissingObjectError,
  type ReferencedObjects,
} from "#agent/pods/environment.ts";
import { expand } from "#agent/pods/expansion.ts";
import { podDns } from "#agent/pods/pod-dns.ts";
import { hostsFile } from "#agent/pods/pod-hosts.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";

const node = { name: "n", hostIps: ["192.168.0.1"], allocatable: { cpu: "4", memory: "8Gi" } };

const objects: ReferencedObjects = {
  async configMap(namespace, name) {
    if (name !== "settings") throw new MissingObjectError(`configmap "${name}" not found`);
    return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data: { a: "1" } };
  },
  async secret(_, name) {
    throw new MissingObjectError(`secret "${name}" not found`);
  },
  services: async () => [web],
};

const web: Service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "my-web" },
  spec: { clusterIP: "10.96.0.7", ports: [{ name: "http", port: 80 }] },
};

function podOf(container: Partial<Container>, spec: Partial<Pod["spec"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "d", uid: "u", labels: { b: "2", a: "1" } },
    spec: { containers: [{ name: "c", ...container }], ...spec },
  };
}

function environmentOf(container: Partial<Container>): Promise<Map<string, string>> {
  const pod = podOf(container);
  const [spec] = pod.spec?.containers ?? [];
  return buildEnvironment({
    pod,
    container: spec!,
    objects,
    node,
    podIps: ["10.0.0.2"],
    readVolumeFile: async () => "",
  });
}

test("buildEnvironment() knows services, sources, fields, resources and references to earlier ones", async () => {
  const found = await environmentOf({
    envFrom: [{ prefix: "P_", configMapRef: { name: "settings" } }],
    env: [
      { name: "LABELS", valueFrom: { fieldRef: { fieldPath: "metadata.labels" } } },
      { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "CPUS", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
      {
        name: "MEGA",
        valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } },
      },
      { name: "URL", value: "http://$(MY_WEB_SERVICE_HOST)/$(P_a)/$(NONE)/$$(IP)" },
      { name: "NO", valueFrom: { secretKeyRef: { name: "none", key: "k", optional: true } } },
    ],
  });
  deepEqual(Object.fromEntries(found), {
    P_a: "1",
    LABELS: 'a="1"\nb="2"',
    IP: "10.0.0.2",
    CPUS: "4",
    MEGA: "8192",
    URL: "http://10.96.0.7/1/$(NONE)/$(IP)",
    MY_WEB_SERVICE_HOST: "10.96.0.7",
    MY_WEB_SERVICE_PORT: "80",
    MY_WEB_SERVICE_PORT_HTTP: "80",
    MY_WEB_PORT: "tcp://10.96.0.7:80",
    MY_WEB_PORT_80_TCP: "tcp://10.96.0.7:80",
    MY_WEB_PORT_80_TCP_PROTO: "tcp",
    MY_WEB_PORT_80_TCP_PORT: "80",
    MY_WEB_PORT_80_TCP_ADDR: "10.96.0.7",
  });
});

test("buildEnvironment() says with upstream's words what is missing", async () => {
  const reference = (name: string, key: string) => ({
    env: [{ name: "A", valueFrom: { configMapKeyRef: { name, key } } }],
  });
  await rejects(environmentOf(reference("none", "a")), { message: 'configmap "none" not found' });
  await rejects(environmentOf(reference("settings", "z")), {
    message: "couldn't find key z in ConfigMap d/settings",
  });
});

test("expand() leaves what it does not know and unescapes $$", () => {
  const values: Record<string, string> = { A: "1" };
  const expanded = ["$(A)", "$$(A)", "$(B)", "$A", "a$", "$(A"].map((text) =>
    expand(text, (name) => values[name]),
  );
  deepEqual(expanded, ["1", "$(A)", "$(B)", "$A", "a$", "$(A"]);
});

test("qosClassOf() and containerResources() follow requests and limits", () => {
  const both = { cpu: "500m", memory: "64Mi" };
  const guaranteed = { name: "c", resources: { limits: both } };
  equal(qosClassOf(podOf(guaranteed)), "Guaranteed");
  equal(qosClassOf(podOf({ resources: { requests: { cpu: "1" } } })), "Burstable");
  equal(qosClassOf(podOf({})), "BestEffort");
  deepEqual(containerResources(podOf(guaranteed), guaranteed, 8 * 1024 ** 3), {
    cpuShares: 512,
    cpuPeriodUs: 100_000,
    cpuQuotaUs: 50_000,
    memoryLimitBytes: 67_108_864,
    oomScoreAdj: -997,
  });
});

test("podDns() follows the policy and merges dnsConfig", () => {
  const settings = {
    clusterServers: ["10.96.0.10"],
    clusterDomain: "cluster.local",
    node: { servers: ["1.1.1.1"], searches: ["corp"], options: ["edns0"] },
  };
  const dnsConfig = { nameservers: ["9.9.9.9"], options: [{ name: "ndots", value: "2" }] };
  deepEqual(podDns(podOf({}, { dnsConfig }), settings), {
    servers: ["10.96.0.10", "9.9.9.9"],
    searches: ["d.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp"],
    options: ["ndots:2"],
  });
  deepEqual(podDns(podOf({}, { hostNetwork: true }), settings), settings.node);
  deepEqual(podDns(podOf({}, { dnsPolicy: "Default" }), settings), settings.node);
});

test("hostsFile() names the pod by its subdomain and adds aliases", () => {
  const spec = { subdomain: "s", hostAliases: [{ ip: "1.2.3.4", hostnames: ["x", "y"] }] };
  const lines = hostsFile(podOf({}, spec), { ips: ["10.0.0.2"], clusterDomain: "cluster.local" });
  deepEqual(lines.split("\n").slice(-5), [
    "10.0.0.2\tp.s.d.svc.cluster.local\tp",
    "",
    "# Entries added by HostAliases.",
    "1.2.3.4\tx\ty",
    "",
  ]);
});
