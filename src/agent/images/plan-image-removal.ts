import type { ImageInfo } from "#agent/runtime/container-runtime.ts";

/** An image and what is known of its use. */
export interface ImageRecord {
  readonly image: ImageInfo;
  readonly firstSeenMs: number;
  /** 0: never since this agent looks. */
  readonly lastUsedMs: number;
}

/**
 * Which images to remove so that `neededBytes` come free: those used least lately first, none that is in use, younger
 * than `ageMinMs`, or here without a digest: such an image was built or imported on this node and cannot be had again.
 */
export function planImageRemoval(
  records: readonly ImageRecord[],
  wanted: {
    readonly nowMs: number;
    readonly neededBytes: number;
    readonly ageMinMs: number;
    readonly isKept: (image: ImageInfo) => boolean;
  },
): readonly ImageInfo[] {
  const { nowMs, neededBytes, ageMinMs, isKept } = wanted;
  const candidates = records
    .filter(({ image }) => !isKept(image) && image.digests.length > 0)
    .filter(({ firstSeenMs, lastUsedMs }) => lastUsedMs < nowMs && nowMs - firstSeenMs >= ageMinMs)
    .toSorted(
      (left, right) => left.lastUsedMs - right.lastUsedMs || left.firstSeenMs - right.firstSeenMs,
    );
  const removed: ImageInfo[] = [];
  let freedBytes = 0;
  for (const { image } of candidates) {
    if (freedBytes >= neededBytes) break;
    removed.push(image);
    freedBytes += image.sizeBytes;
  }
  return removed;
}

/** How much must go so that the disk is used no more than `lowPercent`, once it is used `highPercent`; 0 before. */
export function bytesToFree(
  space: { readonly capacityBytes: number; readonly availableBytes: number },
  limits: { readonly highPercent: number; readonly lowPercent: number },
): number {
  const { capacityBytes, availableBytes } = space;
  if (capacityBytes === 0) return 0;
  const usedPercent = 100 - Math.floor((availableBytes * 100) / capacityBytes);
  if (usedPercent < limits.highPercent) return 0;
  return Math.floor((capacityBytes * (100 - limits.lowPercent)) / 100) - availableBytes;
}
