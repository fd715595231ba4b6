import { prefixRange } from "#storage/store.ts";
import { apiServerEndpoints, type ServerAddress } from "#apiserver/bootstrap/api-server-service.ts";
import { ensure } from "#apiserver/bootstrap/ensure.ts";
import { objectsAt, numberAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Keeps the endpoints of `default/kubernetes` to the servers that live, where several share a store. Each writes a
 * key of its own every ten seconds; one whose key stands still for thirty by another's clock is dead. No clocks of
 * different machines are compared. Disposing takes this server out.
 */
export async function startServerAddresses(
  state: ServerState,
  own: ServerAddress,
): Promise<AsyncDisposable> {
  const servers = new LiveServers(state, own);
  await servers.round();
  servers.schedule();
  return servers;
}

/** Outside of what is served. */
const serversPrefix = "/kogge/servers/";
const renewMs = 10_000;
const deadAfterMs = 30_000;

class LiveServers implements AsyncDisposable {
  readonly #state: ServerState;
  readonly #ownKey: string;
  /** When each key was last seen to change, and to what. */
  readonly #seen = new Map<string, { readonly revision: number; readonly atMs: number }>();
  #cancel = (): void => {};
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(state: ServerState, { ip, port }: ServerAddress) {
    this.#state = state;
    this.#ownKey = `${serversPrefix}${ip}/${port}`;
  }

  async round(): Promise<void> {
    await this.#renew();
    await this.#publish(await this.#live());
  }

  schedule(): void {
    if (this.#stopped) return;
    this.#cancel = this.#state.clock.after(renewMs, () => {
      this.#running = this.round().catch((error: unknown) => {
        if (!this.#stopped) this.#state.log.warn("server's address was not renewed", { error });
      });
      void this.#running.then(() => this.schedule());
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
    try {
      const { store } = this.#state;
      await store.delete(this.#ownKey, (await store.get(this.#ownKey))?.revision ?? 0);
      await this.#publish(await this.#live());
    } catch (error) {
      this.#state.log.warn("server's address was not taken out", { error });
    }
  }

  async #renew(): Promise<void> {
    const { store } = this.#state;
    const present = await store.get(this.#ownKey);
    // Another process with the same address is this one's past.
    await store.put(this.#ownKey, new Uint8Array(), present?.revision ?? 0);
  }

  async #live(): Promise<readonly ServerAddress[]> {
    const { store, clock } = this.#state;
    const { entries } = await store.list(prefixRange(serversPrefix));
    const live: ServerAddress[] = [];
    for (const { key, revision } of entries) {
      const before = this.#seen.get(key);
      if (before?.revision !== revision) this.#seen.set(key, { revision, atMs: clock.now() });
      else if (clock.now() - before.atMs > deadAfterMs) {
        this.#seen.delete(key);
        await store.delete(key, revision);
        continue;
      }
      live.push(addressOf(key));
    }
    return live;
  }

  async #publish(live: readonly ServerAddress[]): Promise<void> {
    const present = lookUp(this.#state, endpoints, { namespace: "default", name: "kubernetes" });
    const names = live.map(({ ip, port }) => `${ip}/${port}`).toSorted();
    const shown = objectsAt(present, "subsets").flatMap((subset) =>
      objectsAt(subset, "addresses").flatMap((address) =>
        objectsAt(subset, "ports").map(
          (port) => `${stringAt(address, "ip")}/${numberAt(port, "port")}`,
        ),
      ),
    );
    if (shown.toSorted().join() === names.join()) return;
    for (const object of apiServerEndpoints(live)) await ensure(this.#state, object, true);
  }
}

const endpoints = { group: "", resource: "endpoints" };

function addressOf(key: string): ServerAddress {
  const [ip = "", port = ""] = key.slice(serversPrefix.length).split("/");
  return { ip, port: Number(port) };
}
