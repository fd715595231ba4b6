import type { Service } from "#api/generated/types.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

/** Fields of a service that are ignored or going, in upstream's words. */
export function serviceWarnings(service: Given<Service>): readonly string[] {
  const spec = service.spec ?? {};
  const hints = service.metadata?.annotations?.[hintsAnnotation];
  const external = itemsOf(spec.externalIPs).length > 0;
  const headless = itemsOf(spec.clusterIPs)[0] === "None" || spec.clusterIP === "None";
  const named = spec.type === "ExternalName";
  const ignored = "is ignored for headless services";
  const warnings: readonly (readonly [applies: boolean, text: string])[] = [
    [hints !== undefined, hintsText],
    [headless && Boolean(spec.loadBalancerIP), `spec.loadBalancerIP ${ignored}`],
    [headless && external, `spec.externalIPs ${ignored}`],
    [headless && spec.sessionAffinity !== "None", `spec.SessionAffinity ${ignored}`],
    [external && !headless && !named, externalText],
    [named && external, 'spec.externalIPs is ignored when spec.type is "ExternalName"'],
    [
      !named && Boolean(spec.externalName),
      'spec.externalName is ignored when spec.type is not "ExternalName"',
    ],
    [spec.trafficDistribution === "PreferClose", closeText],
  ];
  return warnings.flatMap(([applies, text]) => (applies ? [text] : []));
}

const hintsAnnotation = "service.kubernetes.io/topology-aware-hints";
const hintsText = `annotation ${hintsAnnotation} is deprecated, please use service.kubernetes.io/topology-mode instead`;
const externalText =
  "spec.externalIPs is deprecated and may no longer be implemented in some clusters";
const closeText = 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"';
