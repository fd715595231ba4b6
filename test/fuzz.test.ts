import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { encodeProtobuf } from "#api/protobuf/codec.ts";
import { seededRandom, type Random } from "#base/random.ts";
import { createTestServer, requestOf, type TestServer } from "#test/api-server.ts";
import {
  collectionOf,
  sampleObject,
  samples,
  type Sample,
} from "#test/conformance/sample-objects.ts";

// Broken requests of every form: each gets an answer, and never one that blames the server. `FUZZ_ROUNDS=20000` runs
// longer, `FUZZ_SEED=N` begins elsewhere.

/** Webhooks that nobody answers would refuse the other requests. */
const fuzzed = samples.filter(({ kind }) => !kind.includes("Webhook"));
const rounds = Number(process.env["FUZZ_ROUNDS"] ?? "250");
const firstSeed = Number(process.env["FUZZ_SEED"] ?? "1");

interface Attempt {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes?: Uint8Array;
}

type Maker = (random: Random) => Attempt;

const makers: Readonly<Record<string, Maker>> = {
  "JSON bodies": (random) => {
    const sample = pick(random, fuzzed);
    return posted(sample, "application/json", textOf(mutatedValue(random, body(sample))));
  },
  "JSON bodies with broken bytes": (random) => {
    const sample = pick(random, fuzzed);
    return posted(sample, "application/json", mutatedBytes(random, textOf(body(sample))));
  },
  "YAML bodies": (random) => {
    const sample = pick(random, fuzzed);
    const bytes = mutatedBytes(random, yamlOf(body(sample)));
    return posted(sample, "application/yaml", bytes);
  },
  "protobuf bodies": (random) => {
    const sample = pick(random, fuzzed);
    const bytes = mutatedBytes(random, encodeProtobuf(body(sample)));
    return posted(sample, "application/vnd.kubernetes.protobuf", bytes);
  },
  patches: (random) => {
    const sample = pick(random, fuzzed);
    const type = pick(random, patchTypes);
    const value = type === "json" ? randomJsonPatch(random) : mutatedValue(random, body(sample));
    return {
      method: "PATCH",
      path: `${collectionOf(sample)}/kept?fieldManager=fuzz&force=true`,
      headers: {
        "content-type": `application/${type}-patch+${type === "apply" ? "yaml" : "json"}`,
      },
      bytes: textOf(value),
    };
  },
  "selectors and list options": (random) => {
    const query = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
      const name = pick(random, queryNames);
      return `${name}=${encodeURIComponent(randomText(random, selectorLetters))}`;
    });
    const path = `${collectionOf(pick(random, fuzzed))}?${query.join("&")}`;
    return { method: "GET", path, headers: { accept: pick(random, accepts) } };
  },
  "continue tokens": (random) => {
    const content = { v: "meta.k8s.io/v1", rv: 150, start: "default/kept\u0000" };
    const text = Buffer.from(mutatedBytes(random, textOf(content))).toString("base64url");
    const path = `${collectionOf(pick(random, fuzzed))}?limit=2&continue=${text}`;
    return { method: "GET", path, headers: {} };
  },
  "CRD schemas": (random) => {
    const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const value = mutatedValue(random, definition(Math.floor(random() * 1e9)));
    return { method: "POST", path, headers: json, bytes: textOf(value) };
  },
};

for (const [name, make] of Object.entries(makers)) {
  test(`${name} at random are answered, never with a failure of the server`, async () => {
    await using api = await filledServer();
    for (let round = 0; round < rounds; round += 1) {
      const seed = firstSeed + round;
      const attempt = make(seededRandom(seed));
      const { status, text } = await answerTo(api, attempt);
      const told = `seed ${seed}: ${attempt.method} ${attempt.path} ${shown(attempt.bytes)}`;
      assert.ok(status < 500 || isUpstreams(text), `${text} for ${told}`);
    }
  });
}

/** A version that lies ahead is a 504; an applied object of the wrong shape is a 500 upstream too. */
function isUpstreams(text: string): boolean {
  return text.includes('"code":504') || text.includes("failed to create typed patch object");
}

async function filledServer(): Promise<TestServer> {
  const api = await createTestServer();
  await api.send("POST", "/api/v1/namespaces/default/serviceaccounts", {
    body: { metadata: { name: "default" } },
  });
  for (const sample of fuzzed) {
    await api.send("POST", collectionOf(sample), { body: sampleObject(sample, "kept") });
  }
  return api;
}

async function answerTo(
  api: TestServer,
  attempt: Attempt,
): Promise<{ readonly status: number; readonly text: string }> {
  const stop = new AbortController();
  const { bytes } = attempt;
  const answered = api.server.handle({
    ...requestOf(attempt.method, attempt.path, { headers: attempt.headers }),
    signal: stop.signal,
    ...(bytes !== undefined && { body: { kind: "bytes", read: () => Promise.resolve(bytes) } }),
  });
  // What waits for a version or an object that does not come waits on the clock, which stands still.
  const late = setInterval(() => api.clock.advance(5_000), 20);
  const response = await answered;
  clearInterval(late);
  const text = response.kind === "bytes" ? Buffer.concat([...response.chunks]).toString() : "";
  if (response.kind === "stream") response.frames.start({ write: () => true, end: () => {} });
  stop.abort();
  return { status: "status" in response ? response.status : 200, text: text.slice(0, 300) };
}

