import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Random } from "#base/random.ts";
import { seededRandom } from "#base/random.ts";
import { decodeProtobuf, encodeProtobuf, hasProtobuf } from "#api/protobuf/codec.ts";
import { decodeMessage, encodeMessage } from "#api/protobuf/messages.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { apiVersionOf } from "#api/resource.ts";
import { definitionNames, definitionOf } from "#api/schemas/definitions.ts";
import type { Field } from "#api/schemas/definitions.ts";

/** A secret as a Go client writes it: every field that is not a pointer stands there, empty or not. */
const secretBytes = bytesOf(`
  6b 38 73 00
  0a 0c  0a 02 76 31  12 06 53 65 63 72 65 74
  12 24
    0a 11  0a 01 61  12 00 1a 00 22 00 2a 00 32 00  38 00  42 00
    12 07  0a 01 6b  12 02 01 02
    1a 06 4f 70 61 71 75 65
  1a 00 22 00
`);

test("decodeProtobuf() reads a secret as a Go client writes it", () => {
  deepEqual(decodeProtobuf(secretBytes), {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "a" },
    data: { k: "AQI=" },
    type: "Opaque",
  });
});

test("decodeProtobuf() keeps zeros that mean something and drops those that do not", () => {
  // spec { replicas: 0, paused: false, template { spec { hostNetwork: false, terminationGracePeriodSeconds: 0 } } }
  const message = bytesOf("12 0c  08 00  38 00  1a 06  12 04 20 00 58 00");
  deepEqual(decodeMessage("io.k8s.api.apps.v1.Deployment", message), {
    spec: { replicas: 0, template: { spec: { terminationGracePeriodSeconds: 0 } } },
  });
});

test("decodeProtobuf() reads times, quantities, ports and embedded JSON", () => {
  const lease = bytesOf("12 0d  22 0b  08 80 e8 cc bb 06  10 f8 fb 82 09");
  deepEqual(decodeMessage("io.k8s.api.coordination.v1.Lease", lease), {
    spec: { renewTime: "2024-12-31T00:00:00.018923Z" },
  });
  const port = bytesOf("0a 00 12 03 54 43 50 18 50 22 08 08 01 10 00 1a 02 68 69 28 00");
  deepEqual(decodeMessage("io.k8s.api.core.v1.ServicePort", port), {
    protocol: "TCP",
    port: 80,
    targetPort: "hi",
  });
});

test("decodeMessage() gives back what encodeMessage() wrote, for every definition", () => {
  const random = seededRandom(36);
  let checked = 0;
  for (const name of definitionNames()) {
    const value = sample(name, random, 4);
    deepEqual(decodeMessage(name, encodeMessage(name, value)), value, name);
    checked++;
  }
  equal(checked, 610);
});

test("encodeProtobuf() and decodeProtobuf() know every built-in kind and its list", () => {
  for (const kind of builtinKinds()) {
    const apiVersion = apiVersionOf(kind);
    equal(hasProtobuf(apiVersion, kind.kind), true, `${apiVersion} ${kind.kind}`);
    if (kind.verbs.includes("list")) equal(hasProtobuf(apiVersion, `${kind.kind}List`), true);
    const object: JsonObject = { apiVersion, kind: kind.kind, metadata: { name: "a", uid: "u" } };
    deepEqual(decodeProtobuf(encodeProtobuf(object)), object);
  }
});

test("decodeProtobuf() reads options in the name of any group version", () => {
  const options = { apiVersion: "apps/v1", kind: "DeleteOptions", gracePeriodSeconds: 0 };
  deepEqual(decodeProtobuf(encodeProtobuf(options)), options);
});

