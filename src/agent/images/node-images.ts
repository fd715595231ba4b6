import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { NodeIdentity } from "#agent/images/fetch-image.ts";
import { imagesPath } from "#agent/images/image-offer.ts";
import { createPeerImages } from "#agent/images/peer-images.ts";
import { PullRecords } from "#agent/images/pull-records.ts";
import { createImageServer } from "#agent/images/serve-image.ts";
import type { MachineFacts } from "#agent/node/machine-facts.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";
import type { ReferencedObjects } from "#agent/pods/environment.ts";
import { createImagePuller, type ImagePuller } from "#agent/pods/image-puller.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import { type Page, pageNotFound, type PageRequest } from "#agent/streams/page.ts";

export interface NodeImageParts {
  readonly client: Client;
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly objects: ReferencedObjects;
  readonly machine: MachineFacts;
  readonly settings: NodeSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Absent: the node keeps no files, and so nothing of who pulled what. */
  readonly dataDir?: string;
  readonly identity?: () => NodeIdentity;
}

/** How images get to a node, and from it to others. */
export interface NodeImages {
  readonly puller: ImagePuller;
  /** Whether a request is about images. */
  answers(request: PageRequest): boolean;
  page(request: PageRequest): Promise<Page>;
  /** To be called when images came or went. */
  changed(): void;
}

export function createNodeImages(parts: NodeImageParts): NodeImages {
  const { runtime, clock, machine, identity, dataDir, settings, log } = parts;
  const { imageArchives: archives } = runtime;
  const records = dataDir ? new PullRecords(join(dataDir, "image_manager"), clock) : undefined;
  const { architecture, operatingSystem } = machine;
  const self = { name: parts.nodeName, architecture, operatingSystem };
  const { serializeImagePulls, maxParallelImagePulls } = settings;
  const puller = createImagePuller({
    ...parts,
    ...(records && { records }),
    ...(archives &&
      identity && { fromPeers: createPeerImages({ ...parts, self, archives, identity }) }),
    pullsMax: serializeImagePulls ? 1 : maxParallelImagePulls || Infinity,
  });
  const server = records ? createImageServer({ ...parts, records }) : undefined;
  const forget = async (): Promise<void> => {
    const seenMs = clock.now();
    const images = await runtime.listImages();
    const named = images.map(({ id, tags, digests }) => ({ id, names: [...tags, ...digests] }));
    records?.keepOnly(named, seenMs);
  };
  return {
    puller,
    answers: ({ path }) => path === imagesPath,
    async page(request) {
      if (server === undefined) throw pageNotFound();
      return server(request);
    },
    changed() {
      forget().catch((error: unknown) =>
        log.warn("records of images not cleaned up", { reason: messageOf(error) }),
      );
    },
  };
}
