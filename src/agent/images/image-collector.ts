import type { Node } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import {
  bytesToFree,
  type ImageRecord,
  planImageRemoval,
} from "#agent/images/plan-image-removal.ts";
import { pauseImageName } from "#agent/images/pause-image.ts";
import type { DiskSpace } from "#agent/node/machine-usage.ts";
import { durationMs, type NodeSettings } from "#agent/node/node-settings.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import type { ContainerRuntime, ImageInfo } from "#agent/runtime/container-runtime.ts";
import type { NodeMetrics } from "#agent/stats/node-metrics.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

export interface ImageCollectorParts {
  readonly runtime: ContainerRuntime;
  readonly view: RuntimeView;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: EventRecorder;
  readonly node: Node;
  readonly settings: NodeSettings;
  readonly metrics: Pick<NodeMetrics, "imageRemoved">;
  /** The disk that images are on. */
  readonly space: () => Promise<DiskSpace | undefined>;
  readonly onRemoved: () => void;
}

/** As often as upstream; a disk that fills up quicker is the eviction manager's. */
const periodMs = 5 * 60_000;

/** Removes images that nothing uses when their disk gets full. */
export class ImageCollector implements Disposable {
  readonly #parts: ImageCollectorParts;
  readonly #records = new Map<string, ImageRecord>();
  #cancel: () => void = () => {};

  constructor(parts: ImageCollectorParts) {
    this.#parts = parts;
  }

  /** Looks now and then every five minutes. */
  async start(): Promise<void> {
    const { clock, log } = this.#parts;
    this.#cancel = clock.after(periodMs, () => void this.start());
    try {
      await this.collect();
    } catch (error) {
      log.warn("images not cleaned up", { reason: messageOf(error) });
      this.#tell("ImageGCFailed", messageOf(error));
    }
  }

  /** Removes what the thresholds ask for, and what was unused for too long. */
  async collect(): Promise<void> {
    const { clock, settings, space } = this.#parts;
    await this.#look();
    await this.#removeAged();
    const disk = await space();
    if (disk === undefined) return;
    const neededBytes = bytesToFree(disk, {
      highPercent: settings.imageGCHighThresholdPercent,
      lowPercent: settings.imageGCLowThresholdPercent,
    });
    if (neededBytes <= 0) return;
    const freedBytes = await this.#remove(neededBytes, clock.now());
    if (freedBytes >= neededBytes) return;
    this.#tell(
      "FreeDiskSpaceFailed",
      `Failed to garbage collect required amount of images. Attempted to free ${neededBytes} bytes, but only found ${freedBytes} bytes eligible to free.`,
    );
  }

  /** Removes every image that may go. */
  async removeUnused(): Promise<void> {
    await this.#look();
    await this.#remove(Infinity, this.#parts.clock.now());
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  async #look(): Promise<void> {
    const { runtime, clock } = this.#parts;
    const images = await runtime.listImages();
    const used = this.#used();
    const nowMs = clock.now();
    const there = new Set(images.map(({ id }) => id));
    for (const id of this.#records.keys()) if (!there.has(id)) this.#records.delete(id);
    for (const image of images) {
      const known = this.#records.get(image.id);
      this.#records.set(image.id, {
        image,
        firstSeenMs: known?.firstSeenMs ?? nowMs,
        lastUsedMs: isUsed(image, used) ? nowMs : (known?.lastUsedMs ?? 0),
      });
    }
  }

  async #removeAged(): Promise<void> {
    const { clock, settings } = this.#parts;
    const ageMaxMs = durationMs(settings.imageMaximumGCAge);
    if (ageMaxMs === 0) return;
    const nowMs = clock.now();
    for (const { image, firstSeenMs, lastUsedMs } of this.#records.values()) {
      if (nowMs - Math.max(firstSeenMs, lastUsedMs) <= ageMaxMs) continue;
      if (!this.#isKept(image) && image.digests.length > 0) await this.#removeOne(image, "age");
    }
  }

  /** Returns how many bytes the images had that went. */
  async #remove(neededBytes: number, nowMs: number): Promise<number> {
    const planned = planImageRemoval([...this.#records.values()], {
      nowMs,
      neededBytes,
      ageMinMs: durationMs(this.#parts.settings.imageMinimumGCAge),
      isKept: (image) => this.#isKept(image),
    });
    let freedBytes = 0;
    for (const image of planned) freedBytes += await this.#removeOne(image, "space");
    if (planned.length > 0) this.#parts.onRemoved();
    return freedBytes;
  }

  async #removeOne(image: ImageInfo, reason: "age" | "space"): Promise<number> {
    const { runtime, log, metrics } = this.#parts;
    try {
      // A container may have been started since: it is asked once more, right before.
      if (isUsed(image, this.#used())) return 0;
      await runtime.removeImage(image.id);
    } catch (error) {
      log.warn("image not removed", { image: image.id, reason: messageOf(error) });
      return 0;
    }
    metrics.imageRemoved(reason);
    log.info("unused image removed", { image: image.tags[0] ?? image.id, bytes: image.sizeBytes });
    this.#records.delete(image.id);
    return image.sizeBytes;
  }

  #isKept(image: ImageInfo): boolean {
    return isUsed(image, this.#used()) || image.tags.includes(pauseImageName);
  }

  #used(): ReadonlySet<string> {
    const containers = this.#parts.view.containers();
    return new Set(containers.flatMap(({ image, imageId }) => [image, imageId]));
  }

  #tell(reason: string, message: string): void {
    this.#parts.recorder.record(this.#parts.node, { type: "Warning", reason, message });
  }
}

function isUsed({ id, tags, digests }: ImageInfo, used: ReadonlySet<string>): boolean {
  return [id, ...tags, ...digests].some((name) => used.has(name));
}
