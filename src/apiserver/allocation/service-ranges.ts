import type { JsonObject } from "#api/kind.ts";
import {
  contains,
  covers,
  parseIpv4,
  parseIpv4Range,
  type Ipv4Range,
} from "#apiserver/allocation/ipv4-range.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import { objectAt, objectsAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";

const cidrs = { group: "networking.k8s.io", resource: "servicecidrs" };
const addresses = { group: "networking.k8s.io", resource: "ipaddresses" };

/** Where services' addresses come from: the cluster's own range, and those of ServiceCIDRs that are ready. */
export class ServiceRanges {
  readonly #own: Ipv4Range;
  readonly #more = new Map<string, readonly Ipv4Range[]>();
  /** Addresses that others have taken by an IPAddress of their own. */
  readonly #taken = new Map<string, number>();

  constructor(own: Ipv4Range) {
    this.#own = own;
  }

  follow(cache: StoreCache): void {
    const watch = (
      resource: { readonly group: string; readonly resource: string },
      note: (key: string, object: JsonObject | undefined) => void,
    ): void => {
      const prefix = resourcePrefix(resource);
      const stored = cache.resource(prefix);
      for (const one of stored.list(prefix)) note(one.key, one.object);
      stored.watch({
        prefix,
        onChange: ({ current, previous }) =>
          note(current?.key ?? previous?.key ?? "", current?.object),
      });
    };
    watch(cidrs, (key, object) => this.#noteRange(key, object));
    watch(addresses, (key, object) => this.#noteAddress(key, object));
  }

  all(): readonly Ipv4Range[] {
    return [this.#own, ...[...this.#more.values()].flat()];
  }

  /** The range that gives this address out, or one that only spans it. */
  rangeOf(address: number): Ipv4Range | undefined {
    const all = this.all();
    return (
      all.find((range) => contains(range, address)) ?? all.find((range) => covers(range, address))
    );
  }

  isReserved(address: number): boolean {
    for (const taken of this.#taken.values()) if (taken === address) return true;
    return false;
  }

  #noteRange(key: string, object: JsonObject | undefined): void {
    this.#more.delete(key);
    if (object === undefined || !isUsable(object)) return;
    const ranges = stringsAt(objectAt(object, "spec"), "cidrs").flatMap((text) => {
      if (text === this.#own.text || text.includes(":")) return [];
      try {
        return [parseIpv4Range(text)];
      } catch {
        return []; // Too small to give anything out.
      }
    });
    if (ranges.length > 0) this.#more.set(key, ranges);
  }

  #noteAddress(key: string, object: JsonObject | undefined): void {
    this.#taken.delete(key);
    if (object === undefined) return;
    const parent = objectAt(objectAt(object, "spec"), "parentRef");
    if (stringAt(parent, "group") === "" && stringAt(parent, "resource") === "services") return;
    const address = parseIpv4(stringAt(objectAt(object, "metadata"), "name"));
    if (address !== undefined) this.#taken.set(key, address);
  }
}

function isUsable(object: JsonObject): boolean {
  if (stringAt(objectAt(object, "metadata"), "deletionTimestamp") !== "") return false;
  return objectsAt(objectAt(object, "status"), "conditions").some(
    (condition) => condition.type === "Ready" && condition.status === "True",
  );
}
