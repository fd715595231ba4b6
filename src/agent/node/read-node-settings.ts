import { readFile } from "node:fs/promises";
import { decodeBody } from "#api/decode/decode-body.ts";
import type { JsonObject } from "#api/kind.ts";
import { type Log, messageOf } from "#base/log.ts";
import { thresholdsOf } from "#agent/eviction/thresholds.ts";
import { durationMs, type NodeSettings, usualSettings } from "#agent/node/node-settings.ts";

const apiVersion = "kubelet.config.k8s.io/v1beta1";

/**
 * Reads a `KubeletConfiguration` (YAML or JSON); a file that is not there changes nothing. Fields that are not heeded
 * here are told of in the log. Throws for what is no such configuration, and for values that mean nothing.
 */
export async function readNodeSettings(file: string, log: Log): Promise<Partial<NodeSettings>> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
  try {
    const { settings, unheeded } = parseNodeSettings(bytes);
    if (unheeded.length > 0) log.warn("node settings not heeded", { file, fields: unheeded });
    return settings;
  } catch (error) {
    throw new Error(`Cannot use the node settings in "${file}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

export function parseNodeSettings(bytes: Uint8Array): {
  readonly settings: Partial<NodeSettings>;
  readonly unheeded: readonly string[];
} {
  const { value } = decodeBody(bytes, "application/yaml", { kind: "KubeletConfiguration" });
  const object = value as JsonObject;
  if (object["apiVersion"] !== apiVersion || object["kind"] !== "KubeletConfiguration") {
    throw new Error(`it is no ${apiVersion} KubeletConfiguration`);
  }
  const { apiVersion: _, kind: _kind, ...given } = object;
  const heeded = Object.entries(given).filter(([name]) => Object.hasOwn(usualSettings, name));
  for (const [name, field] of heeded) checkType(name, field);
  const settings = Object.fromEntries(heeded) as Partial<NodeSettings>;
  checkMeaning({ ...usualSettings, ...settings });
  const unheeded = Object.keys(given).filter((name) => !Object.hasOwn(usualSettings, name));
  return { settings, unheeded };
}

/** A field has the type that its usual value has. */
function checkType(name: string, value: unknown): void {
  const usual: unknown = usualSettings[name as keyof NodeSettings];
  const typeOf = (one: unknown): string => (Array.isArray(one) ? "list" : typeof one);
  const isTextMap =
    typeOf(usual) !== "object" ||
    Object.values(value ?? {}).every((entry) => typeof entry === "string");
  if (typeOf(usual) === typeOf(value) && value !== null && isTextMap) return;
  throw new Error(`${name}: Invalid value: ${JSON.stringify(value)}: must be a ${typeOf(usual)}`);
}

function checkMeaning(settings: NodeSettings): void {
  thresholdsOf(settings);
  const durations = [
    "containerLogMonitorInterval",
    "imageMinimumGCAge",
    "imageMaximumGCAge",
    "evictionPressureTransitionPeriod",
    "shutdownGracePeriod",
    "shutdownGracePeriodCriticalPods",
  ] as const;
  for (const name of durations) durationMs(settings[name]);
  const { imageGCHighThresholdPercent: high, imageGCLowThresholdPercent: low } = settings;
  if (low >= high) {
    throw new Error(
      `imageGCLowThresholdPercent: Invalid value: ${low}: must be less than imageGCHighThresholdPercent ${high}`,
    );
  }
  if (settings.containerLogMaxFiles <= 1) {
    throw new Error(
      `containerLogMaxFiles: Invalid value: ${settings.containerLogMaxFiles}: must be greater than 1`,
    );
  }
  const { maxParallelImagePulls: pulls, serializeImagePulls } = settings;
  if (pulls < 0 || (serializeImagePulls && pulls > 1)) {
    throw new Error(
      `maxParallelImagePulls: Invalid value: ${pulls}: cannot be larger than 1 unless serializeImagePulls is false`,
    );
  }
  if (!["none", "static"].includes(settings.cpuManagerPolicy)) {
    throw new Error(`cpuManagerPolicy: Unsupported value: "${settings.cpuManagerPolicy}"`);
  }
}
