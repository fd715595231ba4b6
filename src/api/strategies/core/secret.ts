import type { Secret } from "#api/generated/types.ts";
import {
  checkStaysImmutable,
  contentMaxBytes,
  decodedLength,
} from "#api/strategies/core/config-map.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkImmutable, sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { configKeyProblems } from "#api/validation/formats.ts";
import { entriesOf, type Given, setWhereUnset } from "#api/validation/given.ts";

export const secretStrategy = strategyFor<Secret>({
  fillDefaults(secret) {
    setWhereUnset(secret, { type: "Opaque" });
    if (secret.stringData) {
      const encoded = Object.entries(secret.stringData).map(([key, text]) => [key, base64Of(text)]);
      secret.data = { ...secret.data, ...(Object.fromEntries(encoded) as Record<string, string>) };
    }
    delete secret.stringData;
  },
  prepareForUpdate(secret, old) {
    secret.type ||= old.type;
  },
  validate(root, secret) {
    const field = root.child("data");
    let sizeBytes = 0;
    for (const [key, value] of entriesOf(secret.data)) {
      field.key(key).invalidAll(key, configKeyProblems(key));
      sizeBytes += decodedLength(value ?? "");
    }
    if (sizeBytes > contentMaxBytes) field.tooLong(contentMaxBytes);
    checkByType(root, secret);
  },
  validateUpdate(root, secret, old) {
    checkImmutable(root.child("type"), secret.type, old.type);
    if (!old.immutable) return;
    checkStaysImmutable(root, secret.immutable);
    if (!sameMeaning(secret.data, old.data)) {
      root.child("data").forbidden("field is immutable when `immutable` is set");
    }
  },
  selectableFields: { type: (secret) => secret.type ?? "" },
});

const accountAnnotation = "kubernetes.io/service-account.name";

/** Keys that a type needs, one of each group. */
const keysByType: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

function checkByType(root: Field, secret: Given<Secret>): void {
  const field = root.child("data");
  const data = secret.data ?? {};
  const type = secret.type ?? "";
  if (
    type === "kubernetes.io/service-account-token" &&
    !secret.metadata?.annotations?.[accountAnnotation]
  ) {
    root.child("metadata", "annotations").key(accountAnnotation).required();
  }
  if (type === "kubernetes.io/basic-auth" && !("username" in data) && !("password" in data)) {
    field.key("username").required();
    field.key("password").required();
  }
  for (const key of keysByType[type] ?? []) {
    const value = data[key];
    if (value === undefined) field.key(key).required();
    else if (key.startsWith(".") && !isJson(value)) {
      field.key(key).invalid("<secret contents redacted>", "invalid character in JSON document");
    }
  }
}

function isJson(base64: string): boolean {
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    JSON.parse(new TextDecoder().decode(bytes));
    return true;
  } catch {
    // Both a wrong encoding and a wrong document mean that there is no document.
    return false;
  }
}

function base64Of(text: string | null): string {
  const bytes = new TextEncoder().encode(text ?? "");
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
