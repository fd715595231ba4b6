import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  AllocationResult,
  Device,
  DeviceClaim,
  DeviceRequest,
  ResourceSliceSpec,
} from "#api/generated/types.ts";
import { seededRandom } from "#base/random.ts";
import { driver, node, outcomeOf, type Given } from "#scheduler/devices/testing.ts";

/** Small clusters by chance: few devices of two colours on a card with little memory, some of them shareable. */
function inputFrom(seed: number): Given {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const devices = Array.from({ length: 1 + below(5) }, (_, index): Device => {
    const isShareable = below(5) === 0;
    return {
      name: `d${index}`,
      attributes: { colour: { string: below(2) === 0 ? "red" : "blue" }, place: { int: below(3) } },
      ...(below(4) === 0 && { taints: [{ key: "sick", effect: "NoSchedule" }] }),
      ...(isShareable && { allowMultipleAllocations: true, capacity: { share: { value: "2" } } }),
      ...(!isShareable &&
        below(2) === 0 && {
          consumesCounters: [
            { counterSet: "card", counters: { memory: { value: String(1 + below(3)) } } },
          ],
        }),
    };
  });
  const wish = () => ({
    deviceClassName: "gpu",
    ...(below(6) === 0 ? { allocationMode: "All" } : { count: 1 + below(2) }),
    ...(below(2) === 0 && {
      selectors: [{ cel: { expression: `device.attributes["${driver}"].colour == "red"` } }],
    }),
    ...(below(3) === 0 && { tolerations: [{ operator: "Exists" }] }),
  });
  const request = (index: number): DeviceRequest =>
    below(3) === 0
      ? {
          name: `r${index}`,
          firstAvailable: [
            { name: "x", ...wish() },
            { name: "y", ...wish() },
          ],
        }
      : { name: `r${index}`, exactly: { ...wish(), ...(below(6) === 0 && { adminAccess: true }) } };
  const claim = (): DeviceClaim => {
    const requests = Array.from({ length: 1 + below(2) }, (_, index) => request(index));
    const attribute = below(2) === 0 ? `${driver}/colour` : `${driver}/place`;
    const rule = below(2) === 0 ? { matchAttribute: attribute } : { distinctAttribute: attribute };
    const only = below(2) === 0 ? { requests: ["r0"] } : {};
    return { requests, ...(below(2) === 0 && { constraints: [{ ...rule, ...only }] }) };
  };
  const pool = { name: "pool", generation: 1, resourceSliceCount: 2 };
  return {
    slices: [
      { devices, pool },
      { sharedCounters: [{ name: "card", counters: { memory: { value: "4" } } }], pool },
    ],
    claims: Array.from({ length: 1 + below(2) }, claim),
    used: devices
      .filter(() => below(5) === 0)
      .map(({ name, allowMultipleAllocations }) => ({
        request: "r",
        driver,
        pool: "pool",
        device: name,
        ...(allowMultipleAllocations && { shareID: "s", consumedCapacity: { share: "1" } }),
      })),
  };
}

interface Pick {
  readonly claim: number;
  readonly request: string;
  readonly alternative: string;
  readonly devices: readonly Device[];
}

type Asked = NonNullable<DeviceRequest["exactly"]>;

function devicesIn(given: Given): readonly Device[] {
  return given.slices.flatMap(({ devices = [] }) => devices);
}

function isMeant({ selectors = [] }: Asked, device: Device): boolean {
  return selectors.length === 0 || device.attributes?.["colour"]?.string === "red";
}

function subsets(devices: readonly Device[], size: number): readonly (readonly Device[])[] {
  if (size === 0) return [[]];
  return devices.flatMap((device, index) =>
    subsets(devices.slice(index + 1), size - 1).map((rest) => [device, ...rest]),
  );
}

/** Everything that could be answered, sensible or not. */
function* everyAnswer(given: Given, claim = 0, request = 0): Generator<readonly Pick[]> {
  const one = given.claims[claim];
  if (one === undefined) return yield [];
  const wanted = one.requests?.[request];
  if (wanted === undefined) return yield* everyAnswer(given, claim + 1);
  const alternatives: readonly (Asked & { name?: string })[] = wanted.exactly
    ? [wanted.exactly]
    : (wanted.firstAvailable ?? []);
  for (const asked of alternatives) {
    const meant = devicesIn(given).filter((device) => isMeant(asked, device));
    const count = asked.allocationMode === "All" ? meant.length : (asked.count ?? 1);
    if (count === 0) continue;
    for (const devices of subsets(meant, count)) {
      const pick = { claim, request: wanted.name, alternative: asked.name ?? "", devices };
      for (const rest of everyAnswer(given, claim, request + 1)) yield [pick, ...rest];
    }
  }
}

