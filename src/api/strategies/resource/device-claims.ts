import type {
  DeviceClass,
  DeviceRequest,
  ExactDeviceRequest,
  ResourceClaimSpec,
  ResourceClaimTemplate,
  ResourceSlice,
  ResourceV1ResourceClaim,
} from "#api/generated/types.ts";
import { compileDeviceSelector, selectorCostMax } from "#api/cel/devices/device-selector.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import { checkNodeSelector } from "#api/strategies/core/pod/affinity.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import {
  checkFormat,
  checkLabelName,
  checkOneOf,
  checkRequired,
  checkSubdomainName,
  checkUnique,
  notPositive,
} from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Filling, type Given, itemsOf, setWhereUnset } from "#api/validation/given.ts";

const requestsMax = 32;
const alternativesMax = 8;
const selectorsMax = 32;
const devicesMax = 128;
const usersMax = 256;
const expressionMax = 10 * 1024;

export const resourceClaimStrategy = strategyFor<ResourceV1ResourceClaim>({
  hasGeneration: false,
  fillDefaults: (claim) => fillClaim(claim.spec),
  prepareForCreate(claim) {
    claim.status = {};
  },
  validate: (root, claim) => checkClaim(root.child("spec"), claim.spec ?? {}),
  validateUpdate: (root, claim, old) => checkImmutable(root.child("spec"), claim.spec, old.spec),
  validateStatusUpdate: (root, claim, old) => checkStatus(root.child("status"), claim, old),
});

export const resourceClaimTemplateStrategy = strategyFor<ResourceClaimTemplate>({
  hasGeneration: false,
  fillDefaults: (template) => fillClaim(template.spec?.spec),
  validate: (root, template) => checkClaim(root.child("spec", "spec"), template.spec?.spec ?? {}),
  validateUpdate: (root, template, old) =>
    checkImmutable(root.child("spec"), template.spec, old.spec),
});

export const deviceClassStrategy = strategyFor<DeviceClass>({
  hasGeneration: true,
  validate(root, deviceClass) {
    checkSelectors(root.child("spec", "selectors"), itemsOf(deviceClass.spec?.selectors));
  },
});

export const resourceSliceStrategy = strategyFor<ResourceSlice>({
  hasGeneration: true,
  validate(root, slice) {
    const field = root.child("spec");
    const spec = slice.spec ?? {};
    checkSubdomainName(field.child("driver"), spec.driver);
    checkRequired(field.child("pool", "name"), spec.pool?.name);
    const count = spec.pool?.resourceSliceCount ?? 0;
    if (count <= 0) field.child("pool", "resourceSliceCount").invalid(count, notPositive);
    const places = [spec.nodeName, spec.nodeSelector, spec.allNodes, spec.perDeviceNodeSelection];
    const set = places.filter(Boolean).length;
    const names = "`nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection`";
    if (set === 0) field.required(`exactly one of ${names} is required`);
    if (set > 1) field.invalid("", `exactly one of ${names} is required`);
    if (spec.nodeSelector) checkNodeSelector(field.child("nodeSelector"), spec.nodeSelector);
    const devices = itemsOf(spec.devices);
    if (devices.length > devicesMax) field.child("devices").tooMany(devices.length, devicesMax);
    for (const [index, device] of devices.entries()) {
      checkLabelName(field.child("devices").index(index).child("name"), device.name);
    }
    checkUnique(
      devices,
      (device) => device.name ?? "",
      (index, name) => field.child("devices").index(index).child("name").duplicate(name),
    );
  },
  validateUpdate(root, slice, old) {
    const field = root.child("spec");
    checkImmutable(field.child("driver"), slice.spec?.driver, old.spec?.driver);
    checkImmutable(field.child("pool", "name"), slice.spec?.pool?.name, old.spec?.pool?.name);
    checkImmutable(field.child("nodeName"), slice.spec?.nodeName, old.spec?.nodeName);
  },
  selectableFields: {
    "spec.nodeName": (slice) => slice.spec?.nodeName ?? "",
    "spec.driver": (slice) => slice.spec?.driver ?? "",
  },
});

function fillClaim(spec: Filling<ResourceClaimSpec> | null | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    for (const choice of [request?.exactly, ...(request?.firstAvailable ?? [])]) {
      if (!choice) continue;
      setWhereUnset(choice, { allocationMode: "ExactCount" });
      if (choice.allocationMode === "ExactCount" && !choice.count) choice.count = 1;
      for (const toleration of choice.tolerations ?? []) {
        if (toleration) setWhereUnset(toleration, { operator: "Equal" });
      }
    }
  }
}

