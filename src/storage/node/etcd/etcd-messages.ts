import type { WireTable } from "#base/node/wire-table.ts";

/** What is spoken of etcd's version 3 protocol. Fields that are neither sent nor read are left out. */
export const etcdTable: WireTable = {
  package: "etcdserverpb",
  messages: {
    Header: "revision 3 int64",
    KeyValue: "key 1 bytes, modRevision 3 int64, value 5 bytes",
    RangeRequest:
      "key 1 bytes, rangeEnd 2 bytes, limit 3 int64, revision 4 int64, keysOnly 8 bool, countOnly 9 bool",
    RangeResponse: "header 1 Header, kvs 2 KeyValue[], more 3 bool, count 4 int64",
    PutRequest: "key 1 bytes, value 2 bytes",
    PutResponse: "header 1 Header",
    DeleteRangeRequest: "key 1 bytes",
    DeleteRangeResponse: "header 1 Header, deleted 2 int64",
    RequestOp: "range 1 RangeRequest, put 2 PutRequest, deleteRange 3 DeleteRangeRequest",
    ResponseOp: "range 1 RangeResponse, put 2 PutResponse, deleteRange 3 DeleteRangeResponse",
    Compare: "result 1 CompareResult, target 2 CompareTarget, key 3 bytes, modRevision 6 int64",
    TxnRequest: "compare 1 Compare[], success 2 RequestOp[], failure 3 RequestOp[]",
    TxnResponse: "header 1 Header, succeeded 2 bool, responses 3 ResponseOp[]",
    CompactionRequest: "revision 1 int64",
    CompactionResponse: "header 1 Header",
    WatchRequest: "create 1 WatchCreateRequest",
    WatchCreateRequest: "key 1 bytes, rangeEnd 2 bytes, startRevision 3 int64, prevKv 6 bool",
    WatchResponse:
      "header 1 Header, created 3 bool, canceled 4 bool, compactRevision 5 int64, cancelReason 6 string, events 11 Event[]",
    Event: "type 1 EventType, kv 2 KeyValue, prevKv 3 KeyValue",
    StatusRequest: "",
    StatusResponse: "header 1 Header, version 2 string",
  },
  enums: {
    CompareResult: { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 },
    CompareTarget: { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 },
    EventType: { PUT: 0, DELETE: 1 },
  },
  services: [
    {
      name: "KV",
      methods: {
        Range: { request: "RangeRequest", response: "RangeResponse" },
        Put: { request: "PutRequest", response: "PutResponse" },
        Txn: { request: "TxnRequest", response: "TxnResponse" },
        Compact: { request: "CompactionRequest", response: "CompactionResponse" },
      },
    },
    {
      name: "Watch",
      methods: {
        Watch: {
          request: "WatchRequest",
          response: "WatchResponse",
          streams: true,
          requestStreams: true,
        },
      },
    },
    {
      name: "Maintenance",
      methods: { Status: { request: "StatusRequest", response: "StatusResponse" } },
    },
  ],
};

export interface EtcdKeyValue {
  readonly key: Buffer;
  readonly modRevision: number;
  readonly value: Buffer;
}

export interface RangeAnswer {
  readonly header: EtcdHeader;
  readonly kvs: readonly EtcdKeyValue[];
  readonly more: boolean;
  readonly count: number;
}

export interface TxnAnswer {
  readonly header: EtcdHeader;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly range: RangeAnswer | null }[];
}

export interface WatchAnswer {
  readonly header: EtcdHeader;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: readonly EtcdEvent[];
}

export interface EtcdEvent {
  /** 0 is a put, 1 a delete. */
  readonly type: number;
  readonly kv: EtcdKeyValue;
  readonly prevKv: EtcdKeyValue | null;
}

export interface EtcdHeader {
  readonly revision: number;
}
