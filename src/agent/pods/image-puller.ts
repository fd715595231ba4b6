import type { Pod, Secret } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/log.ts";
import { credentialsFor, type PodCredentials } from "#agent/images/credentials.ts";
import { hasLatestTag, imageNameProblem } from "#agent/images/image-name.ts";
import type { GetFromPeers } from "#agent/images/peer-images.ts";
import { mayUse, type PullRecords } from "#agent/images/pull-records.ts";
import { Slots } from "#agent/images/slots.ts";
import { BackOff } from "#agent/pods/back-off.ts";
import type { ReferencedObjects } from "#agent/pods/environment.ts";
import type { PodContainer } from "#agent/pods/pod-containers.ts";
import { StartError, usualRetryMs } from "#agent/pods/start-error.ts";
import type { ContainerRuntime, ImageInfo } from "#agent/runtime/container-runtime.ts";

/** Records an event about the container whose image is wanted. */
export type Tell = (type: "Normal" | "Warning", reason: string, message: string) => void;

export interface ImagePuller {
  /** The image, pulled when the policy says so. Throws a StartError with upstream's reasons. */
  ensure(pod: Pod, container: PodContainer, tell: Tell, signal: AbortSignal): Promise<ImageInfo>;
}

export interface ImagePullerParts {
  readonly runtime: ContainerRuntime;
  readonly objects: ReferencedObjects;
  readonly clock: Clock;
  /** How images came here. Absent: all pods may use all images. */
  readonly records?: PullRecords;
  /** Absent: images come from registries only. */
  readonly fromPeers?: GetFromPeers;
  /** So many pulls at once. */
  readonly pullsMax: number;
}

/** How long `ErrImagePull` is shown before it becomes `ImagePullBackOff`. */
const showErrorMs = 2000;
const waitingMax = 10_000;

export function createImagePuller(parts: ImagePullerParts): ImagePuller {
  const backOff = new BackOff(parts.clock);
  const lastErrors = new Map<string, string>();
  const slots = new Slots({ max: parts.pullsMax, waitingMax });
  return {
    async ensure(pod, { spec }, tell, signal) {
      const image = spec.image ?? "";
      checkName(image, tell);
      const policy = spec.imagePullPolicy ?? (hasLatestTag(image) ? "Always" : "IfNotPresent");
      const credentials = once(() => podCredentials(parts, pod, image));
      const wanted = { image, policy, credentials, tell, signal };
      const present = policy === "Always" ? undefined : await usable(parts, wanted);
      if (present) return present;
      if (policy === "Never") throw neverPulled(image, tell);
      const key = `${pod.metadata.uid}/${image}`;
      const untilMs = backOff.untilMs(key);
      if (untilMs > parts.clock.now()) {
        const message = `Back-off pulling image "${image}": ErrImagePull: ${lastErrors.get(key)}`;
        tell("Normal", "BackOff", message);
        throw new StartError("ImagePullBackOff", message, untilMs - parts.clock.now());
      }
      try {
        const info = await pullInTurn({ ...parts, slots }, wanted);
        backOff.forget(key);
        lastErrors.delete(key);
        return info;
      } catch (error) {
        signal.throwIfAborted();
        const message = messageOf(error instanceof Error ? new Error(error.message) : error);
        backOff.fail(key);
        lastErrors.set(key, message);
        tell("Warning", "Failed", `Failed to pull image "${image}": ${message}`);
        throw new StartError("ErrImagePull", message, showErrorMs);
      }
    },
  };
}

interface Wanted {
  readonly image: string;
  readonly policy: string;
  /** The pod's, for the image's registry. */
  readonly credentials: () => Promise<readonly PodCredentials[]>;
  readonly tell: Tell;
  readonly signal: AbortSignal;
}

/** The image as it is here, when the pod may have it. */
async function usable(
  { runtime, records }: ImagePullerParts,
  { image, credentials, tell }: Wanted,
): Promise<ImageInfo | undefined> {
  const present = await runtime.imageStatus(image);
  if (present === undefined) return undefined;
  const access = records?.access(image, present.id) ?? { kind: "loaded" };
  const secrets =
    access.kind === "secrets" ? (await credentials()).map(({ secret }) => secret) : [];
  if (!mayUse(access, secrets)) return undefined;
  const text = `Container image "${image}" already present on machine`;
  tell("Normal", "Pulled", `${text} and can be accessed by the pod`);
  return present;
}

