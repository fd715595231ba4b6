import type { APIService } from "#api/generated/types.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { Trust } from "#apiserver/outgoing.ts";
import type { ServiceReference } from "#apiserver/service-address.ts";

/** A group version that another server serves. */
export interface Extension {
  /** Of the `APIService`. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly groupPriority: number;
  readonly versionPriority: number;
  readonly service: ServiceReference;
  readonly trust: Trust;
  readonly available: boolean;
}

export const apiServicesPrefix = resourcePrefix({
  group: "apiregistration.k8s.io",
  resource: "apiservices",
});

/** The group versions that other servers serve, as stored `APIService` objects have it. */
export class ExtensionIndex implements Disposable {
  readonly #cache: StoreCache;
  readonly #watching: Disposable;
  readonly #onChange: () => void;
  readonly #read = new WeakMap<StoredObject, Extension | undefined>();
  #extensions: ReadonlyMap<string, Extension>;

  constructor(cache: StoreCache, onChange: () => void) {
    this.#cache = cache;
    this.#onChange = onChange;
    const resource = cache.resource(apiServicesPrefix);
    const load = (): void => {
      const before = this.#extensions.size;
      this.#extensions = this.#load();
      if (before > 0 || this.#extensions.size > 0) this.#onChange();
    };
    this.#watching = resource.watch({ prefix: apiServicesPrefix, onChange: load });
    this.#extensions = this.#load();
  }

  get size(): number {
    return this.#extensions.size;
  }

  all(): Iterable<Extension> {
    return this.#extensions.values();
  }

  find(group: string, version: string): Extension | undefined {
    return this.#extensions.get(`${group}/${version}`);
  }

  [Symbol.dispose](): void {
    this.#watching[Symbol.dispose]();
  }

  #load(): ReadonlyMap<string, Extension> {
    const stored = this.#cache.resource(apiServicesPrefix).list(apiServicesPrefix);
    const found = stored.flatMap((one) => this.#extensionOf(one) ?? []);
    return new Map(found.map((one) => [`${one.group}/${one.version}`, one]));
  }

  #extensionOf(stored: StoredObject): Extension | undefined {
    if (!this.#read.has(stored)) {
      this.#read.set(stored, read(stored.object as unknown as APIService));
    }
    return this.#read.get(stored);
  }
}

/** Undefined for what this server serves itself. */
function read({ metadata, spec, status }: APIService): Extension | undefined {
  const service = spec?.service;
  if (spec === undefined || !service) return undefined;
  const { namespace = "", name = "", port = 443 } = service;
  const condition = status?.conditions?.find(({ type }) => type === "Available");
  return {
    name: metadata.name ?? "",
    group: spec.group ?? "",
    version: spec.version ?? "",
    groupPriority: spec.groupPriorityMinimum,
    versionPriority: spec.versionPriority,
    service: { namespace, name, port },
    trust: {
      ...(spec.caBundle && { authorities: atob(spec.caBundle) }),
      ...(spec.insecureSkipTLSVerify && { unverified: true }),
      serverName: `${name}.${namespace}.svc`,
      asFrontProxy: true,
    },
    available: condition?.status === "True",
  };
}
