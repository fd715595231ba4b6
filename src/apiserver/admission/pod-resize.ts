import type { Node, Pod } from "#api/generated/types.ts";
import { StatusError } from "#api/status.ts";
import { quantityMilliValue, quantityValue } from "#api/quantity.ts";
import { readAmounts, zero } from "#api/quota/amounts.ts";
import { isPodLevelResource, podAmounts } from "#api/quota/pod-amounts.ts";
import { notAdmitted } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { sameJson } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/** A pod on a node does not grow beyond what the whole node has. */
export const podResize: AdmissionPlugin = {
  name: "PodResizeValidator",
  validate(call, attempt) {
    const { kind, info, server } = call;
    if (kind.group !== "" || kind.resource !== "pods" || info.subresource !== "resize") return;
    if (attempt.operation !== "UPDATE") return;
    const [pod, old] = [attempt.object, attempt.old] as unknown as readonly [Pod, Pod];
    const name = pod.spec?.nodeName ?? "";
    if (name === "" || sameJson(pod.spec, old.spec)) return;
    const node = lookUp(server, { group: "", resource: "nodes" }, { name }) as Node | undefined;
    if (node === undefined)
      throw notAdmitted(call, attempt, `node ${JSON.stringify(name)} not found`);
    const problem = platformProblem(node) ?? roomProblem(pod, node);
    if (problem === undefined) return;
    const { status } = notAdmitted(call, attempt, problem.why);
    const details = { ...status.details, causes: [{ reason: problem.reason }] };
    throw new StatusError({ ...status, details });
  },
};

interface Problem {
  readonly reason: string;
  readonly why: string;
}

function platformProblem({ metadata }: Node): Problem | undefined {
  const system = metadata.labels?.["kubernetes.io/os"] ?? "linux";
  if (system === "linux") return undefined;
  const node = JSON.stringify(metadata.name);
  const why = `pod resize is only supported on linux nodes, node ${node} is ${JSON.stringify(system)}`;
  return { reason: "UnsupportedPlatform", why };
}

function roomProblem(pod: Pod, { status }: Node): Problem | undefined {
  const allocatable = readAmounts(status?.allocatable);
  const requests = podAmounts(pod, "requests", counted);
  const short = (["cpu", "memory"] as const).flatMap((name) => {
    const [wanted, there] = [requests.get(name) ?? zero, allocatable.get(name) ?? zero];
    if (wanted.nano <= there.nano) return [];
    const of = name === "cpu" ? quantityMilliValue : quantityValue;
    return [`${name}, requested: ${of(wanted)}, allocatable: ${of(there)}`];
  });
  if (short.length === 0) return undefined;
  const why = `node didn't have enough allocatable resources: ${short.join("; ")}`;
  return { reason: "NodeCapacity", why };
}

const counted = {
  overhead: true,
  status: false,
  podLevel: isPodLevelResource,
};
