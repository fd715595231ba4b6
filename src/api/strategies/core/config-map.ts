import type { ConfigMap } from "#api/generated/types.ts";
import { byteLength } from "#api/names.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import type { Field } from "#api/validation/field.ts";
import { configKeyProblems } from "#api/validation/formats.ts";
import { sameMeaning } from "#api/validation/equality.ts";
import { entriesOf } from "#api/validation/given.ts";

/** Config maps and secrets hold at most this much. */
export const contentMaxBytes = 1024 * 1024;

const immutableRule = "field is immutable when `immutable` is set";

export const configMapStrategy = strategyFor<ConfigMap>({
  validate(root, configMap) {
    const { data, binaryData } = configMap;
    let sizeBytes = 0;
    for (const [key, value] of entriesOf(data)) {
      const at = root.child("data").key(key);
      at.invalidAll(key, configKeyProblems(key));
      if (binaryData && key in binaryData)
        at.invalid(key, "duplicate of key present in binaryData");
      sizeBytes += byteLength(value ?? "");
    }
    for (const [key, value] of entriesOf(binaryData)) {
      root.child("binaryData").key(key).invalidAll(key, configKeyProblems(key));
      sizeBytes += decodedLength(value ?? "");
    }
    if (sizeBytes > contentMaxBytes) wholeOf(root).tooLong(contentMaxBytes);
  },
  validateUpdate(root, configMap, old) {
    if (!old.immutable) return;
    checkStaysImmutable(root, configMap.immutable);
    for (const name of ["data", "binaryData"] as const) {
      if (!sameMeaning(configMap[name], old[name])) root.child(name).forbidden(immutableRule);
    }
  },
});

/** The object as a whole is called `[]`, as upstream calls a field without a name. */
export function wholeOf(root: Field): Field {
  return root.index("");
}

export function checkStaysImmutable(root: Field, immutable: boolean | null | undefined): void {
  if (!immutable) root.child("immutable").forbidden(immutableRule);
}

/** The bytes that a base64 text stands for. */
export function decodedLength(base64: string): number {
  const text = base64.replace(/\s/g, "");
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.max(0, Math.floor((text.length * 3) / 4) - padding);
}
