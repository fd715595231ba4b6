import type {
  Container,
  HTTPGetAction,
  Lifecycle,
  LifecycleHandler,
  Probe,
} from "#api/generated/types.ts";
import { checkNonNegative, checkOneOf, checkPort, checkRequired } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { headerNameProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

/** The three probes of a container, the container's field given. */
export function checkProbes(field: Field, container: Given<Container>): void {
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    const probe = container[name];
    if (!probe) continue;
    const at = field.child(name);
    checkProbe(at, probe);
    if (name !== "readinessProbe" && probe.successThreshold !== 1) {
      at.child("successThreshold").invalid(probe.successThreshold ?? 0, "must be 1");
    }
    if (name === "readinessProbe" && typeof probe.terminationGracePeriodSeconds === "number") {
      at.child("terminationGracePeriodSeconds").invalid(
        probe.terminationGracePeriodSeconds,
        "must not be set for readinessProbes",
      );
    }
  }
}

export function checkLifecycle(
  field: Field,
  lifecycle: Given<Lifecycle> | null | undefined,
  gracePeriodSeconds: number | undefined,
): void {
  for (const name of ["postStart", "preStop"] as const) {
    const handler = lifecycle?.[name];
    if (!handler) continue;
    checkHandler(field.child(name), handler);
    const seconds = handler.sleep?.seconds;
    if (typeof seconds !== "number" || gracePeriodSeconds === undefined) continue;
    if (seconds < 0 || seconds > gracePeriodSeconds) {
      field
        .child(name, "sleep")
        .invalid(
          seconds,
          `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriodSeconds})`,
        );
    }
  }
}

function checkProbe(field: Field, probe: Given<Probe>): void {
  checkHandler(field, probe);
  for (const name of amounts) checkNonNegative(field.child(name), probe[name]);
  const grace = probe.terminationGracePeriodSeconds;
  if (typeof grace === "number" && grace <= 0) {
    field.child("terminationGracePeriodSeconds").invalid(grace, "must be greater than 0");
  }
}

const amounts = [
  "initialDelaySeconds",
  "timeoutSeconds",
  "periodSeconds",
  "successThreshold",
  "failureThreshold",
] as const;

type Handler = Given<LifecycleHandler & Pick<Probe, "grpc">>;

const handlers = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const;

function checkHandler(field: Field, handler: Handler): void {
  const present = handlers.filter((name) => handler[name]);
  for (const name of present.slice(1)) {
    field.child(name).forbidden("may not specify more than 1 handler type");
  }
  switch (present[0]) {
    case undefined:
      field.required("must specify a handler type");
      break;
    case "exec":
      if (itemsOf(handler.exec?.command).length === 0) field.child("exec", "command").required();
      break;
    case "httpGet":
      checkHttpGet(field.child("httpGet"), handler.httpGet ?? {});
      break;
    case "tcpSocket":
      checkPort(field.child("tcpSocket", "port"), handler.tcpSocket?.port);
      break;
    case "grpc":
      checkPort(field.child("grpc", "port"), handler.grpc?.port);
      break;
    default:
  }
}

function checkHttpGet(field: Field, action: Given<HTTPGetAction>): void {
  checkRequired(field.child("path"), action.path);
  checkPort(field.child("port"), action.port);
  checkOneOf(field.child("scheme"), action.scheme, ["HTTP", "HTTPS"]);
  for (const header of itemsOf(action.httpHeaders)) {
    field.child("httpHeaders").invalidAll(header.name ?? "", headerNameProblems(header.name ?? ""));
  }
}
