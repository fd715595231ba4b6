import type { Call } from "#apiserver/call.ts";
import { objectKey } from "#apiserver/objects/keys.ts";

interface Mismatch {
  readonly word: "UID" | "ResourceVersion";
  readonly asked: string;
  readonly found: string;
}

/** Why the object that is there is not the one that was meant, as upstream's storage words it. */
export function preconditionText(call: Call, { word, asked, found }: Mismatch): string {
  const key = objectKey(call.kind, call.info.namespace, call.info.name);
  const why = `Precondition failed: ${word} in precondition: ${asked}, ${word} in object meta: ${found}`;
  return `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;
}