test("decodeProtobuf() refuses what is not protobuf with a 400 that says why", () => {
  const rows: readonly [string, RegExp][] = [
    ["7b 7d", /does not begin with "k8s"/],
    ["6b 38 73 00 0a 7f", /ends too early/],
    ["6b 38 73 00 ff ff ff ff ff ff", /more than five bytes/],
    ["6b 38 73 00 0a 06 0a 01 78 12 01 79", /no kind "y" is registered for version "x"/],
    ["6b 38 73 00 0a 09 0a 02 76 31 12 03 50 6f 64 12 02 08 01", /wire type 0/],
    ["6b 38 73 00 0a 09 0a 02 76 31 12 03 50 6f 64 12 06 0a 04 0a 02 ff fe", /not UTF-8/],
  ];
  for (const [hex, message] of rows) {
    throws(
      () => decodeProtobuf(bytesOf(hex)),
      (error: Error & { status?: { code: number } }) =>
        message.test(error.message) && error.status?.code === 400,
      hex,
    );
  }
});

test("decodeProtobuf() refuses or reads bytes cut off or changed anywhere, and nothing else", () => {
  const random = seededRandom(7);
  const pod = sampleObject("v1", "Pod", random);
  const bytes = encodeProtobuf(pod);
  for (let round = 0; round < 2_000; round++) {
    const changed = bytes.slice(0, Math.floor(random() * (bytes.length + 1)));
    const at = Math.floor(random() * changed.length);
    if (changed.length > 0) changed[at] = Math.floor(random() * 256);
    try {
      decodeProtobuf(changed);
    } catch (error) {
      equal((error as { status?: { code: number } }).status?.code, 400, String(error));
    }
  }
});

function sampleObject(apiVersion: string, kind: string, random: Random): JsonObject {
  return { apiVersion, kind, ...sample(`io.k8s.api.core.v1.${kind}`, random, 5) };
}

function sample(name: string, random: Random, depth: number): JsonObject {
  const object: JsonObject = {};
  for (const field of definitionOf(name)?.fields ?? []) {
    if (field.name === "~") Object.assign(object, sample(field.type, random, depth));
    else if (random() < 0.7) Object.assign(object, sampleField(field, random, depth));
  }
  return object;
}

function sampleField(field: Field, random: Random, depth: number): JsonObject {
  const item = (): Json | undefined => sampleValue(field.type, random, depth - 1);
  const first = item();
  if (first === undefined) return {};
  if (field.holds === "list") return { [field.name]: [first, item() ?? first] };
  if (field.holds === "map") return { [field.name]: { a: first, "b/c": item() ?? first } };
  return { [field.name]: first };
}

function sampleValue(type: string, random: Random, depth: number): Json | undefined {
  const whole = Math.ceil(random() * 0x7fff_ffff);
  switch (type.slice(type.lastIndexOf(".") + 1)) {
    case "string":
      return `text ${whole} ü`;
    case "bool":
      return true;
    case "int32":
      return random() < 0.5 ? whole : -whole;
    case "int64":
      return random() < 0.5 ? whole * 1024 : -whole;
    case "double":
      return whole / 7;
    case "bytes":
      return btoa(`bytes ${whole}`);
    case "Time":
      return "2026-11-22T10:11:12Z";
    case "MicroTime":
      return "2026-11-22T10:11:12.000345Z";
    case "Quantity":
      return `${whole}Mi`;
    case "IntOrString":
      return random() < 0.5 ? whole : "25%";
    case "RawExtension":
    case "JSON":
    case "FieldsV1":
      return { some: ["json", 1, null] };
    case "ExtraValue":
    case "Verbs":
      return ["a", "b"];
    case "JSONSchemaPropsOrArray":
      return random() < 0.5 ? [{ type: "string" }] : { type: "integer" };
    case "JSONSchemaPropsOrBool":
      return random() < 0.5 ? false : { type: "integer" };
    case "JSONSchemaPropsOrStringArray":
      return random() < 0.5 ? ["a"] : { type: "integer" };
    default:
      return depth > 0 ? sample(type, random, depth) : undefined;
  }
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}
