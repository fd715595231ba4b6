import type {
  Container,
  EnvVar,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from "#api/generated/types.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import type { Field } from "#api/validation/field.ts";
import {
  configKeyProblems,
  environmentNameProblems,
  qualifiedNameProblems,
} from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { sameQuantity } from "#api/validation/quantity.ts";

export function checkEnvironment(field: Field, container: Given<Container>): void {
  for (const [index, variable] of itemsOf(container.env).entries()) {
    const at = field.child("env").index(index);
    if (!variable.name) at.child("name").required();
    else at.child("name").invalidAll(variable.name, environmentNameProblems(variable.name));
    if (variable.valueFrom) checkValueFrom(at.child("valueFrom"), variable);
  }
  for (const [index, source] of itemsOf(container.envFrom).entries()) {
    const at = field.child("envFrom").index(index);
    if (source.prefix) {
      at.child("prefix").invalidAll(source.prefix, environmentNameProblems(source.prefix));
    }
    if (source.configMapRef)
      checkReference(at.child("configMapRef", "name"), source.configMapRef.name);
    if (source.secretRef) checkReference(at.child("secretRef", "name"), source.secretRef.name);
    if (source.configMapRef && source.secretRef) {
      field.child("envFrom").invalid("", "may not have more than one field specified at a time");
    } else if (!source.configMapRef && !source.secretRef) {
      field.child("envFrom").invalid("", "must specify one of: `configMapRef` or `secretRef`");
    }
  }
}

function checkReference(field: Field, name: string | null | undefined): void {
  if (!name) field.required();
  else field.invalidAll(name, dns1123SubdomainProblems(name));
}

function checkValueFrom(field: Field, variable: Given<EnvVar>): void {
  const from = variable.valueFrom ?? {};
  if (from.fieldRef) checkFieldRef(field.child("fieldRef"), from.fieldRef, environmentPaths);
  if (from.resourceFieldRef) {
    checkResourceRef(field.child("resourceFieldRef"), from.resourceFieldRef, { volume: false });
  }
  for (const name of ["configMapKeyRef", "secretKeyRef"] as const) {
    const reference = from[name];
    if (!reference) continue;
    const at = field.child(name);
    at.child("name").invalidAll(
      reference.name ?? "",
      dns1123SubdomainProblems(reference.name ?? ""),
    );
    if (!reference.key) at.child("key").required();
    else at.child("key").invalidAll(reference.key, configKeyProblems(reference.key));
  }
  const sources = Object.values(from).filter(Boolean).length;
  if (sources === 0) {
    field.invalid(
      "",
      "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
    );
  } else if (variable.value) {
    field.invalid("", "may not be specified when `value` is not empty");
  } else if (sources > 1) field.invalid("", "may not have more than one field specified at a time");
}

const environmentPaths = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

export const volumePaths = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];

/** All that the downward API knows; what is not among them is no field at all. */
const knownPaths = new Set([...environmentPaths, ...volumePaths]);

export function checkFieldRef(
  field: Field,
  reference: Given<ObjectFieldSelector>,
  supported: readonly string[],
): void {
  if (!reference.apiVersion) return field.child("apiVersion").required();
  if (!reference.fieldPath) return field.child("fieldPath").required();
  const path = reference.fieldPath;
  const [, map, key] = /^(.*)\['([^']*)'\]$/.exec(path) ?? [];
  if (map === "metadata.annotations" && key !== undefined) {
    field.invalidAll(key.toLowerCase(), qualifiedNameProblems(key.toLowerCase()));
  } else if (map === "metadata.labels" && key !== undefined) {
    field.invalidAll(key, qualifiedNameProblems(key));
  } else if (map !== undefined && knownPaths.has(map)) {
    field.invalid(map, "does not support subscript");
  } else if (!knownPaths.has(path)) {
    const problem = `error converting fieldPath: field label not supported: ${path}`;
    field.child("fieldPath").invalid(path, problem);
  } else if (!supported.includes(path)) field.child("fieldPath").notSupported(path, supported);
}

const measures = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const byteDivisors = "1,1k,1M,1G,1T,1P,1E,1Ki,1Mi,1Gi,1Ti,1Pi,1Ei".split(",");

export function checkResourceRef(
  field: Field,
  reference: Given<ResourceFieldSelector>,
  { volume }: { volume: boolean },
): void {
  const resource = reference.resource ?? "";
  if (volume && !reference.containerName) return field.child("containerName").required();
  if (resource === "") return field.child("resource").required();
  const huge = /^(limits|requests)\.hugepages-/.test(resource);
  if (!measures.includes(resource) && !huge) {
    field.child("resource").notSupported(resource, measures);
  }
  const divisor = reference.divisor;
  if (!divisor || sameQuantity(divisor, "0")) return;
  if (resource.endsWith(".cpu")) {
    if (!["1m", "1"].some((allowed) => sameQuantity(allowed, divisor))) {
      const rule = "only divisor's values 1m and 1 are supported with the cpu resource";
      field.child("divisor").invalid(resource, rule);
    }
  } else if (!byteDivisors.some((allowed) => sameQuantity(allowed, divisor))) {
    const noun = resource.endsWith(".memory")
      ? "memory"
      : huge
        ? "hugepages"
        : "local ephemeral storage";
    const rule = `only divisor's values ${byteDivisors.join(", ")} are supported with the ${noun} resource`;
    field.child("divisor").invalid(resource, rule);
  }
}
