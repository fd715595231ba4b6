import type {
  FlowSchema,
  LimitedPriorityLevelConfiguration,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
} from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkNonNegative, checkOneOf, checkRequired } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { rangeProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf, objectIn, setWhereZero } from "#api/validation/given.ts";

const precedenceMax = 10_000;
const queuesMax = 10_000_000;

export const flowSchemaStrategy = strategyFor<FlowSchema>({
  fillDefaults: (schema) => setWhereZero(objectIn(schema, "spec"), { matchingPrecedence: 1000 }),
  validate(root, schema) {
    const field = root.child("spec");
    const spec = schema.spec ?? {};
    const precedence = spec.matchingPrecedence ?? 0;
    const problems = rangeProblems(precedence, 1, precedenceMax);
    field.child("matchingPrecedence").invalidAll(precedence, problems);
    const level = spec.priorityLevelConfiguration?.name;
    checkRequired(field.child("priorityLevelConfiguration", "name"), level);
    if (spec.distinguisherMethod) {
      checkOneOf(field.child("distinguisherMethod", "type"), spec.distinguisherMethod.type, [
        "ByNamespace",
        "ByUser",
      ]);
    }
    for (const [index, rule] of itemsOf(spec.rules).entries()) {
      checkRule(field.child("rules").index(index), rule);
    }
  },
});

export const priorityLevelStrategy = strategyFor<PriorityLevelConfiguration>({
  fillDefaults(level) {
    const spec = objectIn(level, "spec");
    if (spec.type === "Exempt") {
      const exempt = objectIn(spec, "exempt");
      exempt.nominalConcurrencyShares ??= 0;
      exempt.lendablePercent ??= 0;
    }
    if (!spec.limited) return;
    spec.limited.nominalConcurrencyShares ??= 30;
    spec.limited.lendablePercent ??= 0;
    const response = spec.limited.limitResponse;
    if (response?.queuing) {
      setWhereZero(response.queuing, { queues: 64, handSize: 8, queueLengthLimit: 50 });
    }
  },
  validate(root, level) {
    const field = root.child("spec");
    const spec = level.spec ?? {};
    checkOneOf(field.child("type"), spec.type, ["Exempt", "Limited"]);
    if (spec.type === "Exempt" && spec.limited) {
      field.child("limited").forbidden("must be nil if the type is not Limited");
    }
    if (spec.type !== "Limited") return;
    if (spec.exempt) field.child("exempt").forbidden("must be nil if the type is Limited");
    if (spec.limited) checkLimited(field.child("limited"), spec.limited);
    else field.child("limited").required("must not be empty when type is Limited");
  },
});

function checkRule(field: Field, rule: Given<PolicyRulesWithSubjects>): void {
  const subjects = itemsOf(rule.subjects);
  if (subjects.length === 0)
    field.child("subjects").required("subjects must contain at least one value");
  for (const [index, subject] of subjects.entries()) {
    const at = field.child("subjects").index(index);
    checkOneOf(at.child("kind"), subject.kind, ["Group", "ServiceAccount", "User"]);
    const named = subject.user?.name ?? subject.group?.name ?? subject.serviceAccount?.name;
    if (!named) at.required("the subject of this kind must be specified");
  }
  const resources = itemsOf(rule.resourceRules);
  const urls = itemsOf(rule.nonResourceRules);
  if (resources.length === 0 && urls.length === 0) {
    field.required("at least one of resourceRules and nonResourceRules has to be non-empty");
  }
  for (const [index, resource] of resources.entries()) {
    const at = field.child("resourceRules").index(index);
    for (const name of ["verbs", "apiGroups", "resources"] as const) {
      if (itemsOf(resource[name]).length === 0) at.child(name).required();
    }
    if (itemsOf(resource.namespaces).length === 0 && !resource.clusterScope) {
      at.child("namespaces").required(
        "resource rules that are not cluster scoped must supply at least one namespace",
      );
    }
  }
  for (const [index, url] of urls.entries()) {
    const at = field.child("nonResourceRules").index(index);
    if (itemsOf(url.verbs).length === 0)
      at.child("verbs").required("verbs must contain at least one value");
    if (itemsOf(url.nonResourceURLs).length === 0) {
      at.child("nonResourceURLs").required("nonResourceURLs must contain at least one value");
    }
  }
}

function checkLimited(field: Field, limited: Given<LimitedPriorityLevelConfiguration>): void {
  checkNonNegative(field.child("nominalConcurrencyShares"), limited.nominalConcurrencyShares);
  const lendable = limited.lendablePercent ?? 0;
  field.child("lendablePercent").invalidAll(lendable, rangeProblems(lendable, 0, 100));
  checkNonNegative(field.child("borrowingLimitPercent"), limited.borrowingLimitPercent);
  const response = limited.limitResponse ?? {};
  const at = field.child("limitResponse");
  checkOneOf(at.child("type"), response.type, ["Queue", "Reject"]);
  const { queuing } = response;
  if (response.type === "Reject" && queuing) {
    at.child("queuing").forbidden("must be nil if limited.limitResponse.type is not Limited");
  }
  if (response.type !== "Queue") return;
  if (!queuing)
    return at.child("queuing").required("must not be empty if limitResponse.type is Queue");
  const { queues = 0, handSize = 0 } = queuing;
  if ((queues ?? 0) <= 0) at.child("queuing", "queues").invalid(queues, "must be positive");
  if ((queues ?? 0) > queuesMax) {
    at.child("queuing", "queues").invalid(queues, `must not be greater than ${queuesMax}`);
  }
  if ((handSize ?? 0) > (queues ?? 0)) {
    const rule = `should not be greater than queues (${queues ?? 0})`;
    at.child("queuing", "handSize").invalid(handSize, rule);
  }
}
