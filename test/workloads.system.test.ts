import { deepEqual, equal, match } from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { createCluster } from "#main/testing.ts";
import { kubectlBinary, run } from "#test/clients.ts";
import { missing } from "#test/needs.ts";

// What the tutorials of Kubernetes' documentation do with kubectl, on simulated nodes.

interface Shell extends AsyncDisposable {
  /** Runs kubectl; throws what it complains of. */
  readonly kubectl: (words: string, input?: object | readonly object[]) => Promise<string>;
  /** Runs kubectl and returns what it complains of. */
  readonly refused: (words: string) => Promise<string>;
  readonly until: (words: string, expected: string) => Promise<void>;
}

async function openShell(nodes = 2): Promise<Shell> {
  const cluster = await createCluster({ nodes });
  const directory = mkdtempSync(join(tmpdir(), "kogge-workloads-"));
  cluster.writeKubeconfig(join(directory, "kubeconfig"));
  const start = (words: string, input?: object | readonly object[]) => {
    const documents = input === undefined ? [] : Array.isArray(input) ? input : [input];
    const text = documents.map((one: object) => stringify(one)).join("---\n");
    const list = words.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
    return run(
      kubectlBinary(),
      [
        ...list.map((word) => word.replaceAll("'", "")),
        "--kubeconfig",
        join(directory, "kubeconfig"),
      ],
      { env: { HOME: directory }, ...(input !== undefined && { input: text }), timeoutMs: 60_000 },
    );
  };
  const shell: Shell = {
    async kubectl(words, input) {
      const { code, stdout, stderr } = await start(words, input);
      if (code !== 0) throw new Error(`Cannot run kubectl ${words}: ${stderr}`);
      return stdout.trim();
    },
    refused: async (words) => (await start(words)).stderr.trim(),
    async until(words, expected) {
      const limit = AbortSignal.timeout(30_000);
      for (;;) {
        const text = await shell.kubectl(words);
        if (text === expected) return;
        if (limit.aborted) equal(text, expected);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
  return shell;
}

const template = (app: string, more: object = {}) => ({
  metadata: { labels: { app } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "main", image: `${app}:1` }],
    ...more,
  },
});

test(
  "a Deployment is rolled out, undone, scaled and autoscaled",
  { skip: missing("clients") },
  async () => {
    await using shell = await openShell();
    const { kubectl, until } = shell;
    await kubectl("create deployment web --image=web:1 --replicas=3");
    match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
    await kubectl("set image deployment/web web=web:2");
    match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
    await kubectl("annotate deployment/web kubernetes.io/change-cause=second");
    match(await kubectl("rollout history deployment/web"), /^2 +second$/m);
    await kubectl("rollout undo deployment/web");
    match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
    equal(await kubectl("get deployment web -o jsonpath={..image}"), "web:1");
    await kubectl("rollout pause deployment/web");
    await kubectl("set resources deployment/web --requests=memory=16Mi");
    await kubectl("rollout resume deployment/web");
    match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
    await kubectl("scale deployment/web --replicas=1");
    await until("get deployment web -o jsonpath={.status.replicas}", "1");
    await kubectl("autoscale deployment web --memory=25% --min=1 --max=2");
    await until("get hpa web -o jsonpath={.status.desiredReplicas}", "2");
    match(await kubectl("describe hpa web"), /ScalingActive +True +ValidMetricFound/);
    match(await kubectl("top pods"), /^web-\S+ +1m +8Mi$/m);
  },
);

test(
  "a StatefulSet of the ZooKeeper tutorial keeps its quorum through a drain",
  { skip: missing("clients") },
  async () => {
    await using shell = await openShell(3);
    const { kubectl, until, refused } = shell;
    const spread = {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            {
              labelSelector: { matchLabels: { app: "zk" } },
              topologyKey: "kubernetes.io/hostname",
            },
          ],
        },
      },
    };
    await kubectl("apply -f -", [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "zk-hs", labels: { app: "zk" } },
        spec: {
          clusterIP: "None",
          selector: { app: "zk" },
          ports: [{ port: 2888, name: "server" }],
        },
      },
      {
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata: { name: "zk-pdb" },
        spec: { selector: { matchLabels: { app: "zk" } }, maxUnavailable: 1 },
      },
      {
        apiVersion: "apps/v1",
        kind: "StatefulSet",
        metadata: { name: "zk" },
        spec: {
          selector: { matchLabels: { app: "zk" } },
          serviceName: "zk-hs",
          replicas: 3,
          podManagementPolicy: "OrderedReady",
          template: template("zk", spread),
          volumeClaimTemplates: [
            {
              metadata: { name: "datadir" },
              spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
            },
          ],
        },
      },
    ]);
    match(await kubectl("rollout status sts/zk"), /roll out complete|rolling update complete/);
    deepEqual(
      (
        await kubectl(
          "get pvc -o jsonpath='{range .items[*]}{.metadata.name}={.status.phase} {end}'",
        )
      ).split(" "),
      ["datadir-zk-0=Bound", "datadir-zk-1=Bound", "datadir-zk-2=Bound"],
    );
    const place = async (pod: string) => kubectl(`get pod ${pod} -o jsonpath={.spec.nodeName}`);
    const [first, second] = [await place("zk-0"), await place("zk-1")];
    await kubectl(`drain ${first} --ignore-daemonsets --delete-emptydir-data`);
    await until("get pod zk-0 -o jsonpath={.status.phase}", "Pending");
    match(
      await refused(`drain ${second} --ignore-daemonsets --timeout=2s`),
      /would violate the pod's disruption budget/,
    );
    await kubectl(`uncordon ${first}`);
    await kubectl(`uncordon ${second}`);
    await until("get sts zk -o jsonpath={.status.availableReplicas}", "3");
    equal(await place("zk-0"), first);
    await kubectl(
      'patch sts zk --type=json -p \'[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"zk:2"}]\'',
    );
    match(await kubectl("rollout status sts/zk"), /roll out complete|rolling update complete/);
    match(await kubectl("rollout history sts/zk"), /^2 /m);
    await kubectl("rollout undo sts/zk");
    match(await kubectl("rollout status sts/zk"), /roll out complete|rolling update complete/);
    equal(await kubectl("get pod zk-2 -o jsonpath={..containers[0].image}"), "zk:1");
  },
);

