import type { Node } from "#api/generated/types.ts";
import { nodes } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import { checkedArchive } from "#agent/images/checked-archive.ts";
import { fetchImage, ImageRefusal, type NodeIdentity } from "#agent/images/fetch-image.ts";
import { repositoryOf, storedName } from "#agent/images/image-name.ts";
import type { ImageOffer } from "#agent/images/image-offer.ts";
import {
  type AskingNode,
  type ImageSource,
  lists,
  planSources,
} from "#agent/images/image-sources.ts";
import { limitIdle } from "#agent/images/limit-idle.ts";
import { sameSecret, type PullSecret } from "#agent/images/pull-records.ts";
import { timeLimit } from "#agent/images/slots.ts";
import type { ImageArchives } from "#agent/runtime/container-runtime.ts";

export interface PeerImageParts {
  readonly client: Client;
  readonly self: AskingNode;
  readonly archives: ImageArchives;
  /** Asked for each image: certificates are renewed. */
  readonly identity: () => NodeIdentity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Default: 30 seconds to answer, 30 seconds without a byte. */
  readonly limits?: { readonly answerMs: number; readonly idleMs: number };
}

export interface PeerWish {
  /** As the pod names it. */
  readonly image: string;
  /** Those of the pod's that fit the image's registry. */
  readonly secrets: readonly PullSecret[];
  readonly signal: AbortSignal;
  /** A node begins to send it. */
  readonly onBegin: (node: string) => void;
  /** A node has it but could not give it. */
  readonly onFailure: (node: string, reason: string) => void;
}

/** An image that came from another node. */
export interface GivenImage {
  readonly node: string;
  readonly access: ImageOffer["access"];
  /** The pod's secret that it was given for. */
  readonly secret?: PullSecret;
}

/** Gets an image from the first node that gives it whole; undefined when none does. */
export type GetFromPeers = (wish: PeerWish) => Promise<GivenImage | undefined>;

const usualLimits = { answerMs: 30_000, idleMs: 30_000 };
/** As long as a registry may take for an image. */
const transferMs = 30 * 60_000;
const lookMs = 10_000;
/** Nodes are read in pages until one lists the image. */
const pageSize = 200;

export function createPeerImages(parts: PeerImageParts): GetFromPeers {
  return async (wish) => {
    const name = storedName(wish.image);
    // What is asked for by its id alone has no name to look for.
    if (repositoryOf(name) === "") return undefined;
    for (const source of await sourcesOf(parts, name, wish.signal)) {
      try {
        return await transfer(parts, source, wish);
      } catch (error) {
        wish.signal.throwIfAborted();
        const reason = isBroken(error) ? "the connection broke off" : messageOf(error);
        parts.log.warn("image not got from node", { image: name, node: source.node, reason });
        if (isTold(error)) wish.onFailure(source.node, reason);
      }
    }
    return undefined;
  };
}

/** That a node has no such image, or not for this pod, is nothing that went wrong. */
function isTold(error: unknown): boolean {
  return !(error instanceof ImageRefusal && (error.status === 404 || error.status === 403));
}

function isBroken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ECONNRESET";
}

async function sourcesOf(
  { client, self, random, clock, log }: PeerImageParts,
  name: string,
  signal: AbortSignal,
): Promise<readonly ImageSource[]> {
  const wanted = { name, self };
  const found: Node[] = [];
  const late = { afterMs: lookMs, message: "the API did not answer in time" };
  using limit = timeLimit(clock, late, signal);
  try {
    let next: string | undefined;
    do {
      const more = { limit: pageSize, ...(next && { continue: next }), signal: limit.signal };
      const page = await client.list(nodes, more);
      found.push(...page.items.filter((node) => planSources([node], wanted, random).length > 0));
      next = page.continue;
    } while (next && !found.some((node) => lists(node, name)));
  } catch (error) {
    signal.throwIfAborted();
    // A static pod starts without the API too, from its registry.
    log.warn("nodes with an image not found", { image: name, reason: messageOf(error) });
  }
  return planSources(found, wanted, random);
}

async function transfer(
  parts: PeerImageParts,
  source: ImageSource,
  wish: PeerWish,
): Promise<GivenImage> {
  const { clock, archives, identity, limits = usualLimits } = parts;
  const { secrets } = wish;
  const name = storedName(wish.image);
  const { answerMs, idleMs } = limits;
  const late = { afterMs: transferMs, message: `it took more than ${transferMs / 60_000} minutes` };
  using limit = timeLimit(clock, late, wish.signal);
  const { signal } = limit;
  const asked = { name, secrets, identity: identity(), clock, signal, answerMs };
  const { offer, archive } = await fetchImage(source, asked);
  try {
    const given = acceptable(offer, name, wish);
    wish.onBegin(source.node);
    const bytes = limitIdle(archive, { clock, idleMs });
    await archives.import(checkedArchive(bytes, offer.names), offer.names);
    return { node: source.node, ...given };
  } finally {
    archive.destroy();
  }
}

/** What it is given for must be what was asked. */
function acceptable(
  { names, access, secret }: ImageOffer,
  name: string,
  { secrets }: PeerWish,
): Omit<GivenImage, "node"> {
  const isDigest = (one: string): boolean =>
    one.includes("@") && repositoryOf(one) === repositoryOf(name);
  if (!names.includes(name) || !names.every((one) => one === name || isDigest(one))) {
    throw new Error("it offers another image");
  }
  if (access !== "secret") return { access };
  const own = secrets.find((one) => secret && sameSecret(one, secret));
  if (own === undefined) throw new Error("it offers the image for a secret that was not asked for");
  return { access, secret: own };
}
