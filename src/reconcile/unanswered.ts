import { placeOf, type KubeObject, type ObjectName } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { isAlreadyExists, isNotFound, StatusError } from "#api/status.ts";
import { sleep, type Clock } from "#base/clock.ts";
import { randomSuffix, type Random } from "#base/random.ts";
import type { Client, DeleteOptions, WriteOptions } from "#client/client.ts";
import type { Informers } from "#client/informers.ts";
import { controllerRefOf } from "#reconcile/owners.ts";

/*
 * A write that gets no answer may have happened all the same. Done again as it was, it must not happen twice: a
 * created object's name is chosen here, so that the second attempt finds the first one's object; a deletion names the
 * uid. What cannot be done again is read: its caller hears of the failure when the informer shows all that happened.
 */

export interface SureWrites {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

const attemptsMax = 8;
const pauseMinMs = 50;
const pauseMaxMs = 5_000;
/** As often as the server tries another random name. */
const namesMax = 8;
/**
 * A watch this far behind is broken; the write is then reported as failed and reconciled again, on what is known by
 * then. As long as upstream waits for what it expects: well over the longest pause of a broken watch.
 */
export const behindMaxMs = 300_000;

/** Whether the error leaves open if the write happened: no answer came, or a gateway's. */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof StatusError)) return true;
  const { code, reason } = error.status;
  return reason === "Timeout" || code === 502 || code === 504;
}

/** Creates the object once, however often the answer is lost. */
export async function createOnce<T extends KubeObject>(
  parts: SureWrites,
  resource: Resource<T>,
  ...[object, options = {}]: [T, WriteOptions | undefined]
): Promise<T> {
  let wanted = named(object, parts.random);
  let lost = 0;
  for (let names = 1; ;) {
    try {
      return await parts.client.create(resource, wanted, options);
    } catch (error) {
      if (isAlreadyExists(error)) {
        const own = lost > 0 ? await ownOne(parts, resource, wanted) : undefined;
        if (own !== undefined) return own;
        if (wanted === object || names++ === namesMax) throw error;
        wanted = named(object, parts.random);
        lost = 0;
      } else await again(parts, { resource, at: placeOf(wanted) }, { error, lost: lost++ });
    }
  }
}

/** Deletes the object of this uid. That it is gone when the answer to an earlier attempt was lost is a success. */
export async function deleteOnce<T extends KubeObject>(
  parts: SureWrites,
  resource: Resource<T>,
  ...[at, options]: [ObjectName, DeleteOptions]
): Promise<void> {
  const sure = options.preconditions?.uid !== undefined;
  for (let lost = 0; ;) {
    try {
      return await parts.client.delete(resource, at, options);
    } catch (error) {
      if (lost > 0 && isNotFound(error)) return;
      await again(
        parts,
        { resource, at },
        { error, lost: lost++, attempts: sure ? attemptsMax : 1 },
      );
    }
  }
}

/** Runs a write that is not done again; when its answer is lost, it fails once the informer shows what happened. */
export async function tryOnce<T extends KubeObject>(
  parts: SureWrites,
  { resource, at }: Target<T>,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isFinal(parts, error)) throw error;
    return giveUp(parts, { resource, at }, error);
  }
}

export interface Target<T extends KubeObject> {
  readonly resource: Resource<T>;
  readonly at: ObjectName;
}

/** Throws what is final; otherwise returns when it is time for another attempt. */
async function again<T extends KubeObject>(
  parts: SureWrites,
  target: Target<T>,
  { error, lost, attempts = attemptsMax }: Attempted,
): Promise<void> {
  const { signal } = parts;
  // A refusal says nothing of the attempts before it: one of them may have happened.
  if (isFinal(parts, error) && (lost === 0 || signal.aborted)) throw error;
  if (isFinal(parts, error) || lost + 1 >= attempts) return giveUp(parts, target, error);
  await sleep(parts.clock, pauseAfter(lost), signal);
}

interface Attempted {
  readonly error: unknown;
  /** Attempts before this one that got no answer. */
  readonly lost: number;
  /** At most. */
  readonly attempts?: number;
}

function isFinal({ signal }: SureWrites, error: unknown): boolean {
  return signal.aborted || !isUnanswered(error);
}

async function giveUp<T extends KubeObject>(
  parts: SureWrites,
  target: Target<T>,
  error: unknown,
): Promise<never> {
  await catchUp(parts, target).catch(() => undefined); // The first problem is the one to tell.
  throw error;
}

/** Resolves when the informer shows the object as it is. */
async function catchUp<T extends KubeObject>(
  parts: SureWrites,
  { resource, at }: Target<T>,
): Promise<void> {
  const informer = parts.informers.known(resource);
  if (informer === undefined) return;
  const there = await read(parts, { resource, at });
  if (there) await informer.reached(there.metadata.resourceVersion ?? "0", behindMaxMs);
  else await informer.untilObject(at, (known) => known === undefined, behindMaxMs);
}

/** By a list: whoever has an informer may list, but need not be allowed to get. */
async function read<T extends KubeObject>(
  parts: SureWrites,
  { resource, at: { name, namespace } }: Target<T>,
): Promise<T | undefined> {
  const { client, clock, signal } = parts;
  const where = { ...(namespace && { namespace }), fieldSelector: `metadata.name=${name}`, signal };
  for (let failed = 0; ; failed++) {
    try {
      return (await client.list(resource, where)).items[0];
    } catch (error) {
      if (isFinal(parts, error) || failed === readsMax) throw error;
      await sleep(clock, pauseAfter(failed), signal);
    }
  }
}

/** For about as long as a watch may be behind. */
const readsMax = 60;

function pauseAfter(failed: number): number {
  return Math.min(pauseMinMs * 2 ** failed, pauseMaxMs);
}

/** The object with a name of its own, where the server was to make one up; otherwise the same. */
function named<T extends KubeObject>(object: T, random: Random): T {
  const { name, generateName } = object.metadata;
  if (name || !generateName) return object;
  const chosen = generateName.slice(0, prefixMax) + randomSuffix(random);
  return { ...object, metadata: { ...object.metadata, name: chosen } };
}

/** As the server, which leaves room for the suffix of five letters in the 63 of a label. */
const prefixMax = 58;

/** What an attempt without an answer has made: it has the same owner. */
async function ownOne<T extends KubeObject>(
  parts: SureWrites,
  resource: Resource<T>,
  wanted: T,
): Promise<T | undefined> {
  const owner = controllerRefOf(wanted)?.uid;
  if (owner === undefined) return undefined;
  const there = await read(parts, { resource, at: placeOf(wanted) });
  return there && controllerRefOf(there)?.uid === owner ? there : undefined;
}
