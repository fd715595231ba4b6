import type { CoreV1Event, EventsV1Event, ObjectReference } from "#api/generated/types.ts";
import { byteLength } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkQualifiedName, checkRequired } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import type { Given } from "#api/validation/given.ts";

const referenceFields = [
  "kind",
  "namespace",
  "name",
  "uid",
  "apiVersion",
  "resourceVersion",
  "fieldPath",
] as const;

const reasonMaxBytes = 128;
const noteMaxBytes = 1024;

// The two groups' events are one thing under two names; only those of the newer are held to its rules.

export const coreEventStrategy = strategyFor<CoreV1Event>({
  dependents: "unsupported",
  createOnUpdate: true,
  hasGeneration: false,
  validate(root, event) {
    checkNamespace(root, event.metadata?.namespace ?? "", event.involvedObject);
  },
  selectableFields: fieldsOf(
    (event: Given<CoreV1Event>) => ({
      object: event.involvedObject,
      type: event.type,
      reason: event.reason,
      controller: event.reportingComponent || event.source?.component,
      component: event.source?.component || event.reportingComponent,
    }),
    { object: "involvedObject", controller: "reportingComponent", component: "source" },
  ),
});

export const eventStrategy = strategyFor<EventsV1Event>({
  dependents: "unsupported",
  createOnUpdate: true,
  hasGeneration: false,
  validate(root, event) {
    checkNamespace(root, event.metadata?.namespace ?? "", event.regarding);
    if (event.eventTime) checkNewEvent(root, event);
  },
  selectableFields: fieldsOf(
    (event: Given<EventsV1Event>) => ({
      object: event.regarding,
      type: event.type,
      reason: event.reason,
      controller: event.reportingController || event.deprecatedSource?.component,
    }),
    { object: "regarding", controller: "reportingController" },
  ),
});

interface Parts {
  readonly object: Given<ObjectReference> | null | undefined;
  readonly type: string | null | undefined;
  readonly reason: string | null | undefined;
  readonly controller: string | null | undefined;
  readonly component?: string | null | undefined;
}

/** Under which names the fields are selected; the newer group has none for the source. */
interface FieldNames {
  readonly object: string;
  readonly controller: string;
  readonly component?: string;
}

function fieldsOf<T>(
  partsOf: (event: T) => Parts,
  { object, controller, component }: FieldNames,
): Readonly<Record<string, (event: T) => string>> {
  const reference = referenceFields.map((name): [string, (event: T) => string] => [
    `${object}.${name}`,
    (event) => partsOf(event).object?.[name] ?? "",
  ]);
  return {
    ...Object.fromEntries(reference),
    type: (event) => partsOf(event).type ?? "",
    reason: (event) => partsOf(event).reason ?? "",
    [controller]: (event) => partsOf(event).controller ?? "",
    ...(component !== undefined && { [component]: (event: T) => partsOf(event).component ?? "" }),
  };
}

/** An event lies where its object does; events of cluster-scoped objects lie in `default`. */
function checkNamespace(
  root: Field,
  namespace: string,
  reference: Given<ObjectReference> | null | undefined,
): void {
  const wanted = reference?.namespace ?? "";
  const system = namespace === "default" || namespace === "kube-system";
  if (wanted === "" ? system : wanted === namespace) return;
  root.child("involvedObject", "namespace").invalid(wanted, "does not match event.namespace");
}

function checkNewEvent(root: Field, event: Given<EventsV1Event>): void {
  checkRequired(root.child("reportingController"), event.reportingController);
  if (event.reportingController) {
    checkQualifiedName(root.child("reportingController"), event.reportingController);
  }
  for (const name of ["reportingInstance", "action", "reason"] as const) {
    const value = event[name] ?? "";
    checkRequired(root.child(name), value);
    if (byteLength(value) > reasonMaxBytes) {
      root.child(name).invalid(value, `can have at most ${reasonMaxBytes} characters`);
    }
  }
  if (event.type !== "Normal" && event.type !== "Warning") {
    root.child("type").invalid(event.type ?? "", "has invalid value: ");
  }
  if (byteLength(event.note ?? "") > noteMaxBytes) {
    root.child("message").invalid(event.note, `can have at most ${noteMaxBytes} characters`);
  }
}
