import type { VolumeAttachment } from "#api/generated/types.ts";
import { dns1123SubdomainProblems } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkFormat } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";

export const volumeAttachmentStrategy = strategyFor<VolumeAttachment>({
  hasGeneration: false,
  unconditionalUpdate: false,
  prepareForCreate(attachment) {
    attachment.status = { attached: false };
  },
  validate(root, attachment) {
    const field = root.child("spec");
    const { attacher, nodeName, source } = attachment.spec ?? {};
    checkFormat(field.child("attacher"), attacher, dns1123SubdomainProblems);
    checkFormat(field.child("nodeName"), nodeName, dns1123SubdomainProblems);
    const { persistentVolumeName, inlineVolumeSpec } = source ?? {};
    if (persistentVolumeName && inlineVolumeSpec) {
      field
        .child("source")
        .forbidden("must specify exactly one of inlineVolumeSpec and persistentVolumeName");
    } else if (!persistentVolumeName && !inlineVolumeSpec) {
      field
        .child("source")
        .required("must specify exactly one of inlineVolumeSpec and persistentVolumeName");
    }
  },
  validateUpdate(root, attachment, old) {
    checkImmutable(root.child("spec"), attachment.spec, old.spec);
  },
});
