export interface PemBlock {
  /** `CERTIFICATE`, `CERTIFICATE REQUEST`, … */
  readonly type: string;
  readonly hasHeaders: boolean;
  readonly bytes: Uint8Array;
}

/** The PEM blocks (RFC 7468) of a text, in their order. What lies between them is skipped. */
export function pemBlocks(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  const pattern = /-----BEGIN ([^\n-]+)-----\r?\n([^-]*)-----END \1-----/g;
  for (const [, type = "", body = ""] of text.matchAll(pattern)) {
    const hasHeaders = body.includes(":");
    const bytes = fromBase64(hasHeaders ? body.slice(body.search(/\r?\n\r?\n/)) : body);
    if (bytes !== undefined) blocks.push({ type, hasHeaders, bytes });
  }
  return blocks;
}

/** The bytes as a PEM block. */
export function pemOf(type: string, bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  const lines = btoa(binary).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${type}-----\n${lines.join("\n")}\n-----END ${type}-----\n`;
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text.replaceAll(/\s/g, "")), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}