const json = { "content-type": "application/json" };
const patchTypes = ["merge", "strategic-merge", "json", "apply"] as const;
const accepts = ["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "*/*", "x"];
const queryNames = [
  "labelSelector",
  "fieldSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "watch",
  "timeoutSeconds",
  "sendInitialEvents",
  "includeObject",
];
const selectorLetters = [
  ..."a b k = ! , ( ) in0 9 . / - _ \\ \" ' %".split(" "),
  " ",
  "notin",
  "metadata.name",
  "exists",
  "ä",
  "true",
];

function posted(sample: Sample, type: string, bytes: Uint8Array): Attempt {
  const path = `${collectionOf(sample)}?fieldValidation=Strict&dryRun=All`;
  return { method: "POST", path, headers: { "content-type": type }, bytes };
}

function body(sample: Sample): JsonObject {
  return sampleObject(sample, "fuzzed");
}

function definition(number: number): JsonObject {
  const schema: JsonObject = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        required: ["size"],
        properties: {
          size: { type: "integer", minimum: 0, default: 1 },
          names: { type: "array", items: { type: "string", pattern: "^a+$" }, maxItems: 3 },
          any: { "x-kubernetes-preserve-unknown-fields": true },
          port: { "x-kubernetes-int-or-string": true },
          map: { type: "object", additionalProperties: { type: "number" } },
        },
        "x-kubernetes-validations": [{ rule: "self.size >= 0", message: "no" }],
      },
    },
  };
  const plural = `things${number}`;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural, singular: `thing${number}`, kind: `Thing${number}` },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}

/** The value with one to three places replaced, dropped, doubled or nested. */
function mutatedValue(random: Random, value: Json): Json {
  let mutated = structuredClone(value);
  for (let count = 1 + Math.floor(random() * 3); count > 0; count -= 1) {
    mutated = mutatedOnce(random, mutated);
  }
  return mutated;
}

function mutatedOnce(random: Random, value: Json): Json {
  if (typeof value !== "object" || value === null || random() < 0.15) return strange(random);
  const keys = Object.keys(value);
  if (keys.length === 0) return strange(random);
  const key = pick(random, keys);
  if (Array.isArray(value)) {
    const at = Number(key);
    if (random() < 0.2) return [...value, ...value];
    return value.map((item, index) => (index === at ? mutatedOnce(random, item) : item));
  }
  if (random() < 0.1) return Object.fromEntries(Object.entries(value).filter(([k]) => k !== key));
  if (random() < 0.1) return { ...value, [pick(random, strangeKeys)]: value[key] ?? null };
  return { ...value, [key]: mutatedOnce(random, value[key] ?? null) };
}

const strangeKeys = [
  "__proto__",
  "constructor",
  "",
  "$patch",
  "$retainKeys",
  "a/b",
  "toString",
  "ä",
];

function strange(random: Random): Json {
  return structuredClone(pick(random, strangeValues));
}

const strangeValues: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  1.5,
  "",
  "x".repeat(70_000),
  "\u0000",
  "../..",
  "__proto__",
  "999999999999999999999999Gi",
  "2026-13-45T99:99:99Z",
  "(a+)+$",
  [],
  {},
  [[[[[[[[]]]]]]]],
  { $patch: "delete" },
  { $patch: "replace", a: 1 },
  { "$setElementOrder/containers": [{ name: "x" }] },
  { "$deleteFromPrimitiveList/finalizers": ["x"] },
  Array.from({ length: 2_000 }, () => ({ name: "same" })),
];

function randomJsonPatch(random: Random): Json {
  const operations = ["add", "remove", "replace", "move", "copy", "test", "bogus"];
  const paths = ["/metadata", "/metadata/labels/walk", "/spec", "/", "", "/spec/-", "/a~2b", "x"];
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
    op: pick(random, operations),
    path: pick(random, paths),
    from: pick(random, paths),
    value: strange(random),
  }));
}

/** Bytes flipped, cut, doubled or put in. */
function mutatedBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const list = [...bytes];
  for (let count = 1 + Math.floor(random() * 4); count > 0; count -= 1) {
    const at = Math.floor(random() * list.length);
    const choice = random();
    if (choice < 0.4) list[at] = Math.floor(random() * 256);
    else if (choice < 0.6) list.splice(at, 1 + Math.floor(random() * 5));
    else if (choice < 0.8) list.splice(at, 0, ...list.slice(at, at + 40));
    else if (choice < 0.9) list.length = at;
    else
      list.splice(at, 0, ...textOf(pick(random, ["{", "[", "&a", "*a", "<<: *a\n", "!!", "|\n"])));
  }
  return Uint8Array.from(list);
}

function yamlOf(value: JsonObject): Uint8Array {
  const lines = Object.entries(value).map(([key, inner]) => `${key}: ${JSON.stringify(inner)}\n`);
  return Buffer.from(lines.join(""));
}

function textOf(value: Json): Uint8Array {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
}

function randomText(random: Random, letters: readonly string[]): string {
  return Array.from({ length: Math.floor(random() * 12) }, () => pick(random, letters)).join("");
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

function shown(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("latin1", 0, 600);
}
