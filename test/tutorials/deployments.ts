import { equal, match } from "node:assert/strict";
import { fetching } from "#test/tutorials/manifests.ts";
import { images, type Shell } from "#test/tutorials/shell.ts";

const server = "mkdir /www; ls / | grep version > /www/index.html; exec httpd -f -p 80 -h /www";

/** What the pages on Deployments and on exposing an application do: roll out, undo, pause, scale, reach it by its service. */
export async function runDeployment(shell: Shell): Promise<void> {
  const { kubectl, until, isReal, untilInPod } = shell;
  const [old, next] = images;
  const rolledOut = async (): Promise<void> => {
    match(
      await kubectl("rollout status deployment/hello --timeout=110s"),
      /successfully rolled out/,
    );
  };
  await kubectl(
    `create deployment hello --image=${old} --replicas=3 --port=80 -- bash -c '${server}'`,
  );
  await rolledOut();
  await kubectl("expose deployment hello --port=8080 --target-port=80");
  const reads = async (version: string): Promise<void> => {
    if (!isReal) return;
    const [pod = ""] = (await kubectl("get pods -l app=hello -o name")).split("\n");
    await untilInPod(pod, fetching("hello", "/").replace("/80 ", "/8080 "), version);
  };
  await reads("version-1");
  const container = await kubectl(
    "get deployment hello -o jsonpath={.spec.template.spec.containers[0].name}",
  );
  await kubectl(`set image deployment/hello ${container}=${next}`);
  await rolledOut();
  await kubectl("annotate deployment/hello kubernetes.io/change-cause=second");
  match(await kubectl("rollout history deployment/hello"), /^2 +second$/m);
  await until(
    "get pods -l app=hello -o jsonpath={.items[*].spec.containers[0].image}",
    `${next} ${next} ${next}`,
  );
  await reads("version-2");
  await kubectl("rollout undo deployment/hello");
  await rolledOut();
  equal(await kubectl("get deployment hello -o jsonpath={..image}"), old);
  await kubectl("rollout pause deployment/hello");
  await kubectl("set resources deployment/hello --requests=memory=16Mi");
  await kubectl("rollout resume deployment/hello");
  await rolledOut();
  await kubectl("scale deployment/hello --replicas=1");
  await until("get deployment hello -o jsonpath={.status.replicas}", "1");
  await kubectl("delete deployment/hello service/hello");
}

/** An autoscaler sees what pods use and acts on it. */
export async function runAutoscaler({ kubectl, until }: Shell): Promise<void> {
  await kubectl("create deployment web --image=web:1");
  await kubectl("set resources deployment/web --requests=memory=16Mi");
  match(await kubectl("rollout status deployment/web"), /successfully rolled out/);
  await kubectl("autoscale deployment web --memory=25% --min=1 --max=2");
  await until("get hpa web -o jsonpath={.status.desiredReplicas}", "2");
  match(await kubectl("describe hpa web"), /ScalingActive +True +ValidMetricFound/);
  match(await kubectl("top pods"), /^web-\S+ +1m +8Mi$/m);
  await kubectl("delete hpa/web deployment/web");
}
