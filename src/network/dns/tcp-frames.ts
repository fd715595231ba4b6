/** DNS over TCP (RFC 1035, 4.2.2): each message behind its length in two bytes. */
export function withLength(message: Buffer): Buffer {
  const frame = Buffer.alloc(message.length + 2);
  frame.writeUInt16BE(message.length, 0);
  message.copy(frame, 2);
  return frame;
}

/** Puts messages together from the pieces that a connection brings. */
export function messageReader(take: (message: Buffer) => void): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= 2) {
      const end = 2 + rest.readUInt16BE(0);
      if (rest.length < end) return;
      const message = rest.subarray(2, end);
      rest = rest.subarray(end);
      take(message);
    }
  };
}
