import type { JsonObject } from "#api/kind.ts";
import { randomUid } from "#base/random.ts";
import {
  heldBy,
  type Numbers,
  type ServiceAllocator,
} from "#apiserver/allocation/service-allocator.ts";
import type { HookedWrite } from "#apiserver/hooks/resource-hooks.ts";
import { KeyQueue } from "#apiserver/objects/key-queue.ts";
import { cloneJson, objectAt } from "#apiserver/objects/json.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { StatusError } from "#api/status.ts";
import type { Entry } from "#storage/store.ts";

/** What a server has given to a service that it is about to write. */
interface Claim extends Numbers {
  readonly id: string;
  readonly atMs: number;
}

/**
 * Allocation where several servers share a store: what is given out is first noted in one key of the store under
 * compare-and-swap, so that of two servers that choose at the same time one chooses again. A note goes when its
 * service is there, when the write fails, or after a minute: longer than any write takes.
 */
export class SharedClaims {
  readonly #services: ServiceAllocator;
  /** Writes of this server take turns: only other servers are rivals. */
  readonly #turns = new KeyQueue();

  constructor(services: ServiceAllocator) {
    this.#services = services;
  }

  allocate(write: HookedWrite): Promise<() => void> {
    return this.#turns.run(claimsKey, () => this.#allocateInTurn(write));
  }

  async #allocateInTurn(write: HookedWrite): Promise<() => void> {
    const { server, object, old } = write;
    const asked = cloneJson(objectAt(object, "spec"));
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const noted = await server.store.get(claimsKey);
      // Whoever took a note away did so because the service is there: now it is in this cache too.
      await server.cache.current();
      const claims = this.#stillOpen(server, noted);
      using _ = this.#services.reserveFor(claims);
      const undo = this.#services.allocate(write);
      const claim = newClaim(server, object, old);
      if (write.dryRun || claim === undefined) return undo;
      const result = await server.store.put(
        claimsKey,
        encode([...claims, claim]),
        revisionOf(noted),
      );
      if (result.ok) {
        return () => {
          undo();
          void this.#turns.run(claimsKey, () => this.#remove(server, claim.id));
        };
      }
      undo();
      object.spec = cloneJson(asked);
    }
    throw tooBusy();
  }

  #stillOpen(server: ServerState, noted: Entry | undefined): readonly Claim[] {
    return decode(noted).filter(
      (claim) => claim.atMs + lifeMs > server.clock.now() && !this.#services.holds(claim),
    );
  }

  /** Left behind, it would go by itself a little later. */
  async #remove(server: ServerState, id: string): Promise<void> {
    try {
      for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
        const noted = await server.store.get(claimsKey);
        const left = decode(noted).filter((claim) => claim.id !== id);
        const result = await server.store.put(claimsKey, encode(left), revisionOf(noted));
        if (result.ok) return;
      }
    } catch (error) {
      server.log.debug("claim was not taken back", { error });
    }
  }
}

/** Outside of what is served. */
const claimsKey = "/kogge/service-claims";
const lifeMs = 60_000;
/** Each one lost means that another server has won one. */
const attemptsMax = 32;

function newClaim(
  { random, clock }: ServerState,
  object: JsonObject,
  old: JsonObject | undefined,
): Claim | undefined {
  const now = heldBy(object);
  const before = heldBy(old ?? {});
  const addresses = now.addresses.filter((one) => !before.addresses.includes(one));
  const ports = now.ports.filter((one) => !before.ports.includes(one));
  if (addresses.length + ports.length === 0) return undefined;
  return { id: randomUid(random), atMs: clock.now(), addresses, ports };
}

function encode(claims: readonly Claim[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(claims));
}

function decode(noted: Entry | undefined): readonly Claim[] {
  return noted === undefined ? [] : (JSON.parse(new TextDecoder().decode(noted.value)) as Claim[]);
}

function revisionOf(noted: Entry | undefined): number {
  return noted?.revision ?? 0;
}

function tooBusy(): StatusError {
  return new StatusError({
    code: 500,
    reason: "ServerTimeout",
    message:
      "The create operation against services could not be completed at this time, please try again.",
    details: { kind: "services", retryAfterSeconds: 1 },
  });
}
