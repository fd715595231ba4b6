import type {
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceRequestAllocationResult,
  NodeSelector,
  NodeSelectorRequirement,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { capacityTexts, type Choice } from "#scheduler/devices/ledger.ts";
import type { Wish } from "#scheduler/devices/wishes.ts";

export interface ChosenDevices {
  readonly claim: ResourceClaim;
  readonly requests: readonly (readonly Wish[])[];
  readonly choices: readonly Choice[];
}

/** What the status of a claim says of the devices that were chosen for it. */
export function allocationFor(
  chosen: ChosenDevices,
  at: { readonly nodeName: string; readonly newShareId: () => string },
): AllocationResult {
  const config = [...configsOfClasses(chosen), ...configsOfClaim(chosen)];
  const nodeSelector = nodeSelectorFor(chosen.choices, at.nodeName);
  return {
    devices: {
      results: chosen.choices.map((choice) => resultOf(choice, at.newShareId)),
      ...(config.length > 0 && { config }),
    },
    ...(nodeSelector && { nodeSelector }),
  };
}

function resultOf(
  { wish, device, consumed }: Choice,
  newShareId: () => string,
): DeviceRequestAllocationResult {
  const { bindingConditions, bindingFailureConditions, name } = device.device;
  return {
    request: wish.name,
    driver: device.driver,
    pool: device.pool,
    device: name,
    ...(wish.adminAccess && { adminAccess: true }),
    ...(wish.tolerations?.length && { tolerations: wish.tolerations }),
    ...(bindingConditions?.length && { bindingConditions }),
    ...(bindingFailureConditions?.length && { bindingFailureConditions }),
    ...(consumed && { shareID: newShareId() }),
    ...(consumed && consumed.size > 0 && { consumedCapacity: capacityTexts(consumed) }),
  };
}

/** Of every class once, for all requests that it serves. */
function configsOfClasses({
  requests,
  choices,
}: ChosenDevices): readonly DeviceAllocationConfiguration[] {
  const served = new Map<string, { wish: Wish; names: string[] }>();
  for (const wish of requests.flatMap((wishes) => chosenOf(wishes, choices))) {
    const known = served.get(wish.className);
    if (known) known.names.push(wish.name);
    else served.set(wish.className, { wish, names: [wish.name] });
  }
  return [...served.values()].flatMap(({ wish, names }) =>
    (wish.class.spec.config ?? []).map(({ opaque }) => ({
      source: "FromClass",
      requests: names,
      ...(opaque && { opaque }),
    })),
  );
}

function configsOfClaim({
  claim,
  requests,
  choices,
}: ChosenDevices): readonly DeviceAllocationConfiguration[] {
  const names = requests
    .flatMap((wishes) => chosenOf(wishes, choices))
    .flatMap(({ name, request }) => [name, request]);
  return (claim.spec?.devices?.config ?? [])
    .filter(
      ({ requests: only = [] }) => only.length === 0 || only.some((one) => names.includes(one)),
    )
    .map((config) => ({ source: "FromClaim", ...config }));
}

/** The alternative that was taken. */
function chosenOf(wishes: readonly Wish[], choices: readonly Choice[]): readonly Wish[] {
  const taken = wishes.find((wish) => choices.some((choice) => choice.wish === wish));
  return taken ? [taken] : [];
}

/** Where the devices can be used; undefined: everywhere. */
function nodeSelectorFor(choices: readonly Choice[], nodeName: string): NodeSelector | undefined {
  const matchFields: NodeSelectorRequirement[] = [];
  const matchExpressions: NodeSelectorRequirement[] = [];
  for (const { device: published } of choices) {
    const { device, slice } = published;
    const place = slice.spec.perDeviceNodeSelection ? device : slice.spec;
    if (place.nodeName !== undefined || device.bindsToNode) return onlyAt(nodeName);
    const [term] = place.nodeSelector?.nodeSelectorTerms ?? [];
    addNew(matchFields, term?.matchFields);
    addNew(matchExpressions, term?.matchExpressions);
  }
  if (matchFields.length + matchExpressions.length === 0) return undefined;
  const term = {
    ...(matchExpressions.length > 0 && { matchExpressions }),
    ...(matchFields.length > 0 && { matchFields }),
  };
  return { nodeSelectorTerms: [term] };
}

function onlyAt(nodeName: string): NodeSelector {
  const requirement = { key: "metadata.name", operator: "In", values: [nodeName] };
  return { nodeSelectorTerms: [{ matchFields: [requirement] }] };
}

function addNew(
  into: NodeSelectorRequirement[],
  requirements: readonly NodeSelectorRequirement[] = [],
): void {
  const known = new Set(into.map(textOf));
  for (const one of requirements) if (!known.has(textOf(one))) into.push(one);
}

function textOf({ key, operator, values = [] }: NodeSelectorRequirement): string {
  return JSON.stringify([key, operator, values.toSorted()]);
}
