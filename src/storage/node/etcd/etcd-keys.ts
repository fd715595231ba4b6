import { Buffer } from "node:buffer";
import { decodeKey, encodeKey } from "#storage/node/key-bytes.ts";
import type { EtcdKeyValue } from "#storage/node/etcd/etcd-messages.ts";
import type { Entry, Range } from "#storage/store.ts";

/**
 * A new etcd is at revision 1, a new store at 0; from there they count alike. `KEY` of the store is `PREFIX/KEY` in
 * etcd, where others may keep other things.
 */
export class EtcdKeys {
  readonly #prefix: Buffer;

  /** @param prefix such as `/kogge`; a slash follows it */
  constructor(prefix: string) {
    this.#prefix = Buffer.from(`${prefix.replace(/\/+$/, "")}/`);
  }

  key(key: string): Buffer {
    return Buffer.concat([this.#prefix, encodeKey(key)]);
  }

  range({ start, end }: Range): { readonly key: Buffer; readonly rangeEnd: Buffer } {
    return {
      key: this.key(start === "" ? firstKey : start),
      rangeEnd: end === "" ? this.everything.rangeEnd : this.key(end),
    };
  }

  /** All that lies below the prefix, the mark included. */
  get everything(): { readonly key: Buffer; readonly rangeEnd: Buffer } {
    const rangeEnd = Buffer.from(this.#prefix);
    rangeEnd[rangeEnd.length - 1] = "/".charCodeAt(0) + 1;
    return { key: this.#prefix, rangeEnd };
  }

  /** A key no store key can have: they hold no NUL. Writing it moves the revision where watches see it. */
  get mark(): Buffer {
    return Buffer.concat([this.#prefix, Buffer.from("\0progress")]);
  }

  /** Undefined for a key of the store's own. */
  keyOf(bytes: Buffer): string | undefined {
    const key = bytes.subarray(this.#prefix.length);
    return key.length === 0 || key[0] === 0 ? undefined : decodeKey(key);
  }

  entry(pair: EtcdKeyValue): Entry {
    const key = decodeKey(pair.key.subarray(this.#prefix.length));
    return { key, value: pair.value, revision: storeRevision(pair.modRevision) };
  }
}

const firstKey = "\u0001";

export function storeRevision(etcdRevision: number): number {
  return etcdRevision - 1;
}

export function etcdRevision(revision: number): number {
  return revision + 1;
}
