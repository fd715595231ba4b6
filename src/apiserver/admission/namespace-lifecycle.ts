import { forbidden, notFound, StatusError } from "#api/status.ts";
import { notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

const namespaces = { group: "", resource: "namespaces" };

/** Nothing is made in a namespace that is not there or is going; the first namespaces of a cluster stay. */
export function namespaceLifecycle(call: Call, attempt: Attempt): void {
  if (attempt.operation === "DELETE") return assertMortal(call, attempt);
  if (!call.kind.namespaced || attempt.operation === "CONNECT") return;
  const { namespace } = call.info;
  const found = lookUp(call.server, namespaces, { name: namespace });
  if (found === undefined) throw notFound(namespaces, namespace);
  const terminating =
    stringAt(objectAt(found, "status"), "phase") === "Terminating" ||
    stringAt(objectAt(found, "metadata"), "deletionTimestamp") !== "";
  if (attempt.operation === "CREATE" && terminating) throw refusal(call, attempt);
}

function assertMortal(call: Call, attempt: Attempt): void {
  if (call.kind.group !== "" || call.kind.resource !== "namespaces") return;
  const name = stringAt(objectAt(attempt.old, "metadata"), "name");
  if (immortal.has(name)) throw forbidden(namespaces, name, "this namespace may not be deleted");
}

const immortal: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

function refusal(call: Call, attempt: Attempt): StatusError {
  const { namespace } = call.info;
  const { status } = notAdmitted(
    call,
    attempt,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  const cause = {
    reason: "NamespaceTerminating",
    message: `namespace ${namespace} is being terminated`,
    field: "metadata.namespace",
  };
  return new StatusError({ ...status, details: { ...status.details, causes: [cause] } });
}
