import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from "#api/generated/types.ts";

type Labels = Readonly<Record<string, string>>;

/** Whether the node has what the pod's `nodeSelector` and required node affinity ask for. */
export function matchesRequired(pod: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  const wanted = Object.entries(pod.spec?.nodeSelector ?? {});
  if (wanted.some(([key, value]) => labels[key] !== value)) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return (
    required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node))
  );
}

/** A term without conditions takes no node. */
export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  const fields: Labels = { "metadata.name": node.metadata.name ?? "" };
  return (
    matchExpressions.every((requirement) => holds(requirement, labels)) &&
    matchFields.every((requirement) => holds(requirement, fields))
  );
}

/** The nodes that the required terms name by field, when all terms do: a daemon's pod needs no search. */
export function namedNodes(pod: Pod): ReadonlySet<string> | undefined {
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return undefined;
  const names = new Set<string>();
  for (const { matchFields = [] } of required.nodeSelectorTerms) {
    const named = matchFields.find(
      ({ key, operator }) => key === "metadata.name" && operator === "In",
    );
    if (named === undefined) return undefined;
    for (const name of named.values ?? []) names.add(name);
  }
  return names;
}

function holds({ key, operator, values = [] }: NodeSelectorRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return compare(value, values[0]) > 0;
    case "Lt":
      return compare(value, values[0]) < 0;
    default:
      return false;
  }
}

/** NaN, which is neither more nor less, when one is no integer of 64 bits. */
function compare(value: string | undefined, bound: string | undefined): number {
  const [one, other] = [integerOf(value), integerOf(bound)];
  if (one === undefined || other === undefined) return Number.NaN;
  return one < other ? -1 : Number(one > other);
}

/** What upstream's `strconv.ParseInt` takes. */
function integerOf(text: string | undefined): bigint | undefined {
  const [, sign, digits] = /^([+-]?)0*(\d{1,19})$/.exec(text ?? "") ?? [];
  if (digits === undefined) return undefined;
  const integer = sign === "-" ? -BigInt(digits) : BigInt(digits);
  return BigInt.asIntN(64, integer) === integer ? integer : undefined;
}
