/**
 * One key's way to keep values from being read on the disk. What it makes begins with `prefix`, as upstream's
 * transformers write it: `k8s:enc:aesgcm:v1:KEYNAME:`.
 */
export interface Sealer {
  /** Empty: values lie there as they are. */
  readonly prefix: string;
  /** `key` is the object's place in the store: sealed bytes open nowhere else. Without the prefix. */
  seal(value: Uint8Array, key: string): Uint8Array;
  /** A promise only where somebody outside must be asked. @throws when the bytes were not sealed by this key for this place */
  open(sealed: Uint8Array, key: string): Uint8Array | Promise<Uint8Array>;
  /** Whether `seal` would still do as it did when it made these bytes. */
  isCurrent(sealed: Uint8Array): boolean;
}

/** The first seals; all of them open. */
export interface SealingRule {
  readonly matches: (group: string, resource: string) => boolean;
  readonly sealers: readonly Sealer[];
}

/** Values as they lie in the store. */
export interface Sealing {
  seal(key: string, value: Uint8Array): Uint8Array;
  /** @throws UnreadableValueError */
  open(key: string, stored: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Whether writing the value again would seal it no differently. */
  isCurrent(key: string, stored: Uint8Array): boolean;
}

export class UnreadableValueError extends Error {
  override readonly name = "UnreadableValueError";
}

/** The rule that matches first holds for a resource; a resource that no rule matches is stored as it is. */
export function createSealing(rules: readonly SealingRule[]): Sealing {
  const known = new Map<string, readonly Sealer[]>();
  const sealersOf = (key: string): readonly Sealer[] => {
    const place = placeOf(key);
    let sealers = known.get(place);
    if (sealers === undefined) {
      const [group = "", resource = ""] = place.split("/");
      const rule = rules.find(({ matches }) => matches(group === "core" ? "" : group, resource));
      sealers = rule?.sealers ?? [asItIs];
      known.set(place, sealers);
    }
    return sealers;
  };
  return {
    seal: (key, value) => {
      const sealer = sealersOf(key)[0] ?? asItIs;
      return sealer.prefix === "" ? value : withPrefix(sealer.prefix, sealer.seal(value, key));
    },
    open: (key, stored) => {
      const sealer = sealersOf(key).find(({ prefix }) => hasPrefix(stored, prefix));
      if (sealer === undefined) throw unreadable(key, stored);
      return sealer.prefix === "" ? stored : openWith(sealer, key, stored);
    },
    isCurrent: (key, stored) => {
      const sealer = sealersOf(key)[0] ?? asItIs;
      return (
        hasPrefix(stored, sealer.prefix) && sealer.isCurrent(stored.subarray(sealer.prefix.length))
      );
    },
  };
}

/** Upstream's identity provider. */
export const asItIs: Sealer = {
  prefix: "",
  seal: (value) => value,
  open: (value) => value,
  isCurrent: () => true,
};

const sealedMark = "k8s:enc:";
const registry = "/registry/";

/** `GROUP/RESOURCE` of `/registry/GROUP/RESOURCE/…`. */
function placeOf(key: string): string {
  if (!key.startsWith(registry)) return "";
  const group = key.indexOf("/", registry.length);
  const resource = key.indexOf("/", group + 1);
  return group < 0 || resource < 0 ? "" : key.slice(registry.length, resource);
}

function openWith(sealer: Sealer, key: string, stored: Uint8Array): ReturnType<Sealer["open"]> {
  const sealed = stored.subarray(sealer.prefix.length);
  const failed = (cause: unknown): never => {
    const message = `Cannot read "${key}": ${sealer.prefix.slice(0, -1)} does not open it`;
    throw new UnreadableValueError(message, { cause });
  };
  try {
    const value = sealer.open(sealed, key);
    return value instanceof Promise ? value.catch(failed) : value;
  } catch (error) {
    return failed(error);
  }
}

function unreadable(key: string, stored: Uint8Array): UnreadableValueError {
  const head = String.fromCharCode(...stored.subarray(0, headLettersMax));
  const sealedBy = /^k8s:enc:[^:]*:[^:]*:[^:]*(?=:)/.exec(head)?.[0];
  const how =
    sealedBy === undefined
      ? "it is not encrypted, and the encryption configuration does not name the identity provider"
      : `it was encrypted by ${sealedBy}, which is not in the encryption configuration`;
  return new UnreadableValueError(`Cannot read "${key}": ${how}`);
}

const headLettersMax = 300;

function hasPrefix(stored: Uint8Array, prefix: string): boolean {
  if (prefix === "") return !hasPrefix(stored, sealedMark);
  if (stored.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at += 1) {
    if (stored[at] !== prefix.charCodeAt(at)) return false;
  }
  return true;
}

function withPrefix(prefix: string, sealed: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(prefix.length + sealed.length);
  for (let at = 0; at < prefix.length; at += 1) bytes[at] = prefix.charCodeAt(at);
  bytes.set(sealed, prefix.length);
  return bytes;
}
