import { deepEqual } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createLog } from "#base/log.ts";
import { createCluster } from "#main/testing.ts";
import { kubectlFor } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

const pod = (app: string): string =>
  `{ metadata: { labels: { app: ${app} } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, image: i }] } }`;
const claim = "{ accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }";
const selected = (app: string): string => `selector: { matchLabels: { app: ${app} } }`;
const job = "{ restartPolicy: Never, containers: [{ name: c, image: i }] }";
const objects = `
{ apiVersion: apps/v1, kind: StatefulSet, metadata: { name: set }, spec: { replicas: 2, serviceName: set, ${selected("set")}, template: ${pod("set")}, volumeClaimTemplates: [{ metadata: { name: data }, spec: ${claim} }] } }
---
{ apiVersion: apps/v1, kind: DaemonSet, metadata: { name: daemon }, spec: { ${selected("daemon")}, template: ${pod("daemon")} } }
---
{ apiVersion: apps/v1, kind: Deployment, metadata: { name: web }, spec: { replicas: 3, ${selected("web")}, template: ${pod("web")} } }
---
{ apiVersion: v1, kind: ReplicationController, metadata: { name: old }, spec: { replicas: 1, selector: { app: old }, template: ${pod("old")} } }
---
{ apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: { name: budget }, spec: { minAvailable: 1, ${selected("web")} } }
---
{ apiVersion: batch/v1, kind: Job, metadata: { name: once }, spec: { ttlSecondsAfterFinished: 0, template: { spec: ${job} } } }
---
{ apiVersion: batch/v1, kind: CronJob, metadata: { name: often }, spec: { schedule: "* * * * *", jobTemplate: { spec: { template: { spec: ${job} } } } } }
---
{ apiVersion: v1, kind: ResourceQuota, metadata: { name: quota }, spec: { hard: { pods: "100", count/deployments.apps: "10" } } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: scratch }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, image: i }], volumes: [{ name: v, ephemeral: { volumeClaimTemplate: { spec: ${claim} } } }] } }
`;

test(
  "every controller and the scheduler get along with their own roles",
  { skip: missing("clients"), timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("rbac-controllers");
    const refused = new Set<string>();
    const log = createLog(({ phrase, fields }) => {
      const error = fields["error"];
      const text = error instanceof Error ? error.message : "";
      if (/User "system:\S+" cannot /.test(text)) refused.add(`${phrase}: ${text}`);
    });
    await using cluster = await createCluster({ nodes: 3, log });
    const kubeconfig = join(folder.path, "kubeconfig");
    cluster.writeKubeconfig(kubeconfig);
    const kubectl = kubectlFor(kubeconfig);
    await kubectl(["apply", "-f", "-"], { input: objects });
    await kubectl("create namespace going");
    await kubectl("create deployment more --image=i --namespace=going");
    await kubectl("expose deployment web --port=80");
    await kubectl("autoscale deployment web --min=1 --max=5");
    for (const one of ["deployment/web", "daemonset/daemon", "statefulset/set"]) {
      await kubectl(`rollout status ${one} --timeout=30s`);
      await kubectl(`set image ${one} c=j`);
      await kubectl(`rollout status ${one} --timeout=30s`);
    }
    await kubectl("rollout undo deployment/web");
    await kubectl("create job manual --from=cronjob/often");
    await kubectl("wait --for=condition=Complete job/manual --timeout=30s");
    await kubectl("wait --for=delete job/once --timeout=30s");
    await kubectl("taint node node-2 full=yes:NoExecute");
    await kubectl("cordon node-1");
    await kubectl("delete node node-2");
    await kubectl("delete namespace going --timeout=30s");
    await kubectl("delete statefulset set --timeout=30s");
    await kubectl("delete pod scratch --ignore-not-found --timeout=30s");
    await kubectl("delete pvc --all --timeout=30s");
    await kubectl("delete deployment web --cascade=foreground --timeout=30s");
    await kubectl("delete rc old --cascade=orphan");
    deepEqual([...refused], []);
  },
);
