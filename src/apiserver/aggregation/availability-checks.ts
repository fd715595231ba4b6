import type { EndpointSlice, Service } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { rfc3339 } from "#base/clock.ts";
import { askExtension } from "#apiserver/aggregation/ask-extension.ts";
import {
  passed,
  serviceProblem,
  unavailable,
  type Finding,
} from "#apiserver/aggregation/availability.ts";
import { apiServicesPrefix, type Extension } from "#apiserver/aggregation/extension-index.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import { cloneJson, ensureObject, objectsAt } from "#apiserver/objects/json.ts";
import { persist } from "#apiserver/objects/persist.ts";
import type { ServerState } from "#apiserver/server-state.ts";

const servicesPrefix = resourcePrefix({ group: "", resource: "services" });
const slicesPrefix = resourcePrefix({ group: "discovery.k8s.io", resource: "endpointslices" });

/** What one look at an extension server showed. */
export interface Look {
  readonly finding: Finding;
  /** Its `APIResourceList`; undefined when it did not answer. */
  readonly resources: JsonObject | undefined;
}

/** Looks whether an extension server can be reached and answers discovery. */
export async function lookAt(state: ServerState, extension: Extension): Promise<Look> {
  const problem = serviceProblem(extension.service, factsOf(state, extension));
  if (problem !== undefined) return { finding: problem, resources: undefined };
  const { group, version } = extension;
  const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  try {
    const answer = await askExtension(state, extension, path);
    const resources = JSON.parse(new TextDecoder().decode(answer.body)) as JsonObject;
    return { finding: passed, resources };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const { namespace, name, port } = extension.service;
    const url = `https://${name}.${namespace}.svc:${port}${path}`;
    const message = `failing or missing response from ${url}: ${why}`;
    return { finding: unavailable("FailedDiscoveryCheck", message), resources: undefined };
  }
}

function factsOf({ cache }: ServerState, { service: { namespace, name } }: Extension) {
  const service = cache.resource(servicesPrefix).get(`${servicesPrefix}${namespace}/${name}`);
  const slices = cache
    .resource(slicesPrefix)
    .list(`${slicesPrefix}${namespace}/`)
    .filter(({ labels }) => labels["kubernetes.io/service-name"] === name);
  return {
    service: service?.object as unknown as Service | undefined,
    slices: slices.map(({ object }) => object as unknown as EndpointSlice),
  };
}

/** Notes in the `APIService` what was found. When somebody wrote in between, the next look notes it. */
export async function note(state: ServerState, name: string, finding: Finding): Promise<void> {
  const stored = state.cache.resource(apiServicesPrefix).get(apiServicesPrefix + name);
  const kind = state.kinds.find("apiregistration.k8s.io", "v1", "apiservices");
  if (stored === undefined || kind === undefined) return;
  const object = cloneJson(stored.object);
  const status = ensureObject(object, "status");
  const conditions = objectsAt(status, "conditions");
  const before = conditions.find(({ type }) => type === "Available");
  const { reason = "", message = "" } = finding;
  if (before !== undefined && before.reason === reason && before.message === message) return;
  const since = before?.status === finding.status ? before?.lastTransitionTime : undefined;
  const lastTransitionTime = since ?? rfc3339(state.clock.now());
  const { status: value } = finding;
  const condition = { type: "Available", status: value, lastTransitionTime, reason, message };
  status.conditions = [...conditions.filter(({ type }) => type !== "Available"), condition];
  await persist(state, { kind, key: stored.key, expected: stored.revision }, object);
}
