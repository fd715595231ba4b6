import type { KeyObject } from "node:crypto";

/** Which of an issuer's keys it is: the digest of the public key, as upstream names it. */
export async function keyId(publicKey: KeyObject): Promise<string> {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    publicKey.export({ type: "spki", format: "der" }),
  );
  return Buffer.from(digest).toString("base64url");
}
