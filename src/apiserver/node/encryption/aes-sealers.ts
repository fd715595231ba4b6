import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  randomFillSync,
} from "node:crypto";
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
  // With bytes instead of this, each cipher takes ten times as long to make.
  const secretKey = createSecretKey(secret);
  return {
    seal: (value, key) => {
      const nonce = newNonce();
      const cipher = createCipheriv(algorithm, secretKey, nonce).setAAD(Buffer.from(key));
      const sealed = cipher.update(value);
      cipher.final();
      return Buffer.concat([nonce, sealed, cipher.getAuthTag()]);
    },
    open: (sealed, key) => {
      if (sealed.length < nonceBytes + tagBytes) throw new Error("the stored value is too short");
      const nonce = sealed.subarray(0, nonceBytes);
      const cipher = createDecipheriv(algorithm, secretKey, nonce, { authTagLength: tagBytes })
        .setAAD(Buffer.from(key))
        .setAuthTag(sealed.subarray(sealed.length - tagBytes));
      const value = cipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes));
      cipher.final();
      return value;
    },
  };
}

/** Random bytes are drawn for many at once: each drawing asks the system. */
function newNonce(): Uint8Array {
  if (nonceAt === nonces.length) {
    randomFillSync(nonces);
    nonceAt = 0;
  }
  nonceAt += nonceBytes;
  return nonces.slice(nonceAt - nonceBytes, nonceAt);
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
const nonces = new Uint8Array(nonceBytes * 256);
let nonceAt = nonces.length;
const tagBytes = 16;
const cbcStartBytes = 16;
const infoBytes = 32;
