import { deepEqual, equal, match } from "node:assert/strict";
import { mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { nodes, pods } from "#api/resources.ts";
import type { Agent } from "#agent/agent.ts";
import type { Client } from "#client/client.ts";
import {
  eventually,
  isReady,
  logsOf,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const skip = needsContainers;
type Spec = NonNullable<Pod["spec"]>;
type Container = Spec["containers"][number];

const named = (name: string) => ({ namespace: "default", name });
const hasEnded = (pod: Pod | undefined): boolean =>
  pod?.status?.phase === "Succeeded" || pod?.status?.phase === "Failed";

/** What a pod with this specification says when it runs the script once. */
async function said(
  { client, agent }: { readonly client: Client; readonly agent: Agent },
  name: string,
  script: string,
  more: { readonly spec?: Partial<Spec>; readonly container?: Partial<Container> } = {},
): Promise<readonly string[]> {
  const containers = [{ ...shellContainer("main", script), ...more.container }];
  const spec = { restartPolicy: "Never", containers, ...more.spec };
  await client.create(pods, podOnNode(name, spec));
  const pod = await until(client, name, hasEnded);
  equal(pod?.status?.phase, "Succeeded", JSON.stringify(pod?.status?.containerStatuses));
  return (await logsOf(agent, name, "main", 1)).trimEnd().split("\n");
}

test("init containers, sidecars and hooks run in their order", { skip }, async () => {
  await using node = await openRealNode();
  const { client, dataDir } = node;
  await node.startAgent();
  const shared = join(dataDir, "shared");
  mkdirSync(shared);
  const order = (): readonly string[] =>
    readFileSync(join(shared, "order"), "utf8").trimEnd().split("\n");
  const step = (name: string, script: string): Container => ({
    ...shellContainer(name, script.replaceAll("note", `echo ${name} >> /s/order`)),
    volumeMounts: [{ name: "s", mountPath: "/s" }],
  });
  const exec = (line: string) => ({ exec: { command: ["sh", "-c", `${line} >> /s/order`] } });
  const ended =
    "trap 'echo sidecar-ends >> /s/order; exit 0' TERM; touch /tmp/up; while :; do sleep 0.1; done";
  await client.create(
    pods,
    podOnNode("ordered", {
      terminationGracePeriodSeconds: 20,
      volumes: [{ name: "s", hostPath: { path: shared } }],
      initContainers: [
        step("first", "note"),
        {
          ...step("sidecar", `note; sleep 0.5; ${ended}`),
          restartPolicy: "Always",
          startupProbe: { ...exec("test -f /tmp/up && echo sidecar-up"), periodSeconds: 1 },
        },
        step("second", "note"),
      ],
      containers: [
        {
          ...step(
            "main",
            "note; trap 'echo main-ends >> /s/order; exit 0' TERM; while :; do sleep 0.1; done",
          ),
          lifecycle: { postStart: exec("echo started"), preStop: exec("echo stopping") },
        },
      ],
    }),
  );
  await until(client, "ordered", isReady);
  await client.delete(pods, named("ordered"));
  await until(client, "ordered", (pod) => pod === undefined);
  const [first, second, third, fourth, ...rest] = order();
  deepEqual([first, second, third, fourth], ["first", "sidecar", "sidecar-up", "second"]);
  // What a hook after the start says may come before what the container says.
  deepEqual(rest.slice(0, 2).toSorted(), ["main", "started"]);
  deepEqual(rest.slice(2), ["stopping", "main-ends", "sidecar-ends"]);
});

test(
  "a hook that fails, a deadline, and crashes are told as upstream tells them",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client } = node;
    await node.startAgent();
    const hook = { postStart: { exec: { command: ["sh", "-c", "echo why; exit 3"] } } };
    const hooked = { ...shellContainer("main", "sleep 1000"), lifecycle: hook };
    await client.create(pods, podOnNode("hooked", { containers: [hooked] }));
    await eventually(client, /PostStartHook failed/);
    await client.create(pods, podOnNode("late", { activeDeadlineSeconds: 1 }));
    const late = await until(client, "late", hasEnded);
    equal(late?.status?.reason, "DeadlineExceeded");
    const script = "echo said > /dev/termination-log; exit 4";
    await client.create(
      pods,
      podOnNode("crashes", { containers: [shellContainer("main", script)] }),
    );
    const crashing = await until(client, "crashes", (pod) => {
      const [state] = pod?.status?.containerStatuses ?? [];
      return state?.state?.waiting?.reason === "CrashLoopBackOff";
    });
    const last = crashing?.status?.containerStatuses?.[0]?.lastState?.terminated;
    deepEqual([last?.exitCode, last?.reason, last?.message], [4, "Error", "said\n"]);
    const fallback = {
      ...shellContainer("main", "echo to the log; exit 5"),
      terminationMessagePolicy: "FallbackToLogsOnError",
    };
    await client.create(
      pods,
      podOnNode("falls", { restartPolicy: "Never", containers: [fallback] }),
    );
    const falls = await until(client, "falls", hasEnded);
    equal(falls?.status?.containerStatuses?.[0]?.state?.terminated?.message, "to the log\n");
  },
);

