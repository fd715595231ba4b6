import type { Namespace } from "#api/generated/types.ts";
import { nameOf, namespaceOf, parseKey, type KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { namespaces, pods } from "#api/resources.ts";
import { StatusError, ifFound } from "#api/status.ts";
import { messageOf } from "#base/log.ts";
import { discoverResources, type ServedResource } from "#client/discovery.ts";
import {
  isEmpty,
  namespaceConditions,
  type Remaining,
  type RemainingResource,
} from "#controllers/namespace/plan-namespace.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

const finalizer = "kubernetes";
/** How soon to look again at what waits for a finalizer; a pod's going is seen at once. */
const againMs = 500;

/** Empties a namespace that is being deleted, pods first, and then lets it go. */
export function createNamespaceController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(namespaces);
  const podInformer = informers.of(pods);

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const namespace = informer.get(parseKey(key));
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    if (!namespace.spec?.finalizers?.includes(finalizer)) return;
    const terminating = await markTerminating(namespace, run.signal);
    const remaining = await deleteContent(key, run.signal);
    const marked = await writeConditions(terminating, remaining, run.signal);
    if (!isEmpty(remaining)) return run.requeue(againMs);
    await finalize(marked, run.signal);
  };

  const markTerminating = async (namespace: Namespace, signal: AbortSignal): Promise<Namespace> => {
    if (namespace.status?.phase === "Terminating") return namespace;
    const status = { ...namespace.status, phase: "Terminating" };
    const options = { subresource: "status", signal };
    return client.update(namespaces, { ...namespace, status }, options);
  };

  const deleteContent = async (namespace: string, signal: AbortSignal): Promise<Remaining> => {
    let served: readonly ServedResource[];
    try {
      served = await discoverResources(client, signal);
    } catch (error) {
      return { resources: [], failures: [], discoveryFailure: messageOf(error) };
    }
    const deletable = served.filter(
      ({ namespaced, verbs }) => namespaced && verbs.includes("list") && verbs.includes("delete"),
    );
    const isPods = ({ group, resource }: Resource): boolean => group === "" && resource === "pods";
    // Pods go first: what they use (secrets, policies) must not vanish under them.
    const first = await deleteAll(namespace, deletable.filter(isPods), signal);
    if (!isEmpty(first)) return first;
    const rest = deletable.filter((resource) => !isPods(resource));
    return deleteAll(namespace, rest, signal);
  };

  const deleteAll = async (
    namespace: string,
    resources: readonly ServedResource[],
    signal: AbortSignal,
  ): Promise<Remaining> => {
    const left: RemainingResource[] = [];
    const failures: string[] = [];
    for (const resource of resources) {
      try {
        const found = await deleteEach(namespace, resource, signal);
        if (found) left.push(found);
      } catch (error) {
        if (signal.aborted) throw error;
        failures.push(messageOf(error));
      }
    }
    return { resources: left, failures };
  };

  const deleteEach = async (
    namespace: string,
    resource: ServedResource,
    signal: AbortSignal,
  ): Promise<RemainingResource | undefined> => {
    const first = await listAll(resource, namespace, signal);
    if (first.length === 0) return undefined;
    if (resource.verbs.includes("deletecollection")) {
      const options = { namespace, propagationPolicy: "Background" as const, signal };
      await client.deleteCollection(resource, options).catch(ignoreUnsupported);
    } else {
      for (const object of first) await deleteOne(resource, object, signal);
    }
    const left = await listAll(resource, namespace, signal);
    return left.length === 0 ? undefined : remainingOf(resource, left);
  };

  const listAll = async (
    resource: Resource,
    namespace: string,
    signal: AbortSignal,
  ): Promise<readonly KubeObject[]> => {
    try {
      return (await client.list(resource, { namespace, signal })).items;
    } catch (error) {
      ignoreUnsupported(error);
      return [];
    }
  };

  const deleteOne = async (
    resource: Resource,
    object: KubeObject,
    signal: AbortSignal,
  ): Promise<void> => {
    const at = { name: nameOf(object), namespace: namespaceOf(object) };
    await ifFound(client.delete(resource, at, { propagationPolicy: "Background", signal }));
  };

  const writeConditions = async (
    namespace: Namespace,
    remaining: Remaining,
    signal: AbortSignal,
  ): Promise<Namespace> => {
    const conditions = namespaceConditions(namespace, remaining, clock.now());
    if (sameJson(conditions, namespace.status?.conditions)) return namespace;
    const status = { ...namespace.status, conditions };
    return client.update(namespaces, { ...namespace, status }, { subresource: "status", signal });
  };

  const finalize = async (namespace: Namespace, signal: AbortSignal): Promise<void> => {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((name) => name !== finalizer);
    const finalized = { ...namespace, spec: { ...namespace.spec, finalizers } };
    // The last finalizer takes the namespace with it.
    await ifFound(client.update(namespaces, finalized, { subresource: "finalize", signal }));
  };

  return createController({
    name: "namespace",
    reads: ["namespaces", "every namespaced resource"],
    writes: [
      { resource: "namespaces", fields: "status" },
      { resource: "namespaces", fields: "spec.finalizers" },
      { resource: "*", fields: "deletion", of: "in a namespace being deleted" },
    ],
    sources: [
      keysFrom(informer, ({ object }) =>
        object.metadata.deletionTimestamp ? [nameOf(object)] : [],
      ),
      keysFrom(podInformer, ({ kind, object }) => {
        const namespace = kind === "deleted" && informer.get({ name: namespaceOf(object) });
        return namespace && namespace.metadata.deletionTimestamp ? [nameOf(namespace)] : [];
      }),
    ],
    reconcile,
    clock,
    log,
  });
}

function remainingOf(resource: Resource, left: readonly KubeObject[]): RemainingResource {
  const finalizers = new Map<string, number>();
  for (const { metadata } of left) {
    for (const name of metadata.finalizers ?? []) {
      finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
    }
  }
  return { name: `${resource.resource}.${resource.group}`, count: left.length, finalizers };
}

/** A resource that vanished, or does not do what discovery said, has nothing to delete. */
function ignoreUnsupported(error: unknown): void {
  if (error instanceof StatusError && [404, 405].includes(error.status.code)) return;
  throw error;
}
