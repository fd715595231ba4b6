import { nameOf } from "#api/meta.ts";
import { nodes } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";

const annotation = "node.alpha.kubernetes.io/ttl";

/** Tells nodes how long they may keep what they read of secrets and config maps: the longer, the more nodes there are. */
export function createNodeTtlController({
  client,
  informers,
  clock,
  log,
}: ControllerKit): Controller {
  const informer = informers.of(nodes);
  let step = 0;
  let count = 0;

  /** All nodes, when the cluster has grown or shrunk by a step. */
  const counted = function* (by: number): Generator<string> {
    count += by;
    const next = nextStep(step, count);
    if (next === step) return;
    step = next;
    for (const node of informer.list()) yield nameOf(node);
  };

  return createController({
    name: "ttl",
    reads: ["nodes"],
    writes: [{ resource: "nodes", fields: `metadata.annotations.${annotation}` }],
    sources: [
      keysFrom(informer, ({ kind, object }) => {
        if (kind === "modified") return [nameOf(object)];
        return [nameOf(object), ...counted(kind === "added" ? 1 : -1)];
      }),
    ],
    async reconcile(name, { signal }) {
      const node = informer.get({ name });
      const seconds = String(steps[step]?.seconds ?? 0);
      if (node === undefined || node.metadata.annotations?.[annotation] === seconds) return;
      const value = { metadata: { annotations: { [annotation]: seconds } } };
      await client.patch(nodes, { name }, { kind: "strategic", value }, { signal });
    },
    clock,
    log,
  });
}

/** Steps overlap, so that a cluster at the edge of one does not go to and fro. */
const steps = [
  { min: 0, max: 100, seconds: 0 },
  { min: 90, max: 500, seconds: 15 },
  { min: 450, max: 1000, seconds: 30 },
  { min: 900, max: 2000, seconds: 60 },
  { min: 1800, max: 10_000, seconds: 300 },
  { min: 9000, max: Infinity, seconds: 600 },
] as const;

export function nextStep(step: number, count: number): number {
  let next = step;
  while (count > (steps[next]?.max ?? Infinity)) next++;
  while (next > 0 && count < (steps[next]?.min ?? 0)) next--;
  return next;
}
