import type { Clock } from "#base/clock.ts";
import type { Random } from "#base/random.ts";
import type { NodeFailures } from "#agent/simulated/node-groups.ts";
import type { Client } from "#client/client.ts";

export interface UnreachableOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly failures: NodeFailures;
}

/**
 * A client that now and then reaches nobody, as that of a node that lost its network: it renews no lease and reports no
 * status meanwhile. Watches that are open go on.
 */
export function unreachableClient(
  client: Client,
  { clock, random, failures: { everySeconds, forSeconds } }: UnreachableOptions,
): Client & Disposable {
  let isDown = false;
  let cancel = (): void => {};
  const wait = (meanSeconds: number, next: () => void): void => {
    // The time between events that come by chance; at least a moment.
    const seconds = Math.max(0.1, -Math.log(1 - random()) * meanSeconds);
    cancel = clock.after(seconds * 1000, next);
  };
  const goDown = (): void => {
    isDown = true;
    cancel = clock.after(forSeconds * 1000, comeBack);
  };
  const comeBack = (): void => {
    isDown = false;
    wait(everySeconds, goDown);
  };
  comeBack();
  const reach = <T>(call: () => Promise<T>): Promise<T> =>
    isDown ? Promise.reject(new Error("Cannot reach the API: the simulated node is down")) : call();
  return {
    get: (...words) => reach(() => client.get(...words)),
    list: (...words) => reach(() => client.list(...words)),
    watch: (...words) => reach(() => client.watch(...words)),
    create: (...words) => reach(() => client.create(...words)),
    update: (...words) => reach(() => client.update(...words)),
    patch: (...words) => reach(() => client.patch(...words)),
    delete: (...words) => reach(() => client.delete(...words)),
    deleteCollection: (...words) => reach(() => client.deleteCollection(...words)),
    post: (...words) => reach(() => client.post(...words)),
    read: (...words) => reach(() => client.read(...words)),
    [Symbol.dispose]: () => cancel(),
  };
}
