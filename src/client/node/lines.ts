/** A line of a watch longer than this breaks the watch: no object the API takes is near it. */
export const lineBytesMax = 16 * 1024 * 1024;

/** Splits a stream of bytes at newlines. Throws when a line exceeds `limitBytes`. Empty lines are left out. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number = lineBytesMax,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      parts.push(chunk.subarray(start, end));
      const line = decoder.decode(joined(parts));
      parts = [];
      heldBytes = 0;
      start = end + 1;
      if (line !== "") yield line;
    }
    parts.push(chunk.subarray(start));
    heldBytes += chunk.length - start;
    if (heldBytes > limitBytes) {
      throw new Error(`Cannot read the watch: a line exceeds ${limitBytes} bytes`);
    }
  }
}

const newline = 0x0a;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
}
