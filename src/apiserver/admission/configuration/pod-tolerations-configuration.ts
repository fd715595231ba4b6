import type { Toleration } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { checkTolerations } from "#api/strategies/core/pod/tolerations.ts";
import type { Field } from "#api/validation/field.ts";
import type { Given } from "#api/validation/given.ts";
import {
  checkKind,
  fieldsOf,
  listAt,
  type Fields,
} from "#apiserver/admission/configuration/fields.ts";

/** For namespaces whose annotations say nothing. */
export interface PodTolerationsConfiguration {
  readonly defaults: readonly JsonObject[];
  /** Empty: all are allowed. */
  readonly allowed: readonly JsonObject[];
}

/** `Configuration` of `PodTolerationRestriction`; what is wrong is noted at its field. */
export function readPodTolerations(value: unknown, field: Field): PodTolerationsConfiguration {
  const file = fieldsOf(value, field, ["apiVersion", "kind", "default", "whitelist"]);
  checkKind(file, expected, field);
  return {
    defaults: readTolerations(file, "default", field),
    allowed: readTolerations(file, "whitelist", field),
  };
}

const expected = {
  versions: ["podtolerationrestriction.admission.k8s.io/v1alpha1"],
  kind: "Configuration",
};

function readTolerations(file: Fields, name: string, field: Field): readonly JsonObject[] {
  const place = field.child(name);
  const tolerations = listAt(file, name, field).map((one, at) =>
    fieldsOf(one, place.index(at), tolerationFields),
  );
  checkTolerations(place, tolerations as readonly Given<Toleration>[]);
  return tolerations as readonly JsonObject[];
}

const tolerationFields = ["key", "operator", "value", "effect", "tolerationSeconds"];