function checkClaim(field: Field, spec: Given<ResourceClaimSpec>): void {
  const requests = itemsOf(spec.devices?.requests);
  const at = field.child("devices", "requests");
  if (requests.length > requestsMax) at.tooMany(requests.length, requestsMax);
  for (const [index, request] of requests.entries()) checkRequest(at.index(index), request);
  checkUnique(
    requests,
    (request) => request.name ?? "",
    (index, name) => at.index(index).child("name").duplicate(name),
  );
  const names = new Set(requests.map((request) => request.name));
  for (const [index, constraint] of itemsOf(spec.devices?.constraints).entries()) {
    for (const [nth, name] of itemsOf(constraint.requests).entries()) {
      if (names.has(name.split("/")[0])) continue;
      const rule =
        "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
      field
        .child("devices", "constraints")
        .index(index)
        .child("requests")
        .index(nth)
        .invalid(name, rule);
    }
  }
}

function checkRequest(field: Field, request: Given<DeviceRequest>): void {
  checkLabelName(field.child("name"), request.name);
  const alternatives = itemsOf(request.firstAvailable);
  if (request.exactly && alternatives.length > 0) {
    field.invalid("", "exactly one of `exactly` or `firstAvailable` is required");
  } else if (!request.exactly && alternatives.length === 0) {
    field.required("exactly one of `exactly` or `firstAvailable` is required");
  }
  if (request.exactly) checkExact(field.child("exactly"), request.exactly);
  const at = field.child("firstAvailable");
  if (alternatives.length > alternativesMax) at.tooMany(alternatives.length, alternativesMax);
  for (const [index, alternative] of alternatives.entries()) {
    checkLabelName(at.index(index).child("name"), alternative.name);
    checkExact(at.index(index), alternative);
  }
}

function checkExact(field: Field, exact: Given<ExactDeviceRequest>): void {
  checkFormat(field.child("deviceClassName"), exact.deviceClassName, dns1123SubdomainProblems);
  checkSelectors(field.child("selectors"), itemsOf(exact.selectors));
  checkOneOf(field.child("allocationMode"), exact.allocationMode, ["All", "ExactCount"]);
  const count = exact.count ?? 0;
  if (exact.allocationMode === "All" && count !== 0) {
    const rule = "must not be specified when allocationMode is 'All'";
    field.child("count").invalid(count, rule);
  } else if (exact.allocationMode === "ExactCount" && count <= 0) {
    field.child("count").invalid(count, notPositive);
  }
}

function checkSelectors(
  field: Field,
  selectors: readonly { readonly cel?: { readonly expression?: string | null } | null }[],
): void {
  if (selectors.length > selectorsMax) field.tooMany(selectors.length, selectorsMax);
  for (const [index, selector] of selectors.entries()) {
    const at = field.index(index).child("cel");
    if (!selector.cel) at.required();
    else checkExpression(at.child("expression"), selector.cel.expression ?? "");
  }
}

function checkExpression(field: Field, expression: string): void {
  checkRequired(field, expression);
  if (expression === "") return;
  if (expression.length > expressionMax) return field.tooLong(expressionMax);
  const { selector, error } = compileDeviceSelector(expression);
  if (selector === undefined) field.invalid(expression, error);
  else if (selector.costMax > selectorCostMax) {
    field.forbidden("too complex, exceeds cost limit");
  }
}

/** Devices once given stay the same until they are given back; only a claim that has some can have users. */
function checkStatus(
  field: Field,
  { status, metadata }: Given<ResourceV1ResourceClaim>,
  { status: before }: Given<ResourceV1ResourceClaim>,
): void {
  const users = itemsOf(status?.reservedFor);
  const at = field.child("reservedFor");
  if (users.length > usersMax) at.tooMany(users.length, usersMax);
  checkUnique(
    users,
    ({ uid }) => uid ?? "",
    (index, uid) => at.index(index).duplicate(uid),
  );
  for (const [index, { name, resource, uid }] of users.entries()) {
    checkRequired(at.index(index).child("resource"), resource);
    checkRequired(at.index(index).child("name"), name);
    checkRequired(at.index(index).child("uid"), uid);
  }
  if (users.length > 0 && !status?.allocation) {
    at.forbidden("may not be specified when `allocated` is not set");
  } else if (metadata?.deletionTimestamp) {
    const known = new Set(itemsOf(before?.reservedFor).map(({ uid }) => uid));
    if (users.some(({ uid }) => !known.has(uid))) {
      const when = "while `deallocationRequested` or `deletionTimestamp` are set";
      at.forbidden(`new entries may not be added ${when}`);
    }
  }
  if (before?.allocation && status?.allocation) {
    checkImmutable(field.child("allocation"), status.allocation, before.allocation);
  }
}
