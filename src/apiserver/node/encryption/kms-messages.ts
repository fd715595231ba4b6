import { wireMethods, type WireTable } from "#base/node/wire-table.ts";

/** The KMS v2 plugin's protocol (KEP-3299), and the form in which its sealed values are stored. */
export const kmsTable: WireTable = {
  package: "v2",
  messages: {
    StatusRequest: "",
    StatusResponse: "version 1 string, healthz 2 string, keyId 3 string",
    DecryptRequest: "ciphertext 1 bytes, uid 2 string, keyId 3 string, annotations 4 bytesMap",
    DecryptResponse: "plaintext 1 bytes",
    EncryptRequest: "plaintext 1 bytes, uid 2 string",
    EncryptResponse: "ciphertext 1 bytes, keyId 2 string, annotations 3 bytesMap",
    EncryptedObject:
      "encryptedData 1 bytes, keyId 2 string, encryptedDekSource 3 bytes, annotations 4 bytesMap, encryptedDekSourceType 5 int32",
  },
  enums: {},
  services: [
    {
      name: "KeyManagementService",
      methods: {
        Status: { request: "StatusRequest", response: "StatusResponse" },
        Decrypt: { request: "DecryptRequest", response: "DecryptResponse" },
        Encrypt: { request: "EncryptRequest", response: "EncryptResponse" },
      },
    },
    // Nobody serves this one: it lends its coding of the message.
    {
      name: "Stored",
      methods: { Coded: { request: "EncryptedObject", response: "EncryptedObject" } },
    },
  ],
};

export const kmsMethods = new Map(wireMethods(kmsTable));

export interface EncryptedObject {
  readonly encryptedData: Uint8Array;
  readonly keyId: string;
  readonly encryptedDekSource: Uint8Array;
  readonly annotations: Readonly<Record<string, Uint8Array>>;
  /** 0: a key for AES-GCM; 1: a seed. */
  readonly encryptedDekSourceType: number;
}

export function encodeEncryptedObject(object: EncryptedObject): Uint8Array {
  return codec().requestSerialize(object);
}

export function decodeEncryptedObject(bytes: Uint8Array): EncryptedObject {
  return codec().responseDeserialize(Buffer.from(bytes)) as EncryptedObject;
}

function codec() {
  const found = kmsMethods.get("v2.Stored/Coded");
  if (found === undefined) throw new Error("the table has the coding");
  return found;
}
