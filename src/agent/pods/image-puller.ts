import type { Pod, Secret } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/log.ts";
import { credentialsFor } from "#agent/images/credentials.ts";
import { hasLatestTag, imageNameProblem } from "#agent/images/image-name.ts";
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

/** How long `ErrImagePull` is shown before it becomes `ImagePullBackOff`. */
const showErrorMs = 2000;

export function createImagePuller(parts: {
  readonly runtime: ContainerRuntime;
  readonly objects: ReferencedObjects;
  readonly clock: Clock;
}): ImagePuller {
  const backOff = new BackOff(parts.clock);
  const lastErrors = new Map<string, string>();
  return {
    async ensure(pod, { spec }, tell, signal) {
      const image = spec.image ?? "";
      checkName(image, tell);
      const present = await parts.runtime.imageStatus(image);
      const policy = spec.imagePullPolicy ?? (hasLatestTag(image) ? "Always" : "IfNotPresent");
      if (present && policy !== "Always") {
        const text = `Container image "${image}" already present on machine`;
        tell("Normal", "Pulled", `${text} and can be accessed by the pod`);
        return present;
      }
      if (policy === "Never") throw neverPulled(image, tell);
      const key = `${pod.metadata.uid}/${image}`;
      const untilMs = backOff.untilMs(key);
      if (untilMs > parts.clock.now()) {
        const message = `Back-off pulling image "${image}": ErrImagePull: ${lastErrors.get(key)}`;
        tell("Normal", "BackOff", message);
        throw new StartError("ImagePullBackOff", message, untilMs - parts.clock.now());
      }
      try {
        const info = await pull(parts, { pod, image, tell, signal });
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

async function pull(
  { runtime, objects, clock }: Parameters<typeof createImagePuller>[0],
  wanted: { pod: Pod; image: string; tell: Tell; signal: AbortSignal },
): Promise<ImageInfo> {
  const { pod, image, tell, signal } = wanted;
  tell("Normal", "Pulling", `Pulling image "${image}"`);
  const startMs = clock.now();
  const secrets: Secret[] = [];
  for (const { name = "" } of pod.spec?.imagePullSecrets ?? []) {
    // Upstream goes on without a pull secret that is missing: the registry may not ask for one.
    const secret = await objects.secret(pod.metadata.namespace ?? "", name).catch(() => undefined);
    if (secret) secrets.push(secret);
  }
  const info = await runtime.pullImage(image, credentialsFor(image, secrets), signal);
  const took = goDuration(clock.now() - startMs);
  tell(
    "Normal",
    "Pulled",
    `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: ${info.sizeBytes} bytes.`,
  );
  return info;
}

/** Milliseconds as Go prints a duration: `350ms`, `1.35s`, `2m3.5s`. */
function goDuration(timeMs: number): string {
  if (timeMs < 1000) return `${timeMs}ms`;
  const minutes = Math.floor(timeMs / 60_000);
  const seconds = Number(((timeMs % 60_000) / 1000).toFixed(3));
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
