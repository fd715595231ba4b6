import type { Container, PodSpec, PodTemplateSpec } from "#api/generated/types.ts";
import { entriesOf, type Given, itemsOf } from "#api/validation/given.ts";
import { isWholeQuantity, nanosOf } from "#api/validation/quantity.ts";

const deprecatedLabels: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
  "failure-domain.beta.kubernetes.io/region":
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  "failure-domain.beta.kubernetes.io/zone":
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  "beta.kubernetes.io/instance-type":
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
};

const deprecatedAnnotations: readonly (readonly [prefix: string, advice: string])[] = [
  [
    "seccomp.security.alpha.kubernetes.io/pod",
    'non-functional in v1.27+; use the "seccompProfile" field instead',
  ],
  [
    "container.seccomp.security.alpha.kubernetes.io/",
    'non-functional in v1.27+; use the "seccompProfile" field instead',
  ],
  [
    "container.apparmor.security.beta.kubernetes.io/",
    'deprecated since v1.30; use the "appArmorProfile" field instead',
  ],
  [
    "scheduler.alpha.kubernetes.io/critical-pod",
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  ],
];

/** Probable mistakes and deprecated uses in a pod (`path` "") or a template (`path` "spec.template."). */
export function podWarnings(
  path: string,
  template: Given<PodTemplateSpec> | null | undefined,
): readonly string[] {
  const spec = template?.spec ?? {};
  return [
    ...annotationWarnings(`${path}metadata.annotations`, template),
    ...labelWarnings(`${path}spec.nodeSelector`, spec.nodeSelector),
    ...podSpecWarnings(`${path}spec`, spec),
    ...(["containers", "initContainers"] as const).flatMap((name) =>
      itemsOf(spec[name]).flatMap((container, index) =>
        containerWarnings(`${path}spec.${name}[${index}]`, container),
      ),
    ),
  ];
}

function annotationWarnings(
  path: string,
  template: Given<PodTemplateSpec> | null | undefined,
): string[] {
  return entriesOf(template?.metadata?.annotations).flatMap(([key]) =>
    deprecatedAnnotations
      .filter(([prefix]) => (prefix.endsWith("/") ? key.startsWith(prefix) : key === prefix))
      .map(([, advice]) => `${path}[${key}]: ${advice}`),
  );
}

function labelWarnings(path: string, labels: PodSpec["nodeSelector"] | null): string[] {
  return entriesOf(labels).flatMap(([key]) => {
    const advice = deprecatedLabels[key];
    return advice === undefined ? [] : [`${path}[${key}]: ${advice}`];
  });
}

function podSpecWarnings(path: string, spec: Given<PodSpec>): string[] {
  const warnings: string[] = [];
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    warnings.push(
      `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  }
  for (const [index, volume] of itemsOf(spec.volumes).entries()) {
    if (volume.gitRepo) {
      const advice = "deprecated in v1.11, and disabled by default in v1.33+";
      warnings.push(`${path}.volumes[${index}].gitRepo: ${advice}`);
    }
  }
  const secrets = itemsOf(spec.imagePullSecrets);
  for (const [index, secret] of secrets.entries()) {
    const at = `${path}.imagePullSecrets[${index}]`;
    if (!secret.name) warnings.push(`${at}: invalid empty name ""`);
    else if (secrets.findIndex((other) => other.name === secret.name) < index) {
      warnings.push(`${at}: duplicate name "${secret.name}"`);
    }
  }
  return warnings;
}

function containerWarnings(path: string, container: Given<Container>): string[] {
  const warnings: string[] = [];
  const variables = itemsOf(container.env).map((variable) => variable.name ?? "");
  for (const [index, name] of variables.entries()) {
    if (variables.indexOf(name) < index) {
      warnings.push(
        `${path}.env[${index}]: hides previous definition of "${name}", which may be dropped when using apply`,
      );
    }
  }
  const ports = itemsOf(container.ports).map(
    (port) => `${port.protocol}/${port.hostIP}/${port.hostPort}/${port.containerPort}`,
  );
  for (const [index, port] of ports.entries()) {
    const first = ports.indexOf(port);
    if (first < index) {
      warnings.push(
        `${path}.ports[${index}]: duplicate port definition with ${path}.ports[${first}]`,
      );
    }
  }
  for (const name of ["limits", "requests"] as const) {
    for (const [resource, amount] of entriesOf(container.resources?.[name])) {
      if (resource === "cpu" || nanosOf(amount) === undefined || isWholeQuantity(amount)) continue;
      warnings.push(
        `${path}.resources.${name}[${resource}]: fractional byte value "${amount}" is invalid, must be an integer`,
      );
    }
  }
  return warnings;
}
