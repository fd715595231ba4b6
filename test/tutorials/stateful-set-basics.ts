import { deepEqual, equal, match } from "node:assert/strict";
import { fetching, headlessService, podTemplate, volumeClaim } from "#test/tutorials/manifests.ts";
import { images, type Shell } from "#test/tutorials/shell.ts";

/** The tutorial "StatefulSet Basics": order, stable names and storage, scaling, partitions, orphans. */
export async function runStatefulSet(shell: Shell): Promise<void> {
  await shell.kubectl("apply -f -", [headlessService("nginx", "nginx", 80), web(2)]);
  match(await shell.kubectl("rollout status sts/web --timeout=100s"), /complete/);
  await namesAndStorageStay(shell);
  await scalesInOrder(shell);
  await updatesFromTheEnd(shell);
  await orphansAreAdopted(shell);
  await shell.kubectl("delete sts/web svc/nginx");
  await shell.until("get pods -l app=nginx -o name", "");
  await shell.kubectl("delete pvc --all");
}

function web(replicas: number) {
  const script =
    "[ -f /www/index.html ] || hostname > /www/index.html; exec httpd -f -p 80 -h /www";
  const container = { volumeMounts: [{ name: "www", mountPath: "/www" }] };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "web" },
    spec: {
      selector: { matchLabels: { app: "nginx" } },
      serviceName: "nginx",
      replicas,
      template: podTemplate("nginx", script, { container }),
      volumeClaimTemplates: [volumeClaim("www")],
    },
  };
}

const names = "get pods -l app=nginx -o jsonpath={.items[*].metadata.name}";

async function namesAndStorageStay(shell: Shell): Promise<void> {
  const { kubectl, isReal, inPod, untilInPod } = shell;
  const uids = "get pods -l app=nginx -o jsonpath={.items[*].metadata.uid}";
  const before = await kubectl(uids);
  if (isReal) {
    equal(await inPod("web-1", "hostname"), "web-1");
    const lookup = "getent hosts web-1.nginx | { read address name; echo $address; }";
    const address = await kubectl("get pod web-1 -o jsonpath={.status.podIP}");
    await untilInPod("web-0", lookup, address);
    await inPod("web-1", "echo kept > /www/index.html");
  }
  await kubectl("delete pod -l app=nginx");
  match(await kubectl("rollout status sts/web --timeout=100s"), /complete/);
  await shell.until(names, "web-0 web-1");
  equal(
    (await kubectl(uids)).split(" ").some((uid) => before.includes(uid)),
    false,
  );
  if (isReal) await untilInPod("web-0", fetching("web-1.nginx", "/"), "kept");
}

async function scalesInOrder({ kubectl, until }: Shell): Promise<void> {
  await kubectl("scale sts web --replicas=4");
  match(await kubectl("rollout status sts/web --timeout=100s"), /complete/);
  const created = await kubectl(
    "get pods -l app=nginx -o jsonpath='{range .items[*]}{.metadata.creationTimestamp} {end}'",
  );
  deepEqual(created.split(" "), created.split(" ").toSorted());
  await kubectl(`patch sts web -p '{"spec":{"replicas":3}}'`);
  await until(names, "web-0 web-1 web-2");
  const claims = await kubectl("get pvc -o jsonpath={.items[*].metadata.name}");
  equal(claims, "www-web-0 www-web-1 www-web-2 www-web-3");
}

async function updatesFromTheEnd({ kubectl, until }: Shell): Promise<void> {
  const [old, next] = images;
  const partition = (from: number): Promise<string> =>
    kubectl(
      `patch sts web -p '{"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":${from}}}}}'`,
    );
  const used = "get pods -l app=nginx -o jsonpath={.items[*].spec.containers[0].image}";
  await partition(2);
  await kubectl(`set image sts/web main=${next}`);
  await until(used, `${old} ${old} ${next}`);
  await until("get sts web -o jsonpath={.status.readyReplicas}", "3");
  await partition(0);
  await until(used, `${next} ${next} ${next}`);
  match(await kubectl("rollout status sts/web --timeout=100s"), /complete/);
}

async function orphansAreAdopted({ kubectl, until }: Shell): Promise<void> {
  const uid = "get pod web-1 -o jsonpath={.metadata.uid}";
  const before = await kubectl(uid);
  await kubectl("delete sts web --cascade=orphan");
  await kubectl("delete pod web-0");
  equal(await kubectl(names), "web-1 web-2");
  await kubectl("apply -f -", web(2));
  await until(names, "web-0 web-1");
  match(await kubectl("rollout status sts/web --timeout=100s"), /complete/);
  // The template is the first again, so the adopted pod is brought to it.
  const now = await kubectl("get pod web-1 -o jsonpath={.spec.containers[0].image}");
  equal(now, images[0]);
  equal(before === (await kubectl(uid)), false);
}
