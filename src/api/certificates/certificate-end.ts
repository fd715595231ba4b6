import {
  childrenOf,
  DerError,
  type DerValue,
  derTags,
  expectTag,
  readDer,
} from "#api/certificates/der-reader.ts";
import { pemBlocks } from "#api/certificates/pem.ts";

/** When the first certificate of a PEM text ends; undefined when there is none that can be read. */
export function certificateEndMs(pem: string): number | undefined {
  const [block] = pemBlocks(pem);
  if (block?.type !== "CERTIFICATE") return undefined;
  try {
    const [body] = childrenOf(readDer(block.bytes));
    const fields = childrenOf(expectTag(body, derTags.sequence));
    // Version (of what is not version 1), serial number, algorithm and issuer come before.
    const validity = fields[fields[0]?.tag === versionTag ? 4 : 3];
    return timeOf(childrenOf(expectTag(validity, derTags.sequence))[1]);
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

const versionTag = 0xa0;

function timeOf(value: DerValue | undefined): number | undefined {
  const text = new TextDecoder().decode(value?.content);
  const long = value?.tag === derTags.utcTime ? `${text < "5" ? "20" : "19"}${text}` : text;
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(long) ?? [];
  if (parts.length === 0) return undefined;
  const [year = 0, month = 1, day, hour, minute, second] = parts.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
