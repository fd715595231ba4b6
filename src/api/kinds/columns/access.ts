import type { Column, JsonObject } from "#api/kind.ts";
import {
  age,
  at,
  column,
  count,
  formatSelector,
  name,
  none,
  number,
  objects,
  orNone,
  text,
  unset,
  wide,
} from "#api/kinds/columns/cells.ts";
import { humanDuration } from "#api/kinds/columns/human-duration.ts";

/** The columns of `rbac.authorization.k8s.io` by kind. Roles have only the default ones. */
export const rbacColumns: Readonly<Record<string, readonly Column[]>> = {
  ClusterRoleBinding: bindingColumns(),
  RoleBinding: bindingColumns(),
};

/** The columns of `certificates.k8s.io` by kind. */
export const certificatesColumns: Readonly<Record<string, readonly Column[]>> = {
  CertificateSigningRequest: [
    name,
    age,
    column("SignerName", "Who is asked to sign", (request) =>
      orNone(text(request, "spec", "signerName")),
    ),
    column("Requestor", "Who asks", (request) => text(request, "spec", "username")),
    column("RequestedDuration", "How long the certificate should last", (request) => {
      const seconds = at(request, "spec", "expirationSeconds");
      return typeof seconds === "number" ? humanDuration(seconds * 1000) : none;
    }),
    column("Condition", "How the request is", signingStatus),
  ],
};

/** The columns of `admissionregistration.k8s.io` by kind. */
export const admissionColumns: Readonly<Record<string, readonly Column[]>> = {
  MutatingAdmissionPolicy: policyColumns("Mutations", "mutations"),
  MutatingAdmissionPolicyBinding: policyBindingColumns(),
  MutatingWebhookConfiguration: webhookColumns(),
  ValidatingAdmissionPolicy: policyColumns("Validations", "validations"),
  ValidatingAdmissionPolicyBinding: policyBindingColumns(),
  ValidatingWebhookConfiguration: webhookColumns(),
};

function bindingColumns(): readonly Column[] {
  return [
    name,
    column("Role", "The role that is granted", (binding) => {
      const role = at(binding, "roleRef");
      return `${text(role, "kind")}/${text(role, "name")}`;
    }),
    age,
    wide("Users", "Users who get the role", (binding) => subjects(binding, "User")),
    wide("Groups", "Groups who get the role", (binding) => subjects(binding, "Group")),
    wide("ServiceAccounts", "Service accounts that get the role", (binding) =>
      subjects(binding, "ServiceAccount"),
    ),
  ];
}

function subjects(binding: JsonObject, kind: string): string {
  return objects(binding, "subjects")
    .filter((subject) => text(subject, "kind") === kind)
    .map((subject) => subjectName(subject))
    .join(", ");
}

function subjectName(subject: JsonObject): string {
  const namespace = text(subject, "namespace");
  const isAccount = text(subject, "kind") === "ServiceAccount";
  return isAccount && namespace !== ""
    ? `${namespace}/${text(subject, "name")}`
    : text(subject, "name");
}

function signingStatus(request: JsonObject): string {
  const types = objects(request, "status", "conditions").map((one) => text(one, "type"));
  const words = ["Pending"];
  if (types.includes("Approved")) words[0] = "Approved";
  if (types.includes("Denied")) words[0] = "Denied";
  if (types.includes("Failed")) words.push("Failed");
  if (text(request, "status", "certificate") !== "") words.push("Issued");
  return words.join(",");
}

function webhookColumns(): readonly Column[] {
  return [
    name,
    count("Webhooks", "Number of webhooks", (object) => objects(object, "webhooks").length),
    age,
  ];
}

function policyColumns(heading: string, field: string): readonly Column[] {
  return [
    name,
    count(heading, "Number of rules", (object) => objects(object, "spec", field).length),
    column("ParamKind", "Kind of the policy's parameters", (object) => {
      const kind = at(object, "spec", "paramKind");
      return kind === undefined ? unset : `${text(kind, "apiVersion")}/${text(kind, "kind")}`;
    }),
    age,
  ];
}

function policyBindingColumns(): readonly Column[] {
  return [
    name,
    column("PolicyName", "The policy that is bound", (object) =>
      text(object, "spec", "policyName"),
    ),
    column("ParamRef", "The object with the parameters", parameterReference),
    age,
  ];
}

function parameterReference(object: JsonObject): string {
  const reference = at(object, "spec", "paramRef");
  const named = text(reference, "name");
  if (named !== "") return `${text(reference, "namespace") || "*"}/${named}`;
  const selector = at(reference, "selector");
  return selector === undefined ? unset : formatSelector(selector);
}

/** Kept beside the policies: what decides which requests go first. */
export const flowColumns: Readonly<Record<string, readonly Column[]>> = {
  FlowSchema: [
    name,
    column("PriorityLevel", "The priority level of matching requests", (object) =>
      text(object, "spec", "priorityLevelConfiguration", "name"),
    ),
    column("MatchingPrecedence", "Lower numbers match first", (object) =>
      number(object, "spec", "matchingPrecedence"),
    ),
    column("DistinguisherMethod", "What tells flows apart", (object) =>
      orNone(text(object, "spec", "distinguisherMethod", "type")),
    ),
    age,
    column("MissingPL", "Whether the priority level is missing", (object) => {
      const conditions = objects(object, "status", "conditions");
      return (
        text(
          conditions.find((one) => text(one, "type") === "Dangling"),
          "status",
        ) || "?"
      );
    }),
  ],
  PriorityLevelConfiguration: [
    name,
    column("Type", "Limited or Exempt", (object) => text(object, "spec", "type")),
    limitColumn("NominalConcurrencyShares", ["nominalConcurrencyShares"]),
    limitColumn("Queues", ["limitResponse", "queuing", "queues"]),
    limitColumn("HandSize", ["limitResponse", "queuing", "handSize"]),
    limitColumn("QueueLengthLimit", ["limitResponse", "queuing", "queueLengthLimit"]),
    age,
  ],
};

function limitColumn(heading: string, path: readonly string[]): Column {
  return column(heading, "Setting of a limited priority level", (object) => {
    const value = at(object, "spec", "limited", ...path);
    return typeof value === "number" ? value : none;
  });
}
