import type { Pod } from "#api/generated/types.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";

/** Removes all that is left of a pod whose object is gone: containers, sandboxes, volumes, logs, control group. */
export async function clearUpPod(
  { runtime, view, files }: Pick<PodParts, "runtime" | "view" | "files">,
  pod: Pod,
): Promise<void> {
  const uid = pod.metadata.uid ?? "";
  for (const { id } of view.containersOf(uid)) {
    await runtime.removeContainer(id);
    view.dropContainer(id);
  }
  for (const { id } of view.sandboxesOf(uid)) {
    await runtime.stopSandbox(id);
    await runtime.removeSandbox(id);
    view.dropSandbox(id);
  }
  await files.remove(pod);
}