/** The rules, one by one, asked of a whole answer. */
function keepsTheRules(given: Given, picks: readonly Pick[]): boolean {
  const asked = ({ claim, request, alternative }: Pick): Asked => {
    const found = given.claims[claim]?.requests?.find(({ name }) => name === request);
    const other = found?.firstAvailable?.find(({ name }) => name === alternative);
    return found?.exactly ?? other ?? { deviceClassName: "" };
  };
  const taken = picks.filter((pick) => !asked(pick).adminAccess).flatMap((pick) => pick.devices);
  const usedNames = (given.used ?? []).map(({ device }) => device);
  const isDedicated = (device: Device) => !device.allowMultipleAllocations;
  const timesTaken = (device: Device) => taken.filter((other) => other === device).length;
  for (const device of devicesIn(given)) {
    const times = timesTaken(device);
    const others = usedNames.includes(device.name) ? 1 : 0;
    if (isDedicated(device) && times > 0 && times + others > 1) return false;
    // A part of it is all that there is of it unless a request says less; others have one of two.
    if (!isDedicated(device) && times > 0 && 2 * times + others > 2) return false;
  }
  const consumed = devicesIn(given)
    .filter((device) => usedNames.includes(device.name) || timesTaken(device) > 0)
    .map((device) => Number(device.consumesCounters?.[0]?.counters["memory"]?.value ?? 0));
  const memory = consumed.reduce((sum, amount) => sum + amount, 0);
  const needsMemory = taken.some((device) => device.consumesCounters);
  if (needsMemory && memory > 4) return false;
  for (const pick of picks) {
    const tolerates = Boolean(asked(pick).tolerations);
    if (!tolerates && pick.devices.some(({ taints }) => taints)) return false;
  }
  return given.claims.every(({ constraints = [] }, claim) => {
    const ofClaim = picks.filter((pick) => pick.claim === claim);
    const dedicated = ofClaim.flatMap(({ devices }) => devices).filter(isDedicated);
    if (new Set(dedicated).size !== dedicated.length) return false;
    return constraints.every(({ requests, matchAttribute, distinctAttribute }) => {
      const name = (matchAttribute ?? distinctAttribute ?? "").split("/")[1] ?? "";
      const values = ofClaim
        .filter(({ request }) => requests === undefined || requests.includes(request))
        .flatMap(({ devices }) => devices.map((one) => JSON.stringify(one.attributes?.[name])));
      const different = new Set(values).size;
      return matchAttribute ? different <= 1 : different === values.length;
    });
  });
}

function picksOf(given: Given, allocations: readonly AllocationResult[]): readonly Pick[] {
  return allocations.flatMap(({ devices }, claim) => {
    const results = devices?.results ?? [];
    return [...new Set(results.map(({ request }) => request))].map((name) => {
      const [request = "", alternative = ""] = name.split("/");
      const names = results.filter((result) => result.request === name).map((one) => one.device);
      const chosen = names.flatMap((one) =>
        devicesIn(given).filter((device) => device.name === one),
      );
      return { claim, request, alternative, devices: chosen };
    });
  });
}

test("allocate() finds an allocation exactly when there is one, and it keeps all rules", () => {
  const found = { some: 0, none: 0 };
  for (let seed = 1; seed <= 1_500; seed++) {
    const given = inputFrom(seed);
    const outcome = outcomeOf(given);
    if (typeof outcome === "string") {
      found.none++;
      const missed = everyAnswer(given).find((picks) => keepsTheRules(given, picks));
      assert.equal(missed, undefined, `seed ${seed}: an allocation was missed`);
    } else {
      found.some++;
      const picks = picksOf(given, outcome);
      assert.ok(keepsTheRules(given, picks), `seed ${seed}: the allocation breaks a rule`);
    }
  }
  assert.ok(found.some > 200 && found.none > 200, JSON.stringify(found));
});

test("allocate() gives no device away twice however claims come and go", () => {
  const random = seededRandom(7);
  const slices: Partial<ResourceSliceSpec>[] = ["a", "b"].map((nodeName) => ({
    nodeName,
    pool: { name: nodeName, generation: 1, resourceSliceCount: 1 },
    devices: Array.from({ length: 4 }, (_, index) => ({ name: `d${index}` })),
  }));
  const held: AllocationResult[] = [];
  for (let step = 0; step < 400; step++) {
    if (random() < 0.4) held.splice(Math.floor(random() * held.length), 1);
    const count = 1 + Math.floor(random() * 2);
    const used = held.flatMap(({ devices }) => devices?.results ?? []);
    const outcome = outcomeOf({
      slices,
      claims: [{ requests: [{ name: "r", exactly: { deviceClassName: "gpu", count } }] }],
      used,
      on: node(random() < 0.5 ? "a" : "b"),
    });
    if (typeof outcome !== "string") held.push(...outcome);
    const ids = held.flatMap(({ devices }) =>
      (devices?.results ?? []).map(({ pool, device }) => `${pool}/${device}`),
    );
    assert.equal(new Set(ids).size, ids.length, `step ${step}`);
  }
});
