import { Buffer } from "node:buffer";

// As little HTTP/1.1 as a load needs, so that the process that makes the load is not what limits it.

export interface Http1Request {
  readonly method: string;
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
}

export function requestText(request: Http1Request): string {
  const { body = "" } = request;
  const type = request.contentType === undefined ? "" : `content-type: ${request.contentType}\r\n`;
  const length = body === "" ? "" : `content-length: ${Buffer.byteLength(body)}\r\n`;
  return `${request.method} ${request.path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n${type}${length}\r\n${body}`;
}

/** Takes what comes on one connection and tells the status of each whole answer; answers have a content-length. */
export function readAnswers(answered: (status: number) => void): (chunk: Buffer) => void {
  let head: Buffer = Buffer.alloc(0);
  let missing = 0;
  let status = 0;
  return (chunk) => {
    let rest = chunk;
    while (rest.length > 0) {
      if (missing === 0) {
        head = head.length === 0 ? rest : Buffer.concat([head, rest]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        const text = head.toString("latin1", 0, end).toLowerCase();
        status = Number(text.slice(9, 12));
        missing = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0);
        rest = head.subarray(end + 4);
        head = Buffer.alloc(0);
      }
      const taken = Math.min(missing, rest.length);
      missing -= taken;
      rest = rest.subarray(taken);
      if (missing === 0) answered(status);
    }
  };
}
