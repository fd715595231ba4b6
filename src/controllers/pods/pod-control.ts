import type { OwnerReference, Pod, PodTemplateSpec } from "#api/generated/types.ts";
import { nameOf, namespaceOf, type KubeObject } from "#api/meta.ts";
import { pods } from "#api/resources.ts";
import { isNotFound, StatusError } from "#api/status.ts";
import type { Client } from "#client/client.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

/** Makes and deletes pods for an owner and tells of it in the owner's events. */
export interface PodControl {
  readonly client: Client;
  readonly recorder: EventRecorder;
}

export interface NewPod {
  readonly owner: KubeObject;
  readonly ownerReference: OwnerReference;
  readonly template: PodTemplateSpec;
  /** Default: one the server makes from the owner's. */
  readonly name?: string;
  /** The finishing touch of a kind: a hostname, a node. */
  readonly finish?: (pod: Pod) => Pod;
}

export function podOf({ owner, ownerReference, template, name, finish }: NewPod): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...(name === undefined ? { generateName: generateNameOf(owner) } : { name }),
      namespace: namespaceOf(owner),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [ownerReference],
    },
    ...(template.spec && { spec: template.spec }),
  };
  return finish ? finish(pod) : pod;
}

export async function createPod(
  { client, recorder }: PodControl,
  wanted: NewPod,
  signal: AbortSignal,
): Promise<Pod> {
  try {
    const pod = await client.create(pods, podOf(wanted), { signal });
    recorder.record(wanted.owner, {
      type: "Normal",
      reason: "SuccessfulCreate",
      message: `Created pod: ${nameOf(pod)}`,
    });
    return pod;
  } catch (error) {
    if (error instanceof StatusError && !isNamespaceTerminating(error)) {
      recorder.record(wanted.owner, {
        type: "Warning",
        reason: "FailedCreate",
        message: `Error creating: ${error.message}`,
      });
    }
    throw error;
  }
}

/** Deleting what is gone already is fine. */
export async function deletePod(
  { client, recorder }: PodControl,
  { owner, pod }: { readonly owner: KubeObject; readonly pod: Pod },
  signal: AbortSignal,
): Promise<void> {
  const at = { name: nameOf(pod), namespace: namespaceOf(pod) };
  const { uid } = pod.metadata;
  try {
    await client.delete(pods, at, { signal, ...(uid && { preconditions: { uid } }) });
    recorder.record(owner, {
      type: "Normal",
      reason: "SuccessfulDelete",
      message: `Deleted pod: ${at.name}`,
    });
  } catch (error) {
    if (isNotFound(error)) return;
    if (error instanceof StatusError) {
      recorder.record(owner, {
        type: "Warning",
        reason: "FailedDelete",
        message: `Error deleting: ${error.message}`,
      });
    }
    throw error;
  }
}

/** Whatever is created in a namespace being deleted is refused; there is nothing to do about it. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof StatusError &&
    (error.status.details?.causes?.some((cause) => cause.reason === "NamespaceTerminating") ??
      false)
  );
}

/**
 * Runs `act` up to `count` times in batches of 1, 2, 4, … and stops after a batch in which one failed, so that what
 * fails for all is not tried for all. Returns the first failure.
 */
export async function slowStart(
  count: number,
  act: () => Promise<unknown>,
): Promise<{ readonly done: number; readonly failure?: unknown }> {
  let done = 0;
  for (let batch = 1; done < count; batch *= 2) {
    const size = Math.min(batch, count - done);
    const results = await Promise.allSettled(Array.from({ length: size }, () => act()));
    done += results.filter((result) => result.status === "fulfilled").length;
    const failed = results.find((result) => result.status === "rejected");
    if (failed) return { done, failure: failed.reason };
  }
  return { done };
}

const atOnceMax = 50;

/** Acts on all, many at a time; throws the first failure when all are done. */
export async function manyAtOnce<T>(
  items: readonly T[],
  act: (item: T) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < items.length; from += atOnceMax) {
    const results = await Promise.allSettled(items.slice(from, from + atOnceMax).map(act));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }
}

/** The longest prefix that leaves room for a generated suffix is the server's business; the dash is ours. */
function generateNameOf(owner: KubeObject): string {
  return `${nameOf(owner)}-`;
}
