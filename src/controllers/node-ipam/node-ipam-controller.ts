import type { Node } from "#api/generated/types.ts";
import { nameOf, parseKey } from "#api/meta.ts";
import { nodes } from "#api/resources.ts";
import { createRangePool } from "#controllers/node-ipam/range-pool.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";

export interface IpamRanges {
  /** Where nodes' ranges come from. */
  readonly clusterCidr: string;
  /** Left out of them where the two overlap. */
  readonly serviceCidr?: string;
}

/** Gives every node that has none a range for its pods: `spec.podCIDR`. */
export function createNodeIpamController(kit: ControllerKit, ranges: IpamRanges): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(nodes);
  const pool = createRangePool(ranges.clusterCidr);
  if (ranges.serviceCidr !== undefined) pool.occupy(ranges.serviceCidr);
  const recorder = kit.recorder("cidrAllocator");

  const tell = (node: Node, reason: string): void => {
    const message = `Node ${nameOf(node)} status is now: ${reason}`;
    recorder.record(node, { type: "Normal", reason, message });
  };

  return createController({
    name: "node-ipam",
    reads: ["nodes"],
    writes: [
      { resource: "nodes", fields: "spec.podCIDR" },
      { resource: "nodes", fields: "spec.podCIDRs" },
    ],
    sources: [
      keysFrom(informer, ({ kind, object }) => {
        const own = rangesOf(object);
        for (const cidr of own) {
          if (kind === "deleted") pool.release(cidr);
          else pool.occupy(cidr);
        }
        return kind === "deleted" || own.length > 0 ? [] : [nameOf(object)];
      }),
    ],
    concurrency: 1,
    async reconcile(key, { signal }) {
      const node = informer.get(parseKey(key));
      if (node === undefined || node.metadata.deletionTimestamp) return;
      if (rangesOf(node).length > 0) return;
      const cidr = pool.allocate();
      if (cidr === undefined) {
        tell(node, "CIDRNotAvailable");
        throw new Error(
          `Cannot give node "${key}" a range for pods: all of ${ranges.clusterCidr} are taken`,
        );
      }
      // Whoever was first has set it for good: the API refuses another range.
      const value = { spec: { podCIDR: cidr, podCIDRs: [cidr] } };
      try {
        await client.patch(nodes, { name: key }, { kind: "merge", value }, { signal });
      } catch (error) {
        pool.release(cidr);
        throw error;
      }
    },
    clock,
    log,
  });
}

function rangesOf({ spec }: Node): readonly string[] {
  return spec?.podCIDRs ?? (spec?.podCIDR ? [spec.podCIDR] : []);
}
