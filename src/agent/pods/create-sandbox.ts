import type { Pod } from "#api/generated/types.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";
import { checkUserNamespace, runtimeHandlerOf } from "#agent/pods/runtime-handler.ts";
import { sandboxConfig } from "#agent/pods/sandbox-config.ts";

/** Makes the pod's control group and its sandbox, once its volumes are there. */
export async function createSandbox(
  parts: PodParts,
  {
    pod,
    attempt,
    signal,
  }: { readonly pod: Pod; readonly attempt: number; readonly signal: AbortSignal },
): Promise<void> {
  const { client, runtime, view, files, dns, cgroupRoot, cgroups, others } = parts;
  checkUserNamespace(pod);
  const [runtimeHandler, logDirectory] = await Promise.all([
    runtimeHandlerOf(client, pod),
    files.logDirectory(pod),
    cgroups?.prepareFor(pod, others(pod)),
  ]);
  const settings = {
    attempt,
    logDirectory,
    dns,
    runtimeHandler,
    ...(cgroupRoot && { cgroupRoot }),
  };
  view.addSandbox(await runtime.runSandbox(sandboxConfig(pod, settings), signal));
}
