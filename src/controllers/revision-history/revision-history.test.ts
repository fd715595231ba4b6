import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { DaemonSet, PodTemplateSpec } from "#api/generated/types.ts";
import { daemonSets } from "#api/resources.ts";
import { planHistory, templateOf } from "#controllers/revision-history/revision-history.ts";

test("a revision's data is the text that Go makes of the template: sorted, with its empty objects", () => {
  const template: PodTemplateSpec = {
    metadata: { labels: { a: "b" } },
    spec: {
      terminationGracePeriodSeconds: 30,
      securityContext: {},
      containers: [{ name: "app", image: "x", resources: {}, args: [] }],
    },
  };
  const owner: DaemonSet = {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "d", uid: "1" },
  };
  const { update } = planHistory({ owner, ownerResource: daemonSets, template, revisions: [] });
  equal(
    JSON.stringify(update.data),
    '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"b"}},"spec":{' +
      '"containers":[{"image":"x","name":"app","resources":{}}],' +
      '"securityContext":{},"terminationGracePeriodSeconds":30}}}}',
  );
  // What an earlier release wrote without the empty objects stands for the same template.
  const { resources: _, args: __, ...container } = template.spec?.containers[0] ?? { name: "" };
  const spec = { terminationGracePeriodSeconds: 30, containers: [container] };
  const bare = {
    ...update,
    data: { spec: { template: { ...template, spec, $patch: "replace" } } },
  };
  const again = planHistory({ owner, ownerResource: daemonSets, template, revisions: [bare] });
  deepEqual([again.isNew, again.isRenumbered], [false, false]);
  equal(templateOf(update).spec?.containers[0]?.image, "x");
});