function checkName(image: string, tell: Tell): void {
  const problem = imageNameProblem(image);
  if (problem === undefined) return;
  const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${problem}`;
  tell("Warning", "InspectFailed", message);
  throw new StartError("InvalidImageName", message, usualRetryMs);
}

function neverPulled(image: string, tell: Tell): StartError {
  const message = `Container image "${image}" is not present with pull policy of Never`;
  tell("Warning", "ErrImageNeverPull", message);
  return new StartError("ErrImageNeverPull", message, usualRetryMs);
}

async function pullInTurn(
  parts: ImagePullerParts & { readonly slots: Slots },
  wanted: Wanted,
): Promise<ImageInfo> {
  const { clock, slots, records } = parts;
  const { image, policy, signal } = wanted;
  const askedMs = clock.now();
  const giveBack = await slots.take(signal);
  const times = { askedMs, begunMs: clock.now() };
  try {
    // Another pod may have brought it meanwhile.
    const present = policy === "Always" ? undefined : await usable(parts, wanted);
    if (present) return present;
    records?.begin(image);
    try {
      return await pull(parts, wanted, times);
    } finally {
      records?.end(image);
    }
  } finally {
    giveBack();
  }
}

interface Times {
  readonly askedMs: number;
  readonly begunMs: number;
}

/** From a node that has it, else from its registry; what is always to be pulled comes from there alone. */
async function pull(parts: ImagePullerParts, wanted: Wanted, times: Times): Promise<ImageInfo> {
  const { runtime, records, clock } = parts;
  const { image, tell, signal } = wanted;
  const credentials = await wanted.credentials();
  const given = wanted.policy === "Always" ? undefined : await fromPeers(parts, wanted);
  let info = given?.info;
  if (info === undefined) {
    tell("Normal", "Pulling", `Pulling image "${image}"`);
    const [first] = credentials;
    info = await runtime.pullImage(image, first?.credentials, signal);
    records?.pulled(image, info.id, first?.secret);
  }
  const nowMs = clock.now();
  const [took, waited] = [goDuration(nowMs - times.begunMs), goDuration(nowMs - times.askedMs)];
  const from = given ? ` from node "${given.node}"` : "";
  tell(
    "Normal",
    "Pulled",
    `Successfully pulled image "${image}"${from} in ${took} (${waited} including waiting). Image size: ${info.sizeBytes} bytes.`,
  );
  return info;
}

async function fromPeers(
  { runtime, records, fromPeers: get }: ImagePullerParts,
  { image, credentials, tell, signal }: Wanted,
): Promise<{ readonly node: string; readonly info: ImageInfo } | undefined> {
  const given = await get?.({
    image,
    secrets: (await credentials()).map(({ secret }) => secret),
    signal,
    onBegin: (node) => tell("Normal", "Pulling", `Pulling image "${image}" from node "${node}"`),
    onFailure: (node, reason) =>
      tell("Warning", "Failed", `Failed to pull image "${image}" from node "${node}": ${reason}`),
  });
  const info = given && (await runtime.imageStatus(image));
  if (given === undefined || info === undefined) return undefined;
  if (given.access !== "loaded") records?.pulled(image, info.id, given.secret);
  return { node: given.node, info };
}

async function podCredentials(
  { objects }: ImagePullerParts,
  pod: Pod,
  image: string,
): Promise<readonly PodCredentials[]> {
  const secrets: Secret[] = [];
  for (const { name = "" } of pod.spec?.imagePullSecrets ?? []) {
    // Upstream goes on without a pull secret that is missing: the registry may not ask for one.
    const secret = await objects.secret(pod.metadata.namespace ?? "", name).catch(() => undefined);
    if (secret) secrets.push(secret);
  }
  return credentialsFor(image, secrets);
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | undefined;
  return () => (found ??= read());
}

/** Milliseconds as Go prints a duration: `350ms`, `1.35s`, `2m3.5s`. */
function goDuration(timeMs: number): string {
  if (timeMs < 1000) return `${timeMs}ms`;
  const minutes = Math.floor(timeMs / 60_000);
  const seconds = Number(((timeMs % 60_000) / 1000).toFixed(3));
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
