import type { Pod, Volume } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import type { ReferencedObjects } from "#agent/pods/environment.ts";
import type { DownwardNode } from "#agent/pods/downward-values.ts";

/** One kind of volume. Everything is idempotent: setting up again brings a volume up to date. */
export interface VolumePlugin {
  /** The folder's name below a pod's `volumes`, as kubelet's: `kubernetes.io~empty-dir`. */
  readonly folder: string;
  supports(volume: Volume): boolean;
  setUp(request: VolumeRequest): Promise<ReadyVolume>;
}

export interface VolumeRequest {
  readonly pod: Pod;
  readonly volume: Volume;
  /** Where the volume lives when it lives below the pod's directory. Not made yet. */
  readonly dir: string;
  readonly context: VolumeContext;
  readonly podIps: readonly string[];
}

export interface VolumeContext {
  readonly objects: ReferencedObjects;
  readonly node: DownwardNode;
  readonly clock: Clock;
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
}
