import type { Clock } from "#base/clock.ts";
import type { HttpsTransport } from "#client/node/https-transport.ts";
import type { Transport } from "#client/transport.ts";

/** A transport whose connections can be exchanged while others use it: after a certificate was renewed. */
export interface SwitchingTransport extends Transport, Disposable {
  /** New requests take `next`; those under way have a minute to end. */
  switchTo(next: HttpsTransport): void;
}

const farewellMs = 60_000;

export function createSwitchingTransport(first: HttpsTransport, clock: Clock): SwitchingTransport {
  let current = first;
  const leaving = new Set<HttpsTransport>();
  return {
    request: (request) => current.request(request),
    watch: (request) => current.watch(request),
    switchTo(next) {
      const old = current;
      current = next;
      leaving.add(old);
      clock.after(farewellMs, () => {
        old[Symbol.dispose]();
        leaving.delete(old);
      });
    },
    [Symbol.dispose]() {
      for (const transport of [current, ...leaving]) transport[Symbol.dispose]();
    },
  };
}
