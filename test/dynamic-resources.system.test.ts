import { deepEqual, match } from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { kubectlFor } from "#test/clients.ts";
import { koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

/** The files of the users' page, in their order. */
function filesOf(page: string): readonly string[] {
  const text = readFileSync(join(import.meta.dirname, "../docs", page), "utf8");
  return [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, file = ""]) => file);
}

test(
  "docs/dynamic-resources.md does what it says: simulated nodes have devices, and pods get one each",
  { skip: missing("clients"), timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("devices");
    const [nodes = "", app = ""] = filesOf("dynamic-resources.md");
    const file = join(folder.path, "nodes.yaml");
    writeFileSync(file, nodes);
    await using kogge = koggeFor(join(folder.path, "data"));
    const { kubeconfig } = await kogge.up(["--runtime", "simulated", "--simulated-nodes", file]);
    const kubectl = kubectlFor(kubeconfig);
    await kubectl("apply -f -", { input: app });
    await kubectl("wait --for=jsonpath={.status.readyReplicas}=4 deployment/train --timeout=60s");
    const devices = await kubectl([
      "get",
      "resourceclaims",
      "-o",
      'jsonpath={range .items[*]}{range .status.allocation.devices.results[*]}{.pool}/{.device}{"\\n"}{end}{end}',
    ]);
    deepEqual(devices.trim().split("\n").toSorted(), [
      "gpu-1/gpu-0",
      "gpu-1/gpu-1",
      "gpu-2/gpu-0",
      "gpu-2/gpu-1",
    ]);
    const pending = "--field-selector=status.phase=Pending";
    const waiting = await kubectl(`get pods ${pending} -o jsonpath={.items[*].metadata.name}`);
    await kubectl(`wait --for=condition=PodScheduled=false pod/${waiting} --timeout=60s`);
    const path = 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}';
    match(
      await kubectl(["get", "pod", waiting, "-o", path]),
      /^0\/2 nodes are available: 2 cannot allocate all claims\. still not schedulable, preemption: /,
    );
    await kubectl("scale deployment train --replicas=6");
    await kubectl("scale deployment train --replicas=3");
    await kubectl("rollout status deployment/train --timeout=60s");
  },
);
