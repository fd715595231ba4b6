import type { APIService } from "#api/generated/types.ts";
import { dns1035LabelProblems, dns1123SubdomainProblems } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkRequired } from "#api/validation/checks.ts";
import { rangeProblems } from "#api/validation/formats.ts";
import { objectIn } from "#api/validation/given.ts";

export const apiServiceStrategy = strategyFor<APIService>({
  hasGeneration: false,
  nameRule: "pathSegment",
  unconditionalUpdate: false,
  fillDefaults(apiService) {
    const { service } = objectIn(apiService, "spec");
    if (service) service.port ??= 443;
  },
  /** What the server itself serves is available from the first moment. */
  prepareForCreate(apiService) {
    const { spec, metadata } = apiService;
    const local = {
      type: "Available",
      status: "True",
      ...(metadata?.creationTimestamp && { lastTransitionTime: metadata.creationTimestamp }),
      reason: "Local",
      message: "Local APIServices are always available",
    };
    apiService.status = spec?.service ? {} : { conditions: [local] };
  },
  validate(root, apiService) {
    const field = root.child("spec");
    const spec = apiService.spec ?? {};
    const group = spec.group ?? "";
    const version = spec.version ?? "";
    const name = apiService.metadata?.name ?? "";
    if (name !== `${version}.${group}`) {
      const rule = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(`${version}.${group}`)}`;
      root.child("metadata", "name").invalid(name, rule);
    }
    if (group !== "") field.child("group").invalidAll(group, dns1123SubdomainProblems(group));
    else if (version !== "v1") {
      field.child("group").required("only v1 may have an empty group and it better be legacy kube");
    }
    field.child("version").invalidAll(version, dns1035LabelProblems(version));
    const { groupPriorityMinimum = 0, versionPriority = 0, service } = spec;
    const minimum = field.child("groupPriorityMinimum");
    minimum.invalidAll(groupPriorityMinimum, priorityProblems(groupPriorityMinimum, 20_000));
    const priority = field.child("versionPriority");
    priority.invalidAll(versionPriority, priorityProblems(versionPriority, 1000));
    if (service) {
      checkRequired(field.child("service", "namespace"), service.namespace);
      checkRequired(field.child("service", "name"), service.name);
      const port = service.port ?? 443;
      field.child("service", "port").invalidAll(port, rangeProblems(port, 1, 65_535));
      if (spec.insecureSkipTLSVerify && spec.caBundle) {
        const rule = "may not be true if caBundle is present";
        field.child("insecureSkipTLSVerify").invalid(true, rule);
      }
    } else if (spec.caBundle) {
      field
        .child("caBundle")
        .invalid(`${spec.caBundle.length} bytes`, "local APIServices may not have a caBundle");
    } else if (spec.insecureSkipTLSVerify) {
      const rule = "local APIServices may not have insecureSkipTLSVerify";
      field.child("insecureSkipTLSVerify").invalid(true, rule);
    }
  },
});

function priorityProblems(value: number | null, max: number): readonly string[] {
  const priority = value ?? 0;
  return priority > 0 && priority <= max ? [] : [`must be positive and less than ${max}`];
}
