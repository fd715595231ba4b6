import type { SubjectAccessReview } from "#api/generated/types.ts";
import { subjectAccessReviews } from "#api/resources.ts";
import { badRequest, StatusError } from "#api/status.ts";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { repositoryOf } from "#agent/images/image-name.ts";
import {
  type ImageOffer,
  imagesPath,
  namesMax,
  offerHeader,
  type SecretName,
  secretsIn,
} from "#agent/images/image-offer.ts";
import { limitIdle } from "#agent/images/limit-idle.ts";
import { type PullRecords, sameSecret } from "#agent/images/pull-records.ts";
import { Slots, timeLimit } from "#agent/images/slots.ts";
import type { ContainerRuntime, ImageInfo } from "#agent/runtime/container-runtime.ts";
import type { Page, PageRequest, Peer } from "#agent/streams/page.ts";

export interface ImageServerParts {
  readonly runtime: ContainerRuntime;
  readonly records: PullRecords;
  readonly client: Client;
  readonly clock: Clock;
}

/** So many images leave a node at once; this many more requests wait, so long, until one has left. */
const transfersMax = 4;
const waitingMax = 64;
const waitMs = 15_000;
/** A node that takes nothing for so long has lost interest. */
const idleMs = 60_000;

/** Whether it is a node, by its certificate. */
export function isNodePeer({ name, groups }: Peer): boolean {
  return name.startsWith("system:node:") && groups.includes("system:nodes");
}

/** Whether the peer may ask for this at all: nodes ask for images, and for nothing else. */
export function mayAskForImages(peer: Peer, { path }: { readonly path: string }): boolean {
  return isNodePeer(peer) && path.split("?", 1)[0] === imagesPath;
}

/**
 * Answers other nodes that ask for an image with its archive. One that was pulled with a secret goes only to a node
 * that may read that secret, which is what the API says of nodes with a pod that names it.
 */
export function createImageServer(
  parts: ImageServerParts,
): (request: PageRequest) => Promise<Page> {
  const slots = new Slots({ max: transfersMax, waitingMax });
  return async ({ peer, query }) => {
    if (peer === undefined || !isNodePeer(peer))
      throw forbidden("only nodes get images from nodes");
    const name = query.get("name") ?? "";
    if (name === "") throw badRequest("name: Required value");
    const { runtime, clock } = parts;
    const image = await runtime.imageStatus(name);
    const archives = runtime.imageArchives;
    if (!archives || !image || ![...image.tags, ...image.digests].includes(name)) {
      throw noImage(name);
    }
    const offer = await offerFor(parts, { name, image, peer, secrets: secretsIn(query) });
    const giveBack = await turn(slots, clock);
    const body = limitIdle(archives.export(offer.names), { clock, idleMs });
    body.once("close", giveBack);
    const headers = { [offerHeader]: JSON.stringify(offer) };
    return { contentType: "application/x-tar", headers, body };
  };
}

interface Asked {
  readonly name: string;
  readonly image: ImageInfo;
  readonly peer: Peer;
  readonly secrets: readonly SecretName[];
}

async function offerFor(parts: ImageServerParts, asked: Asked): Promise<ImageOffer> {
  const { name, image, peer } = asked;
  const repository = repositoryOf(name);
  const digests = image.digests.filter((one) => one !== name && repositoryOf(one) === repository);
  const names = [name, ...digests].slice(0, namesMax);
  const access = parts.records.access(name, image.id);
  if (access.kind !== "secrets") return { id: image.id, names, access: access.kind };
  for (const { uid, namespace, name: secretName } of access.secrets) {
    const secret = { uid, namespace, name: secretName };
    if (!asked.secrets.some((own) => sameSecret(own, secret))) continue;
    if (await mayRead(parts.client, peer, secret)) {
      return { id: image.id, names, access: "secret", secret };
    }
  }
  throw forbidden(`image "${name}" was pulled with credentials that "${peer.name}" does not show`);
}

async function mayRead(
  client: Client,
  peer: Peer,
  { namespace, name }: SecretName,
): Promise<boolean> {
  const review: SubjectAccessReview = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: {},
    spec: {
      user: peer.name,
      groups: [...peer.groups],
      resourceAttributes: { verb: "get", version: "v1", resource: "secrets", namespace, name },
    },
  };
  const { status } = await client.create(subjectAccessReviews, review);
  return status?.allowed === true;
}

async function turn(slots: Slots, clock: Clock): Promise<() => void> {
  const message = `${transfersMax} images are on their way from this node`;
  using limit = timeLimit(clock, { afterMs: waitMs, message });
  try {
    return await slots.take(limit.signal);
  } catch (error) {
    throw new StatusError({ code: 429, reason: "TooManyRequests", message: messageOf(error) });
  }
}

function forbidden(message: string): StatusError {
  return new StatusError({ code: 403, reason: "Forbidden", message });
}

function noImage(name: string): StatusError {
  return new StatusError({ code: 404, reason: "NotFound", message: `image "${name}" is not here` });
}