test("probes ask over HTTP and TCP and by commands; gates wait for others", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  await node.startAgent();
  const often = { periodSeconds: 1, timeoutSeconds: 30, failureThreshold: 1 };
  const script = "mkdir /tmp/w; echo ok > /tmp/w/up; touch /tmp/live; httpd -f -p 8080 -h /tmp/w";
  await client.create(
    pods,
    podOnNode("probed", {
      readinessGates: [{ conditionType: "example.org/open" }],
      containers: [
        {
          ...shellContainer("main", script),
          ports: [{ name: "web", containerPort: 8080 }],
          startupProbe: { ...often, failureThreshold: 30, tcpSocket: { port: "web" } },
          readinessProbe: { ...often, httpGet: { path: "/up", port: "web" } },
          livenessProbe: { ...often, exec: { command: ["ls", "/tmp/live"] } },
        },
      ],
    }),
  );
  const conditions = (pod: Pod | undefined): ReadonlyMap<string, string> =>
    new Map(pod?.status?.conditions?.map(({ type, status }) => [type, status]));
  const gated = await until(
    client,
    "probed",
    (pod) => conditions(pod).get("ContainersReady") === "True",
  );
  equal(conditions(gated).get("Ready"), "False");
  const open = { type: "example.org/open", status: "True" };
  const gate = { kind: "strategic", value: { status: { conditions: [open] } } } as const;
  await client.patch(pods, named("probed"), gate, { subresource: "status" });
  const ready = await until(client, "probed", isReady);
  const [container] = ready?.status?.containerStatuses ?? [];
  const exec = (command: string) =>
    node.runtime.execSync(
      container?.containerID?.split("//")[1] ?? "",
      ["sh", "-c", command],
      5000,
    );
  await exec("rm /tmp/w/up");
  await until(client, "probed", (pod) => !isReady(pod));
  await exec("rm /tmp/live");
  await until(
    client,
    "probed",
    (pod) => (pod?.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0,
  );
  await until(client, "probed", isReady);
});

test("names, name servers and the namespaces of the host are as asked", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  const agent = await node.startAgent();
  const at = { client, agent };
  const fqdn = await said(at, "fqdn", "hostname; cat /etc/hosts | tail -n 2", {
    spec: {
      hostname: "host",
      subdomain: "sub",
      setHostnameAsFQDN: true,
      hostAliases: [{ ip: "10.1.2.3", hostnames: ["foo", "bar"] }],
    },
  });
  equal(fqdn[0], "host.sub.default.svc.cluster.local");
  equal(fqdn.at(-1), "10.1.2.3\tfoo\tbar");
  const dns = await said(at, "dns", "cat /etc/resolv.conf", {
    spec: {
      dnsPolicy: "None",
      dnsConfig: {
        nameservers: ["192.0.2.1"],
        searches: ["example.org"],
        options: [{ name: "ndots", value: "2" }, { name: "edns0" }],
      },
    },
  });
  deepEqual(dns, ["search example.org", "nameserver 192.0.2.1", "options ndots:2 edns0"]);
  const script = `hostname; kill -0 ${process.pid} && echo sees; readlink /proc/self/ns/ipc`;
  const spec = { hostNetwork: true, hostPID: true, hostIPC: true };
  const host = await said(at, "host", script, { spec });
  deepEqual(host, [hostname(), "sees", readlinkSync("/proc/self/ns/ipc")]);
  const shared = await said(at, "shared", "sleep 0.5; ps -o comm | grep -c -e other -e pause", {
    spec: {
      shareProcessNamespace: true,
      initContainers: [
        { ...shellContainer("other", "exec -a other sleep 1000"), restartPolicy: "Always" },
      ],
    },
  });
  match(shared[0] ?? "", /^[12]$/);
});

