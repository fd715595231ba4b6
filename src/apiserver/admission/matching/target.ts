import type { Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";

export interface ResourceRef {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export interface KindRef {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A write in the words in which rules speak of it, as upstream's `admission.Attributes`. */
export interface Target {
  readonly call: Call;
  readonly attempt: Attempt;
  readonly operation: Attempt["operation"];
  readonly resource: ResourceRef;
  readonly subresource: string;
  /** Of the object that is sent: of a subresource it may be another than its parent's. */
  readonly kind: KindRef;
  /** "" at the cluster scope; a namespace stands in itself. */
  readonly namespace: string;
  /** "" while it is still to be generated. */
  readonly name: string;
}

export function targetOf(call: Call, attempt: Attempt): Target {
  const { kind, info } = call;
  const name = info.name || ownName(attempt);
  const isNamespace = kind.group === "" && kind.resource === "namespaces";
  const { group, version, kind: word } = call.subresource ?? kind;
  return {
    call,
    attempt,
    operation: attempt.operation,
    resource: { group: kind.group, version: kind.version, resource: kind.resource },
    subresource: call.subresource?.name ?? "",
    kind: { group, version, kind: word },
    namespace: info.namespace || (isNamespace ? name : ""),
    name,
  };
}

/** Of a collection that is deleted no object is named. */
function ownName({ operation, object }: Attempt): string {
  return operation === "CREATE" ? stringAt(objectAt(object, "metadata"), "name") : "";
}
