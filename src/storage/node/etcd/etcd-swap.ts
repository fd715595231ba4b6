import type { ServiceError } from "@grpc/grpc-js";
import type { EtcdConnection } from "#storage/node/etcd/etcd-connection.ts";
import { failureOf, storeError } from "#storage/node/etcd/etcd-errors.ts";
import { etcdRevision, storeRevision } from "#storage/node/etcd/etcd-keys.ts";
import type { EtcdKeys } from "#storage/node/etcd/etcd-keys.ts";
import type { TxnAnswer } from "#storage/node/etcd/etcd-messages.ts";
import { StoreUnavailableError, type Entry, type WriteResult } from "#storage/store.ts";

export interface Swap {
  readonly key: string;
  /** The revision the key must have; 0: it must not be there. */
  readonly expected: number;
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined;
}

/**
 * One compare-and-swap. When the connection breaks after the request went out, the same swap is sent again: if the
 * first was carried out, the second one fails and finds what the first one left.
 * @throws StoreUnavailableError when it stays open whether the write was made
 */
export async function swap(
  connection: EtcdConnection,
  keys: EtcdKeys,
  write: Swap,
): Promise<WriteResult> {
  const request = requestOf(keys, write);
  let doubt: ServiceError | undefined;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await connection.call<TxnAnswer>("KV/Txn", request, { once: true });
      if (answer.succeeded) return { ok: true, revision: storeRevision(answer.header.revision) };
      const current = currentOf(keys, answer);
      return doubt === undefined ? { ok: false, current } : afterDoubt(write, current, doubt);
    } catch (error) {
      if (error instanceof StoreUnavailableError) throw error;
      const problem = error as ServiceError;
      if (failureOf(problem) !== "doubtful" || attempt === repeatsMax) throw failed(write, problem);
      doubt = problem;
    }
  }
}

/** Each repeat goes from member to member for as long as a call may take. */
const repeatsMax = 2;

function requestOf(keys: EtcdKeys, { key, expected, value }: Swap): object {
  const bytes = keys.key(key);
  return {
    compare: [
      {
        result: "EQUAL",
        target: "MOD",
        key: bytes,
        modRevision: expected === 0 ? 0 : etcdRevision(expected),
      },
    ],
    success: [
      value === undefined ? { deleteRange: { key: bytes } } : { put: { key: bytes, value } },
    ],
    failure: [{ range: { key: bytes } }],
  };
}

function currentOf(keys: EtcdKeys, answer: TxnAnswer): Entry | undefined {
  const pair = answer.responses[0]?.range?.kvs[0];
  return pair && keys.entry(pair);
}

/** Whether what is there now is what the earlier attempt wrote. */
function afterDoubt(write: Swap, current: Entry | undefined, doubt: ServiceError): WriteResult {
  const isOurs =
    current !== undefined &&
    write.value !== undefined &&
    Buffer.compare(current.value, write.value) === 0;
  if (isOurs) return { ok: true, revision: current.revision };
  throw failed(write, doubt);
}

function failed({ key, value }: Swap, problem: ServiceError): Error {
  const act = value === undefined ? "delete" : "write";
  return storeError(`${act} "${key}"`, problem);
}
