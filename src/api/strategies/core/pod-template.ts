import type { PodTemplate } from "#api/generated/types.ts";
import { fillPodTemplate } from "#api/strategies/core/pod/pod-defaults.ts";
import { checkPodTemplate } from "#api/strategies/core/pod/pod-spec.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";

export const podTemplateStrategy = strategyFor<PodTemplate>({
  hasGeneration: true,
  fillDefaults: (podTemplate) => fillPodTemplate(podTemplate.template),
  validate: (root, podTemplate) => checkPodTemplate(root.child("template"), podTemplate.template),
  warnings: (podTemplate) => podWarnings("template.", podTemplate.template),
});
