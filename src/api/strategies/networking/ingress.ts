import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
} from "#api/generated/types.ts";
import {
  dns1035LabelProblems,
  dns1123SubdomainProblems,
  wildcardSubdomainProblems,
} from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkPort, checkRequired } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { domainPathProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { parseIp } from "#api/validation/ip.ts";

const classAnnotation = "kubernetes.io/ingress.class";

export const ingressStrategy = strategyFor<Ingress>({
  validate(root, ingress) {
    const field = root.child("spec");
    const spec = ingress.spec ?? {};
    if (itemsOf(spec.rules).length === 0 && !spec.defaultBackend) {
      field.required("either `defaultBackend` or `rules` must be specified");
    }
    if (spec.defaultBackend) checkBackend(field.child("defaultBackend"), spec.defaultBackend);
    const annotated = ingress.metadata?.annotations?.[classAnnotation];
    if (annotated !== undefined && spec.ingressClassName && annotated !== spec.ingressClassName) {
      const rule = `must match \`ingressClassName\` when both are specified`;
      root.child("annotations").key(classAnnotation).invalid(annotated, rule);
    }
    if (spec.ingressClassName) {
      const problems = dns1123SubdomainProblems(spec.ingressClassName);
      field.child("ingressClassName").invalidAll(spec.ingressClassName, problems);
    }
    checkRules(field, ingress);
  },
  warnings: (ingress) =>
    ingress.metadata?.annotations?.[classAnnotation] === undefined
      ? []
      : [
          `annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`,
        ],
});

export const ingressClassStrategy = strategyFor<IngressClass>({
  hasGeneration: true,
  validate(root, ingressClass) {
    const field = root.child("spec");
    const { controller, parameters } = ingressClass.spec ?? {};
    if (controller)
      field.child("controller").invalidAll(controller, domainPathProblems(controller));
    else field.child("controller").required();
    if (!parameters) return;
    const at = field.child("parameters");
    checkRequired(at.child("kind"), parameters.kind);
    checkRequired(at.child("name"), parameters.name);
    if (parameters.scope !== "Cluster" && parameters.scope !== "Namespace") {
      at.child("scope").notSupported(parameters.scope ?? "", ["Cluster", "Namespace"]);
    } else if (parameters.scope === "Namespace") {
      checkRequired(
        at.child("namespace"),
        parameters.namespace,
        "`parameters.scope` is set to 'Namespace'",
      );
    } else if (parameters.namespace) {
      at.child("namespace").forbidden("`parameters.scope` is set to 'Cluster'");
    }
  },
  validateUpdate(root, ingressClass, old) {
    const at = root.child("spec", "controller");
    checkImmutable(at, ingressClass.spec?.controller, old.spec?.controller);
  },
  fillDefaults(ingressClass) {
    const parameters = ingressClass.spec?.parameters;
    if (parameters) parameters.scope ??= "Cluster";
  },
});

function checkRules(field: Field, ingress: Given<Ingress>): void {
  for (const [index, tls] of itemsOf(ingress.spec?.tls).entries()) {
    for (const [nth, host] of itemsOf(tls.hosts).entries()) {
      checkHost(field.child("tls").index(index).child("hosts").index(nth), host);
    }
  }
  for (const [index, rule] of itemsOf(ingress.spec?.rules).entries()) {
    const at = field.child("rules").index(index);
    if (rule.host) checkHost(at.child("host"), rule.host);
    if (!rule.http) continue;
    const paths = itemsOf(rule.http.paths);
    if (paths.length === 0) at.child("http", "paths").required();
    for (const [nth, path] of paths.entries()) {
      checkPath(at.child("http", "paths").index(nth), path);
    }
  }
}

function checkHost(field: Field, host: string): void {
  if (parseIp(host)) field.invalid(host, "must be a DNS name, not an IP address");
  else if (host.includes("*")) field.invalidAll(host, wildcardSubdomainProblems(host));
  else field.invalidAll(host, dns1123SubdomainProblems(host));
}

const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];
const badSequences = ["//", "/./", "/../", "%2f", "%2F"];
const badEndings = ["/..", "/."];

function checkPath(field: Field, given: Given<HTTPIngressPath>): void {
  const { path = "", pathType } = given;
  const text = path ?? "";
  if (!pathType) field.child("pathType").required("pathType must be specified");
  else if (!pathTypes.includes(pathType)) field.child("pathType").notSupported(pathType, pathTypes);
  else if (pathType !== "ImplementationSpecific") {
    if (!text.startsWith("/")) field.child("path").invalid(text, "must be an absolute path");
    for (const sequence of badSequences) {
      if (text.includes(sequence))
        field.child("path").invalid(text, `must not contain '${sequence}'`);
    }
    for (const ending of badEndings) {
      if (text.endsWith(ending)) field.child("path").invalid(text, `cannot end with '${ending}'`);
    }
  } else if (text !== "" && !text.startsWith("/")) {
    field.child("path").invalid(text, "must be an absolute path");
  }
  checkBackend(field.child("backend"), given.backend ?? {});
}

function checkBackend(field: Field, backend: Given<IngressBackend>): void {
  const { service, resource } = backend;
  if (service && resource) {
    return field.invalid("", "cannot set both resource and service backends");
  }
  if (resource) {
    checkRequired(field.child("resource", "name"), resource.name);
    checkRequired(field.child("resource", "kind"), resource.kind);
  } else if (service) {
    const at = field.child("service");
    if (service.name) at.child("name").invalidAll(service.name, dns1035LabelProblems(service.name));
    else at.child("name").required();
    const port = service.port ?? {};
    if (port.name && port.number) {
      at.child("port").invalid("", "cannot set both port name & port number");
    } else if (port.name || port.number) {
      checkPort(at.child("port", port.name ? "name" : "number"), port.name || port.number);
    } else at.child("port").required("port name or number is required");
  } else field.required("resource or service backend is required");
}
