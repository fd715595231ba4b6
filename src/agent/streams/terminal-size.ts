import type { TerminalSize } from "#agent/streams/process-streams.ts";

/**
 * Takes the resize channel's bytes as they come and tells each size in them: `{"Width":80,"Height":24}`, one after
 * the other, with or without newlines between. What is no size is passed over.
 */
export function createTerminalSizeReader(
  tell: (size: TerminalSize) => void,
): (chunk: Buffer) => void {
  let pending = "";
  return (chunk) => {
    pending += chunk.toString("utf8");
    for (let end = pending.indexOf("}"); end >= 0; end = pending.indexOf("}")) {
      const size = parseSize(pending.slice(0, end + 1));
      pending = pending.slice(end + 1);
      if (size !== undefined) tell(size);
    }
    if (pending.length > pendingMax) pending = "";
  };
}

const pendingMax = 1_024;
const charactersMax = 0xffff;

function parseSize(text: string): TerminalSize | undefined {
  const width = dimension(text, "Width");
  const height = dimension(text, "Height");
  return width === undefined || height === undefined ? undefined : { width, height };
}

function dimension(text: string, name: string): number | undefined {
  const digits = new RegExp(`"${name}"\\s*:\\s*(\\d{1,5})\\b`, "i").exec(text)?.[1];
  const value = Number(digits);
  return digits === undefined || value > charactersMax ? undefined : value;
}
