import type {
  PersistentVolume,
  PersistentVolumeSpec,
  Pod,
  Volume,
  VolumeMount,
} from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import type { ReferencedObjects } from "#agent/pods/environment.ts";
import type { DownwardNode } from "#agent/pods/downward-values.ts";
import type { NodeDirectories } from "#agent/volumes/node-directories.ts";
import type { PersistentObjects } from "#agent/volumes/persistent-objects.ts";
import type { MountableImages } from "#agent/volumes/volume-images.ts";

/**
 * One kind of volume. Setting up and tearing down are idempotent: setting up again brings a volume up to date, tearing
 * down what is gone does nothing. What is set up is known from the folders below the pod's directory alone
 * (`volumes/FOLDER/NAME`), so after a crash an agent finds it and can tear it down without the pod's object.
 */
export interface VolumePlugin {
  /** The folder's name below a pod's `volumes`, as kubelet's: `kubernetes.io~empty-dir`. */
  readonly folder: string;
  supports(spec: VolumeSpec): boolean;
  setUp(request: VolumeRequest): Promise<ReadyVolume>;
  /**
   * Gives back what `setUp` took beyond the folder and what is mounted on it. Called once no container of the pod runs,
   * its sub-paths are unmounted, and the folder's own mounts are still there.
   */
  tearDown?(place: VolumePlace): Promise<void>;
}

/** What is to be mounted: a volume of the pod, and what stands behind it where that is a claim. */
export interface VolumeSpec {
  readonly volume: Volume;
  readonly persistent?: PersistentVolume;
  /** The pod, the claim or the volume allows no writing. */
  readonly readOnly: boolean;
}

/** Where a volume's kind and its parameters stand: the same fields in both. */
export function sourceOf({ volume, persistent }: VolumeSpec): Volume | PersistentVolumeSpec {
  return persistent?.spec ?? volume;
}

/** What a volume needs is not there: in upstream's words its mounter could not be made. */
export class MounterError extends Error {
  override readonly name = "MounterError";
}

/** A volume that is set up, as its folder tells. */
export interface VolumePlace {
  readonly podUid: string;
  /** The volume's name in the pod. */
  readonly name: string;
  readonly dir: string;
  readonly context: VolumeContext;
}

export interface VolumeRequest {
  readonly pod: Pod;
  readonly spec: VolumeSpec;
  /** Where the volume lives when it lives below the pod's directory. Not made yet. */
  readonly dir: string;
  readonly context: VolumeContext;
  readonly podIps: readonly string[];
}

export interface VolumeContext {
  readonly objects: ReferencedObjects;
  readonly persistent: PersistentObjects;
  readonly node: DownwardNode;
  readonly clock: Clock;
  readonly images: MountableImages;
  readonly directories: Pick<NodeDirectories, "make">;
  /** A service account's token for a pod (`TokenRequest`). */
  requestToken(request: TokenWanted): Promise<IssuedToken>;
}

export interface TokenWanted {
  readonly pod: Pod;
  /** "" is the API server's own. */
  readonly audience: string;
  readonly expirationSeconds: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresMs: number;
}

export interface ReadyVolume {
  readonly hostPath: string;
  /** Containers may only read it, whatever their mounts say. */
  readonly readOnly: boolean;
  /** When its content gets stale by time alone. */
  readonly refreshAtMs?: number;
  /** The claim's volume that it shows. */
  readonly persistentVolume?: string;
}

/** Whether a container of the pod mounts the volume as files. */
export function mountsOf(pod: Pod, volume: string): readonly VolumeMount[] {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  return [...containers, ...initContainers]
    .flatMap(({ volumeMounts = [] }) => volumeMounts)
    .filter(({ name }) => name === volume);
}
