import type { WireTable } from "#base/node/wire-table.ts";

/**
 * containerd's own event stream, which every version has; CRI's `GetContainerEvents` came with 1.7. The event inside
 * the envelope is a `google.protobuf.Any`; all the events that are read have a container id as field 1.
 */
export const eventTable: WireTable = {
  package: "containerd.services.events.v1",
  messages: {
    SubscribeRequest: "filters 1 string[]",
    Envelope: "namespace 2 string, topic 3 string, event 4 Any",
    Any: "typeUrl 1 string, value 2 bytes",
  },
  enums: {},
  services: [
    {
      name: "Events",
      methods: {
        Subscribe: { request: "SubscribeRequest", response: "Envelope", streams: true },
      },
    },
  ],
};

/** `TaskStart`, `TaskExit`, `TaskExecStarted` and `ContainerDelete`: the strings in fields 1 and 2, the number in 3. */
export function readEventIds(value: Uint8Array): {
  containerId: string;
  processId: string;
  pid: number;
} {
  const ids = ["", "", ""];
  let at = 0;
  while (at + 1 < value.length) {
    const tag = value[at] ?? 0;
    const length = value[at + 1] ?? 0;
    // Ids are shorter than 128 bytes, so their length is one byte; anything else ends the reading.
    if ((tag & 7) !== 2 || tag >> 3 > 2 || length > 127) break;
    ids[tag >> 3] = new TextDecoder().decode(value.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  const pid = value[at] === pidTag ? readVarint(value, at + 1) : 0;
  return { containerId: ids[1] ?? "", processId: ids[2] ?? "", pid };
}

/** Field 3, a varint. */
const pidTag = 0x18;

function readVarint(value: Uint8Array, start: number): number {
  let result = 0;
  for (let at = start, factor = 1; at < value.length; at += 1, factor *= 128) {
    const byte = value[at] ?? 0;
    result += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  return result;
}
