import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import type { Sealer } from "#apiserver/encryption/sealer.ts";

/** What seals bytes for a place, without a prefix. */
export interface Box {
  seal(value: Uint8Array, key: string): Uint8Array;
  open(sealed: Uint8Array, key: string): Uint8Array;
}

/** Upstream's `aesgcm`: AES-GCM with a random nonce; the place is authenticated. */
export function aesGcmSealer(name: string, secret: Uint8Array): Sealer {
  return { prefix: `k8s:enc:aesgcm:v1:${name}:`, ...gcmBox(secret), isCurrent: () => true };
}

/** Upstream's `aescbc`: AES-CBC with padding as in PKCS #7. Does not notice when bytes were changed. */
export function aesCbcSealer(name: string, secret: Uint8Array): Sealer {
  const algorithm = `aes-${secret.length * 8}-cbc`;
  return {
    prefix: `k8s:enc:aescbc:v1:${name}:`,
    seal: (value) => {
      const start = randomBytes(cbcStartBytes);
      const cipher = createCipheriv(algorithm, secret, start);
      return Buffer.concat([start, cipher.update(value), cipher.final()]);
    },
    open: (sealed) => {
      const cipher = createDecipheriv(algorithm, secret, sealed.subarray(0, cbcStartBytes));
      return Buffer.concat([cipher.update(sealed.subarray(cbcStartBytes)), cipher.final()]);
    },
    isCurrent: () => true,
  };
}

/** `nonce ‖ ciphertext ‖ tag`. */
export function gcmBox(secret: Uint8Array): Box {
  const algorithm = `aes-${secret.length * 8}-gcm` as "aes-256-gcm";
  return {
    seal: (value, key) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, secret, nonce).setAAD(Buffer.from(key));
      return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
    },
    open: (sealed, key) => {
      if (sealed.length < nonceBytes + tagBytes) throw new Error("the stored value is too short");
      const nonce = sealed.subarray(0, nonceBytes);
      const cipher = createDecipheriv(algorithm, secret, nonce, { authTagLength: tagBytes })
        .setAAD(Buffer.from(key))
        .setAuthTag(sealed.subarray(sealed.length - tagBytes));
      const value = cipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes));
      return Buffer.concat([value, cipher.final()]);
    },
  };
}

/**
 * KMS v2's way to use one seed for any number of values: each has a key of its own, derived by HKDF-Expand with
 * SHA-256 from the seed and 32 random bytes, which stand first.
 */
export function seedBox(seed: Uint8Array): Box {
  return {
    seal: (value, key) => {
      const info = randomBytes(infoBytes);
      return Buffer.concat([info, gcmBox(derivedKey(seed, info)).seal(value, key)]);
    },
    open: (sealed, key) => {
      const info = sealed.subarray(0, infoBytes);
      return gcmBox(derivedKey(seed, info)).open(sealed.subarray(infoBytes), key);
    },
  };
}

/** The first and only block of HKDF-Expand (RFC 5869): 32 bytes are one block of SHA-256. */
function derivedKey(seed: Uint8Array, info: Uint8Array): Uint8Array {
  return createHmac("sha256", seed).update(info).update(Uint8Array.of(1)).digest();
}

const nonceBytes = 12;
const tagBytes = 16;
const cbcStartBytes = 16;
const infoBytes = 32;
