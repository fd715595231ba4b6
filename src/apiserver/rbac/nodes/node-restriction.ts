import { parseCertificateRequest } from "#api/certificates/certificate-request.ts";
import type { JsonObject } from "#api/kind.ts";
import { forbidden, notFound } from "#api/status.ts";
import type { Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";
import {
  listAt,
  objectAt,
  objectsAt,
  sameJson,
  stringAt,
  stringsAt,
  without,
} from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";
import { nodeNameOf } from "#apiserver/rbac/nodes/node-identity.ts";
import { forbiddenLabels } from "#apiserver/rbac/nodes/node-labels.ts";
import { referencesOf } from "#apiserver/rbac/nodes/pod-references.ts";
import { isAudienceOf, mayRequestAudience } from "#apiserver/rbac/nodes/token-audience.ts";

/** A node writes only about itself and the pods that are bound to it. */
export function nodeRestriction(call: Call, attempt: Attempt): void | Promise<void> {
  const node = nodeNameOf(call.user);
  if (node === undefined) return undefined;
  const { group, resource } = call.kind;
  return checks[group === "" ? resource : `${resource}.${group}`]?.({ call, node }, attempt);
}

interface Writing {
  readonly call: Call;
  readonly node: string;
}

const checks: Readonly<
  Record<string, (writing: Writing, attempt: Attempt) => void | Promise<void>>
> = {
  pods: checkPod,
  nodes: checkNode,
  persistentvolumeclaims: checkClaim,
  serviceaccounts: checkToken,
  "leases.coordination.k8s.io": (writing, attempt) =>
    checkOwnName(
      writing,
      attempt,
      "can only access node lease with the same name as the requesting node",
    ),
  "csinodes.storage.k8s.io": (writing, attempt) =>
    checkOwnName(
      writing,
      attempt,
      "can only access CSINode with the same name as the requesting node",
    ),
  "resourceslices.resource.k8s.io": checkSlice,
  "certificatesigningrequests.certificates.k8s.io": checkCertificateRequest,
};

function refuse({ call }: Writing, attempt: Attempt, why: string): never {
  throw forbidden(call.kind, call.info.name || nameOf(attempt), why);
}

function nameOf({ object, old }: Attempt): string {
  return stringAt(objectAt(old ?? object, "metadata"), "name");
}

function specOf(object: JsonObject | undefined): JsonObject {
  return objectAt(object, "spec");
}

function checkPod(writing: Writing, attempt: Attempt): void {
  const { subresource } = writing.call.info;
  const { operation, old } = attempt;
  const node = JSON.stringify(writing.node);
  if (operation === "DELETE") {
    if (specOf(old).nodeName !== writing.node) {
      refuse(
        writing,
        attempt,
        `node ${node} can only delete pods with spec.nodeName set to itself`,
      );
    }
  } else if (subresource === "eviction") checkEviction(writing, attempt);
  else if (subresource === "status") checkPodStatus(writing, attempt);
  else if (subresource !== "") {
    const allowed = "only 'status' and 'eviction' are allowed";
    refuse(
      writing,
      attempt,
      `unexpected pod subresource ${JSON.stringify(subresource)}, ${allowed}`,
    );
  } else if (operation === "CREATE") checkMirrorPod(writing, attempt);
  else {
    refuse(
      writing,
      attempt,
      `unexpected operation ${JSON.stringify(operation)}, node ${node} can only create and delete mirror pods`,
    );
  }
}

function checkEviction(writing: Writing, attempt: Attempt): void {
  const { namespace, name } = writing.call.info;
  const pods = { group: "", resource: "pods" };
  const pod = lookUp(writing.call.server, pods, { namespace, name });
  if (pod === undefined) throw notFound(pods, name);
  if (specOf(pod).nodeName === writing.node) return;
  refuse(
    writing,
    attempt,
    `node ${writing.node} can only evict pods with spec.nodeName set to itself`,
  );
}

function checkPodStatus(writing: Writing, attempt: Attempt): void {
  const node = JSON.stringify(writing.node);
  const { object, old } = attempt;
  if (specOf(old).nodeName !== writing.node) {
    refuse(
      writing,
      attempt,
      `node ${node} can only update pod status for pods with spec.nodeName set to itself`,
    );
  }
  if (!sameJson(labelsOf(object), labelsOf(old))) {
    refuse(writing, attempt, `node ${node} cannot update labels through pod status`);
  }
  if (!sameJson(claimsOf(object), claimsOf(old))) {
    refuse(writing, attempt, `node ${node} cannot update resource claim statues`);
  }
}

function labelsOf(object: JsonObject | undefined): JsonObject {
  return objectAt(objectAt(object, "metadata"), "labels");
}

function claimsOf(pod: JsonObject | undefined): JsonObject {
  const status = objectAt(pod, "status");
  return {
    claims: [...listAt(status, "resourceClaimStatuses")],
    extended: objectAt(status, "extendedResourceClaimStatus"),
  };
}

function checkMirrorPod(writing: Writing, attempt: Attempt): void {
  const { object } = attempt;
  const node = JSON.stringify(writing.node);
  const metadata = objectAt(object, "metadata");
  if (objectAt(metadata, "annotations")[mirror] === undefined) {
    refuse(
      writing,
      attempt,
      `pod does not have "${mirror}" annotation, node ${node} can only create mirror pods`,
    );
  }
  if (specOf(object).nodeName !== writing.node) {
    refuse(writing, attempt, `node ${node} can only create pods with spec.nodeName set to itself`);
  }
  const problem = ownerProblem(writing, objectsAt(metadata, "ownerReferences"));
  if (problem !== undefined) refuse(writing, attempt, problem);
  const annotations = without(objectAt(metadata, "annotations"), [mirror]);
  const [reference] = referencesOf({ ...object, metadata: { ...metadata, annotations } });
  if (reference === undefined) return;
  refuse(
    writing,
    attempt,
    `node ${node} can not create pods that reference ${reference.split("/")[0]}`,
  );
}

const mirror = "kubernetes.io/config.mirror";

function ownerProblem({ call, node }: Writing, owners: readonly JsonObject[]): string | undefined {
  const quoted = JSON.stringify(node);
  const [owner, ...more] = owners;
  if (more.length > 0)
    return `node ${quoted} can only create pods with a single owner reference set to itself`;
  if (
    owner === undefined ||
    owner.apiVersion !== "v1" ||
    owner.kind !== "Node" ||
    owner.name !== node
  ) {
    return `node ${quoted} can only create pods with an owner reference set to itself`;
  }
  if (owner.controller !== true) {
    return `node ${quoted} can only create pods with a controller owner reference set to itself`;
  }
  if (owner.blockOwnerDeletion === true) {
    return `node ${quoted} must not set blockOwnerDeletion on an owner reference`;
  }
  const own = lookUp(call.server, nodes, { name: node });
  if (own === undefined) throw notFound(nodes, node);
  const uid = stringAt(objectAt(own, "metadata"), "uid");
  if (owner.uid === uid) return undefined;
  return `node ${node} UID mismatch: expected ${stringAt(owner, "uid")} got ${uid}`;
}

const nodes = { group: "", resource: "nodes" };

function checkNode(writing: Writing, attempt: Attempt): void {
  const { object, old, operation } = attempt;
  const node = JSON.stringify(writing.node);
  const name = writing.call.info.name || nameOf(attempt);
  if (name !== writing.node) {
    refuse(writing, attempt, `node ${node} is not allowed to modify node ${JSON.stringify(name)}`);
  }
  if (operation === "CREATE") {
    const labels = forbiddenLabels(labelsOf(object), {});
    if (labels === "") return;
    refuse(writing, attempt, `node ${node} is not allowed to set the following labels: ${labels}`);
  }
  if (operation !== "UPDATE") return;
  if (!sameJson(listAt(specOf(object), "taints"), listAt(specOf(old), "taints"))) {
    refuse(writing, attempt, `node ${node} is not allowed to modify taints`);
  }
  if (!sameJson(ownersOf(object), ownersOf(old))) {
    refuse(writing, attempt, `node ${node} is not allowed to modify ownerReferences`);
  }
  const labels = forbiddenLabels(labelsOf(object), labelsOf(old));
  if (labels !== "") refuse(writing, attempt, `is not allowed to modify labels: ${labels}`);
}

function ownersOf(object: JsonObject | undefined): unknown {
  return listAt(objectAt(object, "metadata"), "ownerReferences");
}

function checkClaim(writing: Writing, attempt: Attempt): void {
  if (writing.call.info.subresource !== "status")
    refuse(writing, attempt, "may only update PVC status");
  const { object, old } = attempt;
  if (object === undefined || old === undefined || sameJson(fixedPart(object), fixedPart(old)))
    return;
  const allowed = "status.quantity and status.conditions";
  refuse(
    writing,
    attempt,
    `node ${JSON.stringify(writing.node)} is not allowed to update fields other than ${allowed}`,
  );
}

/** What of a claim a node leaves as it is. */
function fixedPart(claim: JsonObject): JsonObject {
  const metadata = without(objectAt(claim, "metadata"), ["resourceVersion", "managedFields"]);
  return { ...claim, metadata, status: without(objectAt(claim, "status"), reported) };
}

const reported = ["capacity", "conditions", "allocatedResourceStatuses", "allocatedResources"];

/** A token that a node asks for is bound to a pod of its own. */
async function checkToken(writing: Writing, attempt: Attempt): Promise<void> {
  const { call, node } = writing;
  if (call.info.subresource !== "token" || attempt.operation !== "CREATE") return;
  const reference = objectAt(specOf(attempt.object), "boundObjectRef");
  const name = stringAt(reference, "name");
  if (reference.apiVersion !== "v1" || reference.kind !== "Pod" || name === "") {
    refuse(writing, attempt, "node requested token not bound to a pod");
  }
  if (stringAt(reference, "uid") === "") {
    refuse(writing, attempt, "node requested token with a pod binding without a uid");
  }
  const pods = { group: "", resource: "pods" };
  const pod = lookUp(call.server, pods, { namespace: call.info.namespace, name });
  if (pod === undefined) throw notFound(pods, name);
  if (specOf(pod).nodeName !== node) {
    refuse(writing, attempt, "node requested token bound to a pod scheduled on a different node");
  }
  return checkAudience(writing, attempt, pod);
}

async function checkAudience(writing: Writing, attempt: Attempt, pod: JsonObject): Promise<void> {
  const { call } = writing;
  const [audience = "", ...more] = stringsAt(specOf(attempt.object), "audiences");
  if (more.length > 0) refuse(writing, attempt, "node may only request 0 or 1 audiences");
  if (isAudienceOf(call, pod, audience) || (await mayRequestAudience(call, audience))) return;
  refuse(
    writing,
    attempt,
    `audience ${JSON.stringify(audience)} not found in pod spec volume, ${call.user.name} is not authorized to request tokens for this audience`,
  );
}

/** A node asks for certificates in its own name. */
function checkCertificateRequest(writing: Writing, attempt: Attempt): void {
  if (attempt.operation !== "CREATE" || writing.call.info.subresource !== "") return;
  const spec = specOf(attempt.object);
  if (!nodeSigners.has(stringAt(spec, "signerName"))) return;
  const name = `system:node:${writing.node}`;
  if (commonNameOf(stringAt(spec, "request")) === name) return;
  refuse(writing, attempt, `can only create a node CSR with CN=${name}`);
}

const nodeSigners: ReadonlySet<string> = new Set([
  "kubernetes.io/kubelet-serving",
  "kubernetes.io/kube-apiserver-client-kubelet",
]);

/** Undefined when it cannot be read. */
function commonNameOf(request: string): string | undefined {
  try {
    return parseCertificateRequest(atob(request)).commonName;
  } catch {
    // Whatever is wrong with it: it names nobody.
    return undefined;
  }
}

function checkOwnName(writing: Writing, attempt: Attempt, why: string): void {
  if (nameOf(attempt) !== writing.node) refuse(writing, attempt, why);
}

function checkSlice(writing: Writing, attempt: Attempt): void {
  if (attempt.operation === "UPDATE" || attempt.operation === "CONNECT") return;
  const [verb, slice] =
    attempt.operation === "CREATE" ? ["create", attempt.object] : ["delete", attempt.old];
  if (specOf(slice).nodeName === writing.node) return;
  refuse(
    writing,
    attempt,
    `can only ${verb} ResourceSlice with the same NodeName as the requesting node`,
  );
}
