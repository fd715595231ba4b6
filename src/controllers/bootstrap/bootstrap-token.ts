import type { Secret } from "#api/generated/types.ts";

/** A Secret of type `bootstrap.kubernetes.io/token`, read. */
export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
}

export const tokenType = "bootstrap.kubernetes.io/token";
export const tokenNamespace = "kube-system";

/** The token that a Secret holds, when it is one that may sign and has not expired. */
export function signingToken(secret: Secret, nowMs: number): BootstrapToken | undefined {
  const [, nameId] = /^bootstrap-token-([a-z0-9]{6})$/.exec(secret.metadata.name ?? "") ?? [];
  const id = dataOf(secret, "token-id");
  const text = dataOf(secret, "token-secret");
  if (nameId === undefined || id !== nameId || text === "") return undefined;
  if (expiresAtMs(secret) <= nowMs) return undefined;
  if (dataOf(secret, "usage-bootstrap-signing") !== "true") return undefined;
  return { id, secret: text };
}

/** Infinity for what never expires; a time that cannot be read has passed. */
export function expiresAtMs(secret: Secret): number {
  const text = dataOf(secret, "expiration");
  if (text === "") return Infinity;
  const timeMs = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(timeMs) ? 0 : timeMs;
}

function dataOf(secret: Secret, name: string): string {
  try {
    return atob(secret.data?.[name] ?? "");
  } catch {
    return "";
  }
}
