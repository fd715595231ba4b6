import { match, ok } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { kubectlFor } from "#test/clients.ts";
import { koggeFor, writeBusyboxBuild } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

// What `kubectl debug` and the node's pages show of real containers.
const skip = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");
const image = "localhost/kogge-test/debug:1";

test("kubectl debug and a node's pages", { skip, timeout: 300_000 }, async (context) => {
  using folder = temporaryFolder("debug");
  await using kogge = koggeFor(join(folder.path, "data"));
  const { kubeconfig } = await kogge.up(["--runtime", "containerd"]);
  const kubectl = kubectlFor(kubeconfig);
  writeBusyboxBuild(join(folder.path, "image"));
  await kogge(["image", "build", join(folder.path, "image"), "-t", image]);
  await kubectl(["run", "app", `--image=${image}`, "--", "sleep", "4321"]);
  await kubectl("wait --for=condition=Ready pod/app --timeout=60s");
  const node = (await kubectl("get nodes -o jsonpath={.items[0].metadata.name}")).trim();

  await context.test("a container beside another sees its processes", async () => {
    const flags = [
      "--image",
      image,
      "--target=app",
      "--profile=general",
      "--attach=true",
      "--quiet",
    ];
    const seen = await kubectl([
      "debug",
      "app",
      ...flags,
      "-c",
      "look",
      "--",
      "sh",
      "-c",
      "sleep 1; ps",
    ]);
    match(seen, /^ +1 \S+ +(\d:\d\d )?sleep 4321$/m);
    match(
      await kubectl("get pod app -o jsonpath={.status.ephemeralContainerStatuses}"),
      /"name":"look"/,
    );
  });

  await context.test("a copy of a pod with another command", async () => {
    const flags = ["--copy-to=copy", "--container=app", "--attach=false", "--profile=general"];
    await kubectl(["debug", "app", ...flags, "--", "sleep", "1234"]);
    await kubectl("wait --for=condition=Ready pod/copy --timeout=60s");
    match(await kubectl("exec copy -- ps"), /sleep 1234/);
  });

  await context.test("a pod that sees the whole node", async () => {
    const words = ["sh", "-c", "sleep 1; ls /host/etc/hostname; ps | grep -c containerd-shim"];
    const flags = ["--image", image, "--profile=sysadmin", "--attach=true", "--quiet"];
    const seen = await kubectl(["debug", `node/${node}`, ...flags, "--", ...words]);
    match(seen, /\/host\/etc\/hostname\n[1-9]/);
  });

  await context.test("the node's own pages", async () => {
    const page = (path: string): Promise<string> =>
      kubectl(["get", "--raw", `/api/v1/nodes/${node}/proxy${path}`]);
    const summary = JSON.parse(await page("/stats/summary")) as {
      node: { cpu: { usageNanoCores: number } };
      pods: { podRef: { name: string } }[];
    };
    ok(summary.node.cpu.usageNanoCores > 0);
    ok(summary.pods.some(({ podRef }) => podRef.name === "app"));
    match(await page("/metrics/resource"), /^container_cpu_usage_seconds_total\{container="app"/m);
    match(
      await page("/metrics/cadvisor"),
      /^container_memory_usage_bytes\{container="app".*image="localhost/m,
    );
    match(await page("/pods"), /"name":"app"/);
    match(await page("/configz"), /"containerLogMaxSize":"10Mi"/);
    match(await page("/logs/"), /<a href="pods\/">/);
    match(await page("/healthz"), /^ok/);
  });
});
