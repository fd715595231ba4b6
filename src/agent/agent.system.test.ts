import { deepEqual, equal, match } from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { configMaps, pods, secrets } from "#api/resources.ts";
import {
  emptied,
  eventually,
  isReady,
  logsOf,
  needsContainers,
  openRealNode,
  until,
} from "#test/real-node.ts";

test(
  "createAgent() runs a pod on containerd with its volumes, keeps it over a restart and clears it up",
  { skip: needsContainers },
  async () => {
    await using node = await openRealNode();
    const { client, dataDir } = node;
    await client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name: "settings" },
      data: { colour: "blue", greeting: "hello" },
    });
    await client.create(secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "key" },
      data: { pin: Buffer.from("1234").toString("base64") },
    });
    let agent = await node.startAgent();
    const created = await client.create(pods, web);
    const running = await until(client, "web", isReady);
    const status = running?.status?.containerStatuses?.[0];
    match(status?.containerID ?? "", /^containerd:\/\/[0-9a-f]{64}$/);
    match(running?.status?.podIP ?? "", /^10\.213\./);
    const lines = (await logsOf(agent, "web", "web", 7)).split("\n");
    deepEqual(lines.slice(0, 7), [
      "blue hello 1234",
      "web default",
      "uid=1000 gid=2000",
      "pin 1234",
      "..data/colour",
      "web",
      `${running?.status?.podIP}\tweb`,
    ]);
    await agent[Symbol.asyncDispose]();

    agent = await node.startAgent();
    const again = await client.get(pods, { namespace: "default", name: "web" });
    equal(again.status?.containerStatuses?.[0]?.containerID, status?.containerID);
    await node.runtime.stopContainer(status?.containerID?.slice(13) ?? "", 0);
    const restarted = await until(
      client,
      "web",
      (pod) =>
        pod?.status?.containerStatuses?.[0]?.restartCount === 1 &&
        pod.status.containerStatuses[0].ready,
    );
    equal(restarted?.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137);
    await client.delete(pods, { namespace: "default", name: "web" });
    await until(client, "web", (pod) => pod === undefined);
    await emptied(join(dataDir, "logs", "pods"));
    deepEqual(await node.runtime.listSandboxes(), []);
    const uid = created.metadata.uid ?? "";
    equal(existsSync(join(dataDir, "pods", uid)), false);
    await agent[Symbol.asyncDispose]();
  },
);

test(
  "createAgent() waits for a volume whose config map is missing, with upstream's event",
  { skip: needsContainers },
  async () => {
    await using node = await openRealNode();
    const agent = await node.startAgent();
    const volumes = [{ name: "v", configMap: { name: "late" } }];
    const pod: Pod = {
      ...web,
      spec: {
        nodeName: "n",
        volumes,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "c",
            image: "busybox:test",
            command: ["sh", "-c", "cat /v/a; sleep 1000"],
            volumeMounts: [{ name: "v", mountPath: "/v" }],
          },
        ],
      },
    };
    await node.client.create(pods, pod);
    await eventually(
      node.client,
      `MountVolume.SetUp failed for volume "v" : configmap "late" not found`,
    );
    await node.client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name: "late" },
      data: { a: "1\n" },
    });
    await until(
      node.client,
      "web",
      (found) => found?.status?.containerStatuses?.[0]?.ready === true,
    );
    equal(await logsOf(agent, "web", "c", 1), "1\n");
    await agent.stopAll();
  },
);

const script = [
  'echo "$COLOUR $greeting $PIN"',
  'echo "$NAME $SPACE"',
  'echo "uid=$(id -u) gid=$(id -g)"',
  'echo "pin $(cat /secret/pin)"',
  "readlink /settings/colour",
  "hostname",
  "tail -n 1 /etc/hosts",
  "touch /scratch/ready",
  "trap 'exit 0' TERM",
  "while true; do sleep 0.1; done",
].join("; ");

const web: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default" },
  spec: {
    nodeName: "n",
    automountServiceAccountToken: false,
    securityContext: { runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000 },
    containers: [
      {
        name: "web",
        image: "busybox:test",
        command: ["sh", "-c", script],
        env: [
          { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } },
          { name: "PIN", valueFrom: { secretKeyRef: { name: "key", key: "pin" } } },
          { name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "SPACE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
        ],
        envFrom: [{ configMapRef: { name: "settings" } }],
        resources: { limits: { memory: "64Mi", cpu: "500m" } },
        readinessProbe: { exec: { command: ["ls", "/scratch/ready"] }, periodSeconds: 1 },
        volumeMounts: [
          { name: "settings", mountPath: "/settings" },
          { name: "key", mountPath: "/secret" },
          { name: "scratch", mountPath: "/scratch", subPath: "a/b" },
        ],
      },
    ],
    volumes: [
      { name: "settings", configMap: { name: "settings" } },
      { name: "key", secret: { secretName: "key" } },
      { name: "scratch", emptyDir: { medium: "Memory" } },
    ],
  },
};