test("what a container may do is what its security context says", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  const at = { client, agent: await node.startAgent() };
  const status = (field: string): string =>
    `grep ^${field}: /proc/self/status | { read _ v; echo $v; }`;
  const identity = await said(
    at,
    "identity",
    "id -u; id -g; id -G; stat -c %g /v; touch /v/f && stat -c %g /v/f",
    {
      spec: {
        securityContext: {
          runAsUser: 1000,
          runAsGroup: 2000,
          fsGroup: 3000,
          supplementalGroups: [4000],
        },
        volumes: [{ name: "v", emptyDir: {} }],
      },
      container: { volumeMounts: [{ name: "v", mountPath: "/v" }] },
    },
  );
  deepEqual([identity[0], identity[1], ...identity.slice(3)], ["1000", "2000", "3000", "3000"]);
  deepEqual(new Set(identity[2]?.split(" ")), new Set(["2000", "3000", "4000"]));

  const capabilities = await said(at, "capabilities", status("CapEff"), {
    container: { securityContext: { capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] } } },
  });
  deepEqual(capabilities, ["0000000000000400"]);
  const quiet = await said(at, "quiet", status("NoNewPrivs"), {
    container: { securityContext: { allowPrivilegeEscalation: false } },
  });
  deepEqual(quiet, ["1"]);
  const sealed = await said(
    at,
    "sealed",
    "touch /x 2>/dev/null || echo read-only; head -c 1 /proc/timer_list | wc -c; touch /proc/sys/kernel/x 2>/dev/null || echo guarded",
    {
      container: { securityContext: { readOnlyRootFilesystem: true } },
    },
  );
  deepEqual(sealed, ["read-only", "0", "guarded"]);
  const privileged = await said(at, "privileged", "mount -t tmpfs none /tmp && echo mounted", {
    container: { securityContext: { privileged: true } },
  });
  deepEqual(privileged, ["mounted"]);
  const sysctl = { name: "net.ipv4.ip_unprivileged_port_start", value: "123" };
  const tuned = await said(at, "tuned", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", {
    spec: { securityContext: { sysctls: [sysctl] } },
  });
  deepEqual(tuned, ["123"]);
});

test("a container that forks without end harms only itself", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  await node.startAgent({ settings: { podPidsLimit: 64 } });
  await client.create(pods, podOnNode("quiet"));
  const bomb = "f() { f | f & f; }; trap '' TERM; f; while :; do f; sleep 0.1; done";
  await client.create(pods, podOnNode("bomb", { containers: [shellContainer("main", bomb)] }));
  await until(client, "bomb", (pod) => pod?.status?.phase === "Running");
  await until(client, "quiet", isReady);
  await client.create(pods, podOnNode("later"));
  await until(client, "later", isReady);
  await client.delete(pods, named("bomb"));
  await until(client, "bomb", (pod) => pod === undefined);
  const { status } = await client.get(nodes, { name: "n" });
  equal(status?.conditions?.find(({ type }) => type === "Ready")?.status, "True");
});

test("pods from files run, are shown in the API, and go with their files", { skip }, async () => {
  await using node = await openRealNode();
  const { client, dataDir } = node;
  const manifests = join(dataDir, "manifests");
  mkdirSync(manifests);
  const { metadata, ...pod } = podOnNode("own");
  const { nodeName: _, ...spec } = pod.spec ?? {};
  const file = join(manifests, "own.yaml");
  writeFileSync(file, JSON.stringify({ ...pod, metadata, spec }));
  await node.startAgent({ settings: { staticPodPath: manifests } });
  const mirror = await until(client, "own-n", isReady);
  const id = mirror?.status?.containerStatuses?.[0]?.containerID;
  // Whoever deletes the mirror only deletes the mirror.
  await client.delete(pods, named("own-n"), { gracePeriodSeconds: 0 });
  const again = await until(
    client,
    "own-n",
    (found) => isReady(found) && found?.metadata.uid !== mirror?.metadata.uid,
  );
  equal(again?.status?.containerStatuses?.[0]?.containerID, id);
  rmSync(file);
  await until(client, "own-n", (found) => found === undefined);
});