test(
  "a DaemonSet is rolled back, a Job and a CronJob run",
  { skip: missing("clients") },
  async () => {
    await using shell = await openShell();
    const { kubectl, until } = shell;
    const daemons = (image: string) => ({
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "logs" },
      spec: {
        selector: { matchLabels: { app: "logs" } },
        template: template("logs", { containers: [{ name: "main", image }] }),
      },
    });
    await kubectl("apply -f -", daemons("logs:1"));
    match(await kubectl("rollout status ds/logs"), /successfully rolled out/);
    await kubectl("apply -f -", daemons("logs:2"));
    match(await kubectl("rollout status ds/logs"), /successfully rolled out/);
    await kubectl("rollout undo ds/logs --to-revision=1");
    match(await kubectl("rollout status ds/logs"), /successfully rolled out/);
    equal(await kubectl("get ds logs -o jsonpath={..containers[0].image}"), "logs:1");
    const jobTemplate = {
      spec: {
        template: {
          metadata: { annotations: { "simulated.kogge.dev/run-seconds": "0" } },
          spec: { restartPolicy: "Never", containers: [{ name: "main", image: "pi" }] },
        },
      },
    };
    await kubectl("apply -f -", {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "pi" },
      ...jobTemplate,
    });
    match(await kubectl("wait --for=condition=complete job/pi --timeout=30s"), /condition met/);
    await kubectl("apply -f -", {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "hello" },
      spec: { schedule: "0 0 1 1 *", timeZone: "Europe/Hamburg", jobTemplate },
    }).then(
      () => Promise.reject(new Error("Hamburg is no time zone")),
      (error: unknown) => match(String(error), /unknown time zone Europe\/Hamburg/),
    );
    await kubectl("apply -f -", {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "hello" },
      spec: { schedule: "0 0 1 1 *", timeZone: "Europe/Berlin", jobTemplate },
    });
    await kubectl("create job --from=cronjob/hello by-hand");
    match(
      await kubectl("wait --for=condition=complete job/by-hand --timeout=30s"),
      /condition met/,
    );
    await kubectl("delete job pi by-hand");
    await until("get pods -l job-name -o name", "");
  },
);
