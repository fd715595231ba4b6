import type { Device } from "#api/generated/types.ts";
import { compileExpression, evaluate, type Program } from "#api/cel/compile-expression.ts";
import type { Environment } from "#api/cel/environment.ts";
import { kubernetesEnvironment } from "#api/cel/library/kubernetes.ts";
import { quantityType } from "#api/cel/library/opaque.ts";
import { quantityValueOf } from "#api/cel/library/quantities.ts";
import { semverOf } from "#api/cel/library/versions.ts";
import { bindingMacros } from "#api/cel/syntax/macros.ts";
import {
  boolType,
  dynType,
  formatType,
  isDynamic,
  isSameType,
  mapOf,
  stringType,
  structType,
  type Type,
} from "#api/cel/type.ts";
import { EvaluationError, type Value } from "#api/cel/value.ts";

/** What one selector may cost, as written and as run; upstream's. */
export const selectorCostMax = 1_000_000;

/** An expression that says which devices are meant: `device.attributes["example.com"].model == "x"`. */
export interface DeviceSelector {
  /** What it can cost at most. */
  readonly costMax: number;
  /** Whether the driver's device is meant. Throws `EvaluationError` or `CostExceededError`. */
  readonly matches: (device: Device, driver: string) => boolean;
}

export type CompiledSelector =
  | { readonly selector: DeviceSelector; readonly error?: undefined }
  /** Upstream's text. */
  | { readonly selector?: undefined; readonly error: string };

export function compileDeviceSelector(expression: string): CompiledSelector {
  environment ??= { ...kubernetesEnvironment(variables), macros: bindingMacros };
  const { program, errors } = compileExpression(expression, environment);
  if (program === undefined) return { error: `compilation failed: ${errors}` };
  if (!isSameType(program.type, boolType) && !isDynamic(program.type)) {
    const type = formatType(program.type);
    return { error: `must evaluate to bool or the unknown type, not ${type}` };
  }
  return { selector: selectorOf(program) };
}

function selectorOf(program: Program): DeviceSelector {
  return {
    costMax: program.estimate(variables).max,
    matches(device, driver) {
      const outcome = evaluate(program, { device: valueOf(device, driver) }, selectorCostMax);
      if (!outcome.ok) throw outcome.error;
      if (typeof outcome.value === "boolean") return outcome.value;
      throw new EvaluationError("CEL result is no bool");
    },
  };
}

/** Upstream's limits of a name's two parts, and how many a device may have. */
const domainType: Type = { ...stringType, sizeMax: 63 };
const idType: Type = { ...stringType, sizeMax: 32 };
const namesMax = 32;
const attributeType: Type = { ...dynType, sizeMax: 64 };

const fields: ReadonlyMap<string, Type> = new Map([
  ["driver", { ...stringType, sizeMax: 63 }],
  ["allowMultipleAllocations", boolType],
  ["attributes", mapOf(domainType, mapOf(idType, attributeType, namesMax), namesMax)],
  ["capacity", mapOf(domainType, mapOf(idType, quantityType, namesMax), namesMax)],
]);

const variables: ReadonlyMap<string, Type> = new Map([
  ["device", structType("kubernetes.DRADevice", { fieldOf: (name) => fields.get(name) })],
]);

let environment: Environment | undefined;

type Fields = Record<string, Value>;

function valueOf(device: Device, driver: string): Fields {
  return {
    driver,
    allowMultipleAllocations: device.allowMultipleAllocations ?? false,
    attributes: byDomain(device.attributes, driver, attributeValue),
    capacity: byDomain(device.capacity, driver, ({ value }) => quantityValueOf(value)),
  };
}

/** Names without a domain are the driver's. */
function byDomain<T>(
  named: Readonly<Record<string, T>> | undefined,
  driver: string,
  read: (one: T, name: string) => Value,
): Fields {
  const domains: Record<string, Fields> = {};
  for (const [name, one] of Object.entries(named ?? {})) {
    const slash = name.indexOf("/");
    const domain = slash < 0 ? driver : name.slice(0, slash);
    const inner = Object.hasOwn(domains, domain) ? domains[domain] : undefined;
    const into = inner ?? {};
    into[name.slice(slash + 1)] = read(one, name);
    domains[domain] = into;
  }
  return withEveryDomain(domains);
}

/** A domain that a device says nothing of is there and empty, so that `has()` of its names is false and no error. */
function withEveryDomain(domains: Fields): Fields {
  return new Proxy(domains, {
    get: (target, name) => (Object.hasOwn(target, name) ? Reflect.get(target, name) : {}),
    getOwnPropertyDescriptor: (target, name) =>
      Reflect.getOwnPropertyDescriptor(target, name) ?? {
        value: {},
        configurable: true,
        enumerable: false,
      },
  });
}

type Attribute = NonNullable<Device["attributes"]>[string];

function attributeValue({ bool, int, string, version }: Attribute, name: string): Value {
  const value = int ?? bool ?? string;
  if (value !== undefined) return value;
  if (version !== undefined) return semverOf(version, false);
  throw new EvaluationError(`attribute ${name}: unsupported attribute value`);
}
