import { randomBytes } from "node:crypto";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import type { Sealer } from "#apiserver/encryption/sealer.ts";

/** Upstream's `secretbox`: NaCl's XSalsa20 and Poly1305 with a random nonce, which stands first. The place is not authenticated. */
export function secretboxSealer(name: string, secret: Uint8Array): Sealer {
  return {
    prefix: `k8s:enc:secretbox:v1:${name}:`,
    seal: (value) => {
      const nonce = randomBytes(nonceBytes);
      return Buffer.concat([nonce, xsalsa20poly1305(secret, nonce).encrypt(value)]);
    },
    open: (sealed) => {
      const nonce = sealed.subarray(0, nonceBytes);
      return xsalsa20poly1305(secret, nonce).decrypt(sealed.subarray(nonceBytes));
    },
    isCurrent: () => true,
  };
}

const nonceBytes = 24;
