import type { LimitRangeItem } from "#api/generated/types.ts";
import {
  compareQuantities,
  formatQuantity,
  quantityMilliValue,
  quantityValue,
  type Quantity,
} from "#api/quantity.ts";
import { readAmounts, type Amounts } from "#api/quota/amounts.ts";

export interface Measured {
  readonly requests: Amounts;
  readonly limits: Amounts;
  /** Claims have no limits: a maximum is one of the request. */
  readonly onlyRequests?: boolean;
}

/** How amounts break an item's minimum, maximum and ratio, in upstream's words. */
export function constraintProblems(item: LimitRangeItem, measured: Measured): readonly string[] {
  const check = (
    bounds: object | undefined,
    problemOf: (bound: Bound, measured: Measured) => string | undefined,
  ): readonly string[] =>
    [...readAmounts(bounds)]
      .map(([name, enforced]) => problemOf({ type: item.type, name, enforced }, measured))
      .filter((problem) => problem !== undefined);
  return [
    ...check(item.min, minimumProblem),
    ...check(item.max, measured.onlyRequests ? maximumRequestProblem : maximumProblem),
    ...(measured.onlyRequests ? [] : check(item.maxLimitRequestRatio, ratioProblem)),
  ];
}

interface Bound {
  readonly type: string;
  readonly name: string;
  readonly enforced: Quantity;
}

function minimumProblem(bound: Bound, { requests, limits }: Measured): string | undefined {
  const [request, limit] = [requests.get(bound.name), limits.get(bound.name)];
  const text = usage("minimum", bound);
  if (request === undefined) return `${text}.  No request is specified`;
  if (compareQuantities(request, bound.enforced) < 0)
    return `${text}, but request is ${formatQuantity(request)}`;
  if (limit === undefined || compareQuantities(limit, bound.enforced) >= 0) return undefined;
  return `${text}, but limit is ${formatQuantity(limit)}`;
}

function maximumProblem(bound: Bound, { requests, limits }: Measured): string | undefined {
  const [request, limit] = [requests.get(bound.name), limits.get(bound.name)];
  const text = usage("maximum", bound);
  if (limit === undefined) return `${text}.  No limit is specified`;
  if (compareQuantities(limit, bound.enforced) > 0)
    return `${text}, but limit is ${formatQuantity(limit)}`;
  if (request === undefined || compareQuantities(request, bound.enforced) <= 0) return undefined;
  return `${text}, but request is ${formatQuantity(request)}`;
}

function maximumRequestProblem(bound: Bound, { requests }: Measured): string | undefined {
  const request = requests.get(bound.name);
  const text = usage("maximum", bound);
  if (request === undefined) return `${text}.  No request is specified`;
  if (compareQuantities(request, bound.enforced) <= 0) return undefined;
  return `${text}, but request is ${formatQuantity(request)}`;
}

function usage(which: string, { type, name, enforced }: Bound): string {
  return `${which} ${name} usage per ${type} is ${formatQuantity(enforced)}`;
}

function ratioProblem(bound: Bound, { requests, limits }: Measured): string | undefined {
  const { type, name, enforced } = bound;
  const [request, limit] = [requests.get(name), limits.get(name)];
  const text = `${name} max limit to request ratio per ${type} is ${formatQuantity(enforced)}`;
  if (request === undefined || request.nano === 0n)
    return `${text}, but no request is specified or request is 0`;
  if (limit === undefined || limit.nano === 0n)
    return `${text}, but no limit is specified or limit is 0`;
  const ratio = ratioOf(limit, request);
  if (ratio * 1_000 <= Number(quantityMilliValue(enforced))) return undefined;
  return `${text}, but provided ratio is ${ratio.toFixed(6)}`;
}

/** In thousandths where these still fit 64 bits, as upstream. */
function ratioOf(limit: Quantity, request: Quantity): number {
  const small = [limit, request].every((one) => quantityValue(one) <= milliMax);
  const of = small ? quantityMilliValue : quantityValue;
  return Number(of(limit)) / Number(of(request));
}

const milliMax = (2n ** 63n - 1n) / 1_000n;
