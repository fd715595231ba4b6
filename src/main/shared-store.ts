import { X509Certificate } from "node:crypto";
import type { Pki } from "#apiserver/node/pki/pki-directory.ts";
import type { ClusterSettings } from "#main/settings.ts";
import type { Store } from "#storage/store.ts";

interface Owner {
  /** SHA-256 of the cluster authority's certificate. */
  readonly authority: string;
  readonly serviceCidr: string;
  readonly podCidr: string;
}

/**
 * Notes in a store that several servers share which cluster it belongs to. Servers of one cluster have the same keys
 * and address ranges: one with others would hand out tokens and addresses that the rest knows nothing of.
 * @returns whether this server is the first one
 * @throws when it belongs to another cluster
 */
export async function claimSharedStore(
  store: Store,
  pki: Pki,
  settings: ClusterSettings,
): Promise<boolean> {
  const { serviceCidr, podCidr } = settings;
  const authority = new X509Certificate(pki.authority.certificate).fingerprint256;
  const own: Owner = { authority, serviceCidr, podCidr };
  const bytes = new TextEncoder().encode(JSON.stringify(own));
  const result = await store.put(ownerKey, bytes, 0);
  if (result.ok) return true;
  const there = result.current ?? (await store.get(ownerKey));
  const owner = JSON.parse(new TextDecoder().decode(there?.value)) as Owner;
  if (owner.authority !== authority) throw refusal("it belongs to a cluster with other keys");
  if (owner.serviceCidr !== serviceCidr || owner.podCidr !== podCidr)
    throw refusal(
      `its cluster has services in ${owner.serviceCidr} and pods in ${owner.podCidr}, this server ${serviceCidr} and ${podCidr}`,
    );
  return false;
}

/** Outside of what the API server keeps. */
const ownerKey = "/kogge/cluster";

export function refusal(why: string): Error {
  return new Error(
    `Cannot use the store: ${why}. A server that joins others needs their pki/ and cluster.json in its data directory; a cluster of its own needs another --etcd-prefix`,
  );
}
