import type { JsonObject } from "#api/kind.ts";
import type { Log } from "#base/log.ts";
import type { Hook } from "#apiserver/admission/webhooks/hook.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";

export interface HookSource {
  readonly cache: StoreCache;
  readonly log: Log;
  /** `mutatingwebhookconfigurations` or `validatingwebhookconfigurations`. */
  readonly resource: string;
  readonly read: (configuration: JsonObject) => readonly Hook[];
}

/** The webhooks of one kind of configuration, by the name of the configuration, then in their order in it. */
export class HookIndex implements Disposable {
  readonly #source: HookSource;
  readonly #watching: Disposable;
  readonly #prefix: string;
  readonly #read = new WeakMap<StoredObject, readonly Hook[]>();
  #hooks: readonly Hook[] = [];

  constructor(source: HookSource) {
    this.#source = source;
    this.#prefix = resourcePrefix({
      group: "admissionregistration.k8s.io",
      resource: source.resource,
    });
    const resource = source.cache.resource(this.#prefix);
    this.#watching = resource.watch({ prefix: this.#prefix, onChange: () => this.#load() });
    this.#load();
  }

  /** Empty in most clusters. */
  get hooks(): readonly Hook[] {
    return this.#hooks;
  }

  [Symbol.dispose](): void {
    this.#watching[Symbol.dispose]();
  }

  #load(): void {
    const { cache } = this.#source;
    this.#hooks = cache
      .resource(this.#prefix)
      .list(this.#prefix)
      .flatMap((stored) => this.#hooksOf(stored));
  }

  #hooksOf(stored: StoredObject): readonly Hook[] {
    let hooks = this.#read.get(stored);
    if (hooks === undefined) {
      hooks = this.#tryRead(stored);
      this.#read.set(stored, hooks);
    }
    return hooks;
  }

  /** What is stored was validated; should it be unreadable all the same, the others still count. */
  #tryRead(stored: StoredObject): readonly Hook[] {
    try {
      return this.#source.read(stored.object);
    } catch (error) {
      this.#source.log.error("webhook configuration cannot be used", { key: stored.key, error });
      return [];
    }
  }
}
