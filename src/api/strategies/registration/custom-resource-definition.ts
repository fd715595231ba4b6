import type {
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from "#api/generated/types.ts";
import { checkApproval, checkDefinition } from "#api/custom/check-definition.ts";
import { dns1035LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import {
  checkReviewVersions,
  checkWebhookClient,
} from "#api/strategies/registration/webhook-client.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf, checkRequired, checkUnique } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import {
  type Filling,
  type Given,
  itemsOf,
  objectIn,
  setWhereUnset,
} from "#api/validation/given.ts";

type Spec = Given<CustomResourceDefinitionSpec>;

/** Names, versions and conversion; what a version says of its objects is checked in `api/custom/`. */
export const customResourceDefinitionStrategy = strategyFor<CustomResourceDefinition>({
  unconditionalUpdate: false,
  fillDefaults: fillDefinition,
  prepareForCreate(definition) {
    const stored = itemsOf(definition.spec?.versions).filter((version) => version.storage);
    definition.status = { storedVersions: stored.map((version) => version.name ?? "") };
  },
  prepareForUpdate(definition) {
    const versions = new Set(itemsOf(definition.status?.storedVersions));
    for (const version of itemsOf(definition.spec?.versions)) {
      if (version.storage && version.name) versions.add(version.name);
    }
    objectIn(definition, "status").storedVersions = [...versions];
  },
  validate(root, definition) {
    const spec = definition.spec ?? {};
    const field = root.child("spec");
    const name = definition.metadata?.name ?? "";
    const wanted = `${spec.names?.plural ?? ""}.${spec.group ?? ""}`;
    if (name !== wanted) {
      root.child("metadata", "name").invalid(name, 'must be spec.names.plural+"."+spec.group');
    }
    checkGroup(field.child("group"), spec.group ?? "");
    checkOneOf(field.child("scope"), spec.scope, ["Cluster", "Namespaced"]);
    checkVersions(field.child("versions"), itemsOf(spec.versions));
    checkNames(field.child("names"), spec);
    checkDefinition(root, definition);
    checkApproval(root, definition);
  },
  validateCreate(root, { spec }) {
    checkConversion(root.child("spec", "conversion"), spec ?? {}, { anyReviewVersion: false });
  },
  validateUpdate(root, definition, old) {
    const field = root.child("spec");
    checkConversion(field.child("conversion"), definition.spec ?? {}, toleranceOf(old.spec));
    const spec = definition.spec ?? {};
    const before = old.spec ?? {};
    checkImmutable(field.child("group"), spec.group, before.group);
    checkImmutable(field.child("scope"), spec.scope, before.scope);
    checkImmutable(field.child("names", "plural"), spec.names?.plural, before.names?.plural);
    const versions = new Set(itemsOf(spec.versions).map((version) => version.name));
    for (const [index, stored] of itemsOf(old.status?.storedVersions).entries()) {
      if (versions.has(stored)) continue;
      const rule = `missing from spec.versions; ${stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${stored} and removes ${stored} from status.storedVersions`;
      root.child("status", "storedVersions").index(index).invalid(stored, rule);
    }
  },
});

function fillDefinition(definition: Filling<CustomResourceDefinition>): void {
  const spec = objectIn(definition, "spec");
  const names = objectIn(spec, "names");
  if (names.kind) {
    setWhereUnset(names, { singular: names.kind.toLowerCase(), listKind: `${names.kind}List` });
  }
  setWhereUnset(objectIn(spec, "conversion"), { strategy: "None" });
  const service = spec.conversion?.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
}

function checkGroup(field: Field, group: string): void {
  if (!checkRequired(field, group)) return;
  field.invalidAll(group, dns1123SubdomainProblems(group));
  if (!group.includes(".")) field.invalid(group, "should be a domain with at least one dot");
}

function checkVersions(
  field: Field,
  versions: readonly Given<CustomResourceDefinitionVersion>[],
): void {
  if (versions.filter((version) => version.storage).length !== 1) {
    field.invalid(
      versions.map((version) => version.name ?? ""),
      "must have exactly one version marked as storage version",
    );
  }
  for (const [index, version] of versions.entries()) {
    const at = field.index(index);
    if (checkRequired(at.child("name"), version.name)) {
      at.child("name").invalidAll(version.name, dns1035LabelProblems(version.name ?? ""));
    }
    if (!version.schema?.openAPIV3Schema) {
      at.child("schema", "openAPIV3Schema").required("schemas are required");
    }
    if (version.deprecationWarning && !version.deprecated) {
      const rule = "can only be set for deprecated versions";
      at.child("deprecationWarning").invalid(version.deprecationWarning, rule);
    }
    checkScale(at.child("subresources", "scale"), version);
  }
  checkUnique(
    versions,
    (version) => version.name ?? "",
    (index, name) => field.index(index).child("name").duplicate(name),
  );
}

function checkScale(field: Field, version: Given<CustomResourceDefinitionVersion>): void {
  const scale = version.subresources?.scale;
  if (!scale) return;
  for (const [name, root] of [
    ["specReplicasPath", ".spec."],
    ["statusReplicasPath", ".status."],
  ] as const) {
    const path = scale[name] ?? "";
    if (path === "") field.child(name).required();
    else if (!path.startsWith(root)) {
      field.child(name).invalid(path, `should be a json path under ${root.slice(0, -1)}`);
    }
  }
}

function checkNames(field: Field, spec: Spec): void {
  const names = spec.names ?? {};
  for (const name of ["plural", "singular"] as const) {
    const value = names[name] ?? "";
    if (value === "" && name === "plural") field.child(name).required();
    else if (value !== "") field.child(name).invalidAll(value, dns1035LabelProblems(value));
  }
  for (const name of ["kind", "listKind"] as const) {
    const value = names[name] ?? "";
    if (value === "") field.child(name).required();
    else field.child(name).invalidAll(value, dns1035LabelProblems(value.toLowerCase()));
  }
  if (names.kind && names.kind === names.listKind) {
    field.child("listKind").invalid(names.listKind, "kind and listKind may not be the same");
  }
  for (const list of ["shortNames", "categories"] as const) {
    for (const [index, value] of itemsOf(names[list]).entries()) {
      field.child(list).index(index).invalidAll(value, dns1035LabelProblems(value));
    }
  }
}

/** The paths are those of upstream's internal type, whose fields lie otherwise than those of `v1`. */
function checkConversion(
  field: Field,
  spec: Spec,
  { anyReviewVersion }: ConversionTolerance,
): void {
  const { strategy, webhook } = spec.conversion ?? {};
  checkOneOf(field.child("strategy"), strategy, ["None", "Webhook"]);
  const client = field.child("webhookClientConfig");
  const at = field.child("conversionReviewVersions");
  const versions = itemsOf(webhook?.conversionReviewVersions);
  if (strategy !== "Webhook") {
    const rule = "should not be set when strategy is not set to Webhook";
    if (webhook?.clientConfig) client.forbidden(rule);
    if (versions.length > 0) at.forbidden(rule);
    return;
  }
  if (!webhook?.clientConfig) client.required("required when strategy is set to Webhook");
  else checkWebhookClient(client, webhook.clientConfig);
  checkReviewVersions(at, versions, ["v1", "v1beta1"], anyReviewVersion);
}

interface ConversionTolerance {
  readonly anyReviewVersion: boolean;
}

function toleranceOf(old: Spec | null | undefined): ConversionTolerance {
  const versions = itemsOf(old?.conversion?.webhook?.conversionReviewVersions);
  const known = versions.some((version) => version === "v1" || version === "v1beta1");
  return { anyReviewVersion: versions.length > 0 && !known };
}
