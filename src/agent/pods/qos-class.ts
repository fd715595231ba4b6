import type { Pod } from "#api/generated/types.ts";
import {
  qualityOfService,
  type QualityOfService,
} from "#api/strategies/core/pod/quality-of-service.ts";

/** The class that the API wrote down when the pod was made; a change of resources does not change it. */
export function qosClassOf(pod: Pod): QualityOfService {
  return (pod.status?.qosClass as QualityOfService | undefined) ?? qualityOfService(pod.spec);
}
