import { deepEqual, equal, match, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { createCertificateRequest } from "#apiserver/node/pki/certificate-request.ts";
import { createCluster } from "#main/testing.ts";
import { kubectlBinary, kubectlFor, kubectlVersions } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

type Step = readonly [words: string, said: RegExp];

// Every command of kubectl that says something to a server, in an order in which each finds what it needs.
const steps: readonly Step[] = [
  ["create namespace play", /^namespace\/play created/],
  ["config set-context --current --namespace=play", /modified/],
  ["config view --minify -o jsonpath={..namespace}", /^play$/],
  ["config get-contexts -o name", /^\S+$/],
  // What `create` can make.
  ["create deployment web --image=web:1 --replicas=2 --port=80", /deployment.apps\/web created/],
  ["create service clusterip web --tcp=80:8080", /service\/web created/],
  ["create service nodeport outside --tcp=80", /service\/outside created/],
  ["create service externalname far --external-name=example.org", /service\/far created/],
  ["create service loadbalancer balanced --tcp=80", /service\/balanced created/],
  [
    "create configmap settings --from-literal=a=1 --from-literal=b=2",
    /configmap\/settings created/,
  ],
  ["create secret generic keys --from-literal=k=v", /secret\/keys created/],
  [
    "create secret docker-registry pull --docker-server=r.example --docker-username=u --docker-password=p",
    /secret\/pull created/,
  ],
  ["create serviceaccount robot", /serviceaccount\/robot created/],
  ["create token robot --duration=10m --audience=me", /^ey/],
  [
    "create role reader --verb=get,list --resource=pods,pods/log",
    /role\S* ?reader|role.rbac.*reader created/,
  ],
  ["create rolebinding readers --role=reader --serviceaccount=play:robot", /readers created/],
  ["create clusterrole watcher --verb=watch --resource=nodes", /watcher created/],
  ["create clusterrolebinding watchers --clusterrole=watcher --user=jane", /watchers created/],
  ["create quota limits --hard=pods=20,configmaps=10", /resourcequota\/limits created/],
  ["create poddisruptionbudget web --selector=app=web --min-available=1", /web created/],
  ["create priorityclass high --value=1000 --description=important", /high created/],
  ["create ingress web --class=none --rule=example.org/*=web:80", /web created/],
  ["create job once --image=pi", /job.batch\/once created/],
  [
    "create cronjob nightly --image=pi --schedule=0'\u00a0'3'\u00a0'*'\u00a0'*'\u00a0'*",
    /nightly created/,
  ],
  ["create job by-hand --from=cronjob/nightly", /by-hand created/],
  // What `set` can change.
  ["rollout status deployment/web", /successfully rolled out/],
  ["set image deployment/web *=web:2", /image updated/],
  ["set env deployment/web A=1 --from=configmap/settings --prefix=S_", /env updated/],
  ["set env deployment/web --list", /A=1/],
  ["set resources deployment/web --limits=cpu=100m,memory=32Mi", /resource requirements updated/],
  ["set serviceaccount deployment/web robot", /serviceaccount updated/],
  ["set selector service/web app=web", /selector updated/],
  ["set subject rolebinding/readers --group=ops", /subjects updated/],
  ["rollout status deployment/web", /successfully rolled out/],
  ["rollout history deployment/web --revision=2", /Image:\s+web:2/],
  ["rollout restart deployment/web", /restarted/],
  ["rollout status deployment/web", /successfully rolled out/],
  ["rollout undo deployment/web --to-revision=1", /rolled back/],
  ["scale deployment/web --current-replicas=2 --replicas=3", /scaled/],
  ["wait deployment/web --for=jsonpath={.status.readyReplicas}=3 --timeout=60s", /condition met/],
  ["autoscale deployment/web --min=2 --max=4 --cpu=50%", /autoscaled/],
  ["expose deployment/web --name=again --port=80", /service\/again exposed/],
  // What `get` can show.
  ["get all", /deployment.apps\/web/],
  ["get deployment,service,ingress -o wide", /web:1/],
  ["get pods -l app=web --sort-by=.metadata.name -o name", /^pod\/web-\S+\npod\/web-/],
  ["get pods --field-selector=status.phase=Running,spec.nodeName!=none -o name", /pod\/web-/],
  ["get pods --chunk-size=1 -o name", /pod\/web-/],
  ["get deployment web -o yaml --show-managed-fields", /manager: kubectl-create/],
  ["get configmap settings -o go-template={{.data.a}}", /^1$/],
  ["get configmaps -o custom-columns=NAME:.metadata.name,A:.data.a", /settings +1/],
  ["get -A pods --no-headers", /^play +web-/m],
  ["get --raw /readyz", /^ok$/],
  ["get --raw /apis/apps/v1/namespaces/play/deployments/web/scale", /"kind":"Scale"/],
  ["events --types=Normal --no-headers", /ScalingReplicaSet/],
  ["events --for=deployment/web", /ScalingReplicaSet/],
  ["describe deployment/web service/web quota/limits hpa/web pdb/web", /Allowed disruptions/],
  ["describe node node-1", /Non-terminated Pods/],
  ["describe ingress/web role/reader", /web:80[^]*pods\/log/],
  ["top nodes", /node-1/],
  ["top pods --containers", /web-/],
  ["explain hpa.spec.metrics.resource --recursive", /target/],
  ["explain cronjob --output=plaintext-openapiv2", /KIND: +CronJob/],
  ["api-resources --namespaced=false --verbs=list -o name", /^nodes$/m],
  ["api-resources --api-group=batch", /cronjobs/],
  ["api-versions", /^batch\/v1$/m],
  ["cluster-info", /is running at/],
  ["cluster-info dump --output=json", /"kind": "NodeList"/],
  ["version -o json", /"gitVersion": "v1\.36\./],
  // What changes an object.
  ["label pods -l app=web tier=front", /labeled/],
  ["label pods -l app=web tier=back --overwrite", /labeled/],
  ["label pods --list -l tier=back", /tier=back/],
  ["label pods -l tier=back tier-", /unlabeled/],
  ["annotate service/web note=hello", /annotated/],
  ["annotate service/web note-", /annotated/],
  ["patch service web --subresource=status -p {}", /no change|patched/],
  ['patch deployment web --subresource=scale --type=merge -p {"spec":{"replicas":2}}', /patched/],
  ["taint node node-1 play=on:NoSchedule", /tainted/],
  ["taint node node-1 play-", /untainted/],
  ["cordon node-1", /cordoned/],
  ["drain node-1 --ignore-daemonsets --delete-emptydir-data --force --timeout=60s", /drained/],
  ["uncordon node-1", /uncordoned/],
  ["run shell --image=busybox --restart=Never --labels=app=shell --env=A=1", /pod\/shell created/],
  ["wait pod/shell --for=condition=Ready --timeout=60s", /condition met/],
  ["logs pods/shell --all-containers --prefix", /^$|shell/],
  ["exec shell -- echo hello", /^hello$/],
  [
    "debug shell --image=busybox --target=shell --profile=general -c probe -- true",
    /^Targeting container "shell"/,
  ],
  ["get pod shell -o jsonpath={.spec.ephemeralContainers[0].name}", /^probe$/],
  ["auth can-i --list", /\*\.\*/],
  ["auth can-i get pods/log --as=system:serviceaccount:play:robot", /^yes$/],
  ["auth whoami", /Username/],
  ["certificate --help", /approve/],
  ["delete pod shell --now", /deleted/],
  ["delete job,cronjob --all", /deleted/],
  ["delete service -l app=web --wait=false", /deleted/],
  ["delete deployment web --cascade=foreground", /deleted/],
  ["delete namespace play --timeout=60s", /deleted/],
  ["config set-context --current --namespace=default", /modified/],
];

for (const version of kubectlVersions) {
  test(`every command of kubectl 1.${version}`, { skip: missing("clients") }, async (context) => {
    using folder = temporaryFolder("kubectl-commands");
    await using cluster = await createCluster({ nodes: 2 });
    const kubeconfig = join(folder.path, "kubeconfig");
    cluster.writeKubeconfig(kubeconfig);
    const kubectl = kubectlFor(kubeconfig, version);
    const wrong: object[] = [];
    for (const [words, said] of steps) {
      const { code, stdout, stderr } = await kubectl.try(wordsOf(words));
      if (code !== 0 || !said.test(stdout.trim())) wrong.push({ words, code, stdout, stderr });
    }
    deepEqual(wrong, []);
    await context.test("kustomize, apply -k, diff, replace, delete -k", () =>
      fromFolder(kubectl, join(folder.path, "kustomize")),
    );
    await context.test("certificates are approved and denied", () => certificates(kubectl));
    await context.test("proxy", () => proxied(kubeconfig, version));
    await context.test("completion asks the server", async () => {
      const { stdout } = await kubectl.try(["__complete", "get", "nodes", ""]);
      deepEqual(stdout.split("\n").slice(0, 2), ["node-1", "node-2"]);
    });
  });
}

/** A no-break space stands for a space within a word. */
function wordsOf(text: string): readonly string[] {
  return text
    .replaceAll("'", "")
    .split(" ")
    .map((word) => word.replaceAll("\u00a0", " "));
}

type Kubectl = ReturnType<typeof kubectlFor>;

async function fromFolder(kubectl: Kubectl, folder: string): Promise<void> {
  mkdirSync(folder);
  const write = (name: string, lines: readonly string[]): void =>
    writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
  write("kustomization.yaml", [
    "namespace: default",
    "namePrefix: my-",
    "labels: [{ pairs: { part-of: play }, includeSelectors: false }]",
    "configMapGenerator: [{ name: settings, literals: [a=1], options: { disableNameSuffixHash: true } }]",
  ]);
  match(await kubectl(["kustomize", folder]), /name: my-settings/);
  match(await kubectl(["apply", "-k", folder]), /configmap\/my-settings created/);
  match(await kubectl(["apply", "-k", folder, "--server-side"]), /serverside-applied/);
  equal((await kubectl.try(["diff", "-k", folder])).code, 0);
  const map = join(folder, "map.json");
  writeFileSync(map, await kubectl("get configmap my-settings -o json"));
  writeFileSync(
    map,
    (await kubectl(["get", "-f", map, "-o", "json"])).replace('"a": "1"', '"a": "2"'),
  );
  const { code, stdout } = await kubectl.try(["diff", "-f", map]);
  equal(code, 1);
  match(stdout, /^\+ +a: "2"$/m);
  match(await kubectl(["replace", "-f", map]), /replaced/);
  match(await kubectl(["replace", "--force", "-f", map]), /deleted[^]*replaced/);
  match(await kubectl(["apply", "edit-last-applied", "--help"]), /last-applied/);
  match(await kubectl(["delete", "-k", folder]), /deleted/);
}

async function certificates(kubectl: Kubectl): Promise<void> {
  for (const [verb, condition] of [
    ["approve", "Approved"],
    ["deny", "Denied"],
  ] as const) {
    const object = {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name: verb },
      spec: {
        request: Buffer.from(signingRequest()).toString("base64"),
        signerName: "kubernetes.io/kube-apiserver-client",
        usages: ["client auth"],
      },
    };
    await kubectl(["create", "-f", "-"], { input: JSON.stringify(object) });
    match(await kubectl(["certificate", verb, verb]), /approved|denied/);
    match(await kubectl(["get", "csr", verb]), new RegExp(condition));
  }
  const words = ["wait", "csr/approve", "--for=jsonpath={.status.certificate}", "--timeout=60s"];
  match(await kubectl(words), /condition met/);
}

function signingRequest(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return createCertificateRequest({ subject: { commonName: "myuser" } }, privateKey);
}

async function proxied(kubeconfig: string, version: "34" | "35" | "36"): Promise<void> {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const child = spawn(kubectlBinary(version), ["proxy", "--port=0"], { env });
  try {
    const [chunk] = (await once(child.stdout, "data")) as [Buffer];
    const address = /127\.0\.0\.1:\d+/.exec(chunk.toString())?.[0] ?? "";
    const answer = await fetch(`http://${address}/api/v1/namespaces/default`);
    const { kind } = (await answer.json()) as { kind: string };
    equal(kind, "Namespace");
    ok(answer.ok);
  } finally {
    const ended = once(child, "exit");
    child.kill();
    await ended;
  }
}
