import type { Pod } from "#api/generated/types.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";
import { checkUserNamespace, runtimeHandlerOf } from "#agent/pods/runtime-handler.ts";
import { sandboxConfig } from "#agent/pods/sandbox-config.ts";

interface SandboxRequest {
  readonly pod: Pod;
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** Makes the pod's control group and its sandbox, once its volumes are there. */
export async function createSandbox(parts: PodParts, request: SandboxRequest): Promise<void> {
  parts.metrics.podStarts();
  try {
    await create(parts, request);
  } catch (error) {
    parts.metrics.podNotStarted();
    throw error;
  }
}

async function create(parts: PodParts, { pod, attempt, signal }: SandboxRequest): Promise<void> {
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
