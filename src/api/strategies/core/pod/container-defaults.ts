import type { Container, EnvVar, HTTPGetAction, Probe } from "#api/generated/types.ts";
import { roundAmounts } from "#api/strategies/core/resource-list.ts";
import { type Filling, objectIn, setWhereUnset, setWhereZero } from "#api/validation/given.ts";

/** Defaults of regular, init and ephemeral containers. */
export function fillContainer(container: Filling<Container>): void {
  setWhereUnset(container, {
    imagePullPolicy: pullPolicyFor(container.image ?? ""),
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
  });
  for (const port of container.ports ?? []) if (port) setWhereUnset(port, { protocol: "TCP" });
  for (const variable of container.env ?? []) if (variable) fillVariable(variable);
  const resources = objectIn(container, "resources");
  roundAmounts(resources.limits);
  roundAmounts(resources.requests);
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"] as const) {
    fillProbe(container[name]);
  }
  fillHttpGet(container.lifecycle?.postStart?.httpGet);
  fillHttpGet(container.lifecycle?.preStop?.httpGet);
}

/** `Always` for the tag `latest`, which is also what an image without tag and digest means. */
export function pullPolicyFor(image: string): "Always" | "IfNotPresent" {
  const [reference = "", digest] = image.split("@");
  if (digest !== undefined || reference === "") {
    return reference.endsWith(":latest") ? "Always" : "IfNotPresent";
  }
  const [, tag = "latest"] = reference.slice(reference.lastIndexOf("/") + 1).split(":");
  return tag === "latest" ? "Always" : "IfNotPresent";
}

function fillVariable(variable: Filling<EnvVar>): void {
  const { fieldRef, fileKeyRef } = variable.valueFrom ?? {};
  if (fieldRef) setWhereUnset(fieldRef, { apiVersion: "v1" });
  if (fileKeyRef) setWhereUnset(fileKeyRef, { optional: false });
}

function fillProbe(probe: Filling<Probe> | null | undefined): void {
  if (!probe) return;
  setWhereZero(probe, {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  fillHttpGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= "";
}

function fillHttpGet(action: Filling<HTTPGetAction> | null | undefined): void {
  if (action) setWhereUnset(action, { path: "/", scheme: "HTTP" });
}
