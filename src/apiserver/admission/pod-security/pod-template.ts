import type { JsonObject } from "#api/kind.ts";
import type { CheckedPod } from "#apiserver/admission/pod-security/check.ts";
import { isObject, objectAt } from "#apiserver/objects/json.ts";

/** The pod that a workload makes, or undefined where it makes none. */
export function templateOf(resource: string, object: JsonObject): CheckedPod | undefined {
  const path = templatePaths[resource];
  if (path === undefined) return undefined;
  const holder = path.reduce((at, field) => objectAt(at, field), object);
  if (!isObject(holder["spec"])) return undefined;
  return { metadata: objectAt(holder, "metadata"), spec: holder["spec"] } as unknown as CheckedPod;
}

/** By `RESOURCE.GROUP`. */
const templatePaths: Readonly<Record<string, readonly string[]>> = {
  podtemplates: ["template"],
  replicationcontrollers: ["spec", "template"],
  "replicasets.apps": ["spec", "template"],
  "deployments.apps": ["spec", "template"],
  "statefulsets.apps": ["spec", "template"],
  "daemonsets.apps": ["spec", "template"],
  "jobs.batch": ["spec", "template"],
  "cronjobs.batch": ["spec", "jobTemplate", "spec", "template"],
};
