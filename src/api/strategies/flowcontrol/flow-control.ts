import type {
  FlowSchema,
  LimitedPriorityLevelConfiguration,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from "#api/generated/types.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import { mandatorySpec } from "#api/strategies/flowcontrol/default-objects.ts";
import { checkFlowRule } from "#api/strategies/flowcontrol/flow-schema-rules.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOf } from "#api/validation/checks.ts";
import { sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf, objectIn, setWhereZero } from "#api/validation/given.ts";

const precedenceMax = 10_000;
const queuesMax = 10_000_000;
/** Of the hash that deals a flow its queues. */
const hashBitsMax = 60;

export const flowSchemaStrategy = strategyFor<FlowSchema>({
  fillDefaults: (schema) => setWhereZero(objectIn(schema, "spec"), { matchingPrecedence: 1000 }),
  validate(root, { spec: given, metadata }) {
    const field = root.child("spec");
    const spec = given ?? {};
    const name = metadata?.name ?? "";
    checkPrecedence(field.child("matchingPrecedence"), spec.matchingPrecedence ?? 0, name);
    if (spec.distinguisherMethod) {
      checkOneOf(field.child("distinguisherMethod", "type"), spec.distinguisherMethod.type, [
        "ByNamespace",
        "ByUser",
      ]);
    }
    const level = spec.priorityLevelConfiguration?.name;
    const at = field.child("priorityLevelConfiguration", "name");
    if (level) at.invalidAll(level, dns1123SubdomainProblems(level));
    else at.required("must reference a priority level");
    for (const [index, rule] of itemsOf(spec.rules).entries()) {
      checkFlowRule(field.child("rules").index(index), rule);
    }
    const mandatory = mandatorySpec("FlowSchema", name);
    if (mandatory !== undefined && !sameMeaning(spec, mandatory)) {
      field.invalid(spec, `spec of '${name}' must equal the fixed value`);
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
    const name = level.metadata?.name ?? "";
    const type = spec.type ?? "";
    if ((name === "exempt") !== (type === "Exempt")) {
      field.child("type").invalid(type, "must be 'Exempt' if and only if `name` is 'exempt'");
    }
    if (type === "Exempt") {
      if (spec.limited) {
        field.child("limited").forbidden("must be nil if the type is not Limited");
      }
      if (spec.exempt) checkShares(field.child("exempt"), spec.exempt);
    } else if (type === "Limited") {
      if (spec.exempt) field.child("exempt").forbidden("must be nil if the type is Limited");
      if (spec.limited) checkLimited(field.child("limited"), spec.limited);
      else field.child("limited").required("must not be empty when type is Limited");
    } else field.child("type").notSupported(type, ["Exempt", "Limited"]);
    checkMandatory(field, level);
  },
});

function checkPrecedence(field: Field, precedence: number, name: string): void {
  if (precedence <= 0) field.invalid(precedence, "must be a positive value");
  if (precedence > precedenceMax) {
    field.invalid(precedence, `must not be greater than ${precedenceMax}`);
  }
  if (precedence === 1 && name !== "exempt") {
    field.invalid(precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
  }
}

/** The exempt level's own part may be changed; all else of the mandatory ones is fixed. */
function checkMandatory(field: Field, level: Given<PriorityLevelConfiguration>): void {
  const name = level.metadata?.name ?? "";
  const mandatory = mandatorySpec("PriorityLevelConfiguration", name);
  if (mandatory === undefined) return;
  const spec = level.spec ?? {};
  if (name === "exempt") {
    if (sameMeaning({ ...spec, exempt: mandatory.exempt }, mandatory)) return;
    const rule = `spec of '${name}' except the 'spec.exempt' field must equal the fixed value`;
    field.invalid(spec, rule);
  } else if (!sameMeaning(spec, mandatory)) {
    field.invalid(spec, `spec of '${name}' must equal the fixed value`);
  }
}

interface Shares {
  readonly nominalConcurrencyShares?: number | null;
  readonly lendablePercent?: number | null;
}

function checkShares(field: Field, { nominalConcurrencyShares, lendablePercent }: Shares): void {
  const shares = nominalConcurrencyShares ?? 0;
  if (shares < 0) {
    field.child("nominalConcurrencyShares").invalid(shares, "must be a non-negative integer");
  }
  const percent = lendablePercent ?? 0;
  if (percent < 0 || percent > 100) {
    field.child("lendablePercent").invalid(percent, "must be between 0 and 100, inclusive");
  }
}

function checkLimited(field: Field, limited: Given<LimitedPriorityLevelConfiguration>): void {
  checkShares(field, limited);
  const borrowing = limited.borrowingLimitPercent ?? 0;
  if (borrowing < 0) {
    const rule = "if specified, must be a non-negative integer";
    field.child("borrowingLimitPercent").invalid(borrowing, rule);
  }
  const { type, queuing } = limited.limitResponse ?? {};
  const at = field.child("limitResponse");
  if (type === "Reject") {
    const rule = "must be nil if limited.limitResponse.type is not Limited";
    if (queuing) at.child("queuing").forbidden(rule);
  } else if (type === "Queue") {
    const rule = "must not be empty if limited.limitResponse.type is Limited";
    if (queuing) checkQueuing(at.child("queuing"), queuing);
    else at.child("queuing").required(rule);
  } else at.child("type").notSupported(type ?? "", ["Queue", "Reject"]);
}

function checkQueuing(field: Field, queuing: Given<QueuingConfiguration>): void {
  const { queueLengthLimit, queues: given, handSize: hand } = queuing;
  const [queues, handSize] = [given ?? 0, hand ?? 0];
  if ((queueLengthLimit ?? 0) <= 0) {
    field.child("queueLengthLimit").invalid(queueLengthLimit ?? 0, "must be positive");
  }
  if (queues <= 0) field.child("queues").invalid(queues, "must be positive");
  else if (queues > queuesMax) {
    field.child("queues").invalid(queues, `must not be greater than ${queuesMax}`);
  }
  const at = field.child("handSize");
  const bits = entropyBits(queues, handSize);
  if (handSize <= 0) at.invalid(handSize, "must be positive");
  else if (handSize > queues) {
    at.invalid(handSize, `should not be greater than queues (${queues})`);
  } else if (bits > hashBitsMax) {
    const rule = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${hashBitsMax}`;
    at.invalid(handSize, rule);
  }
}

/** How many bits it takes to name one of the hands that can be dealt. */
function entropyBits(deck: number, hand: number): number {
  let bits = 0;
  for (let card = 0; card < Math.min(hand, deck); card += 1) bits += Math.log2(deck - card);
  return Math.ceil(bits);
}
