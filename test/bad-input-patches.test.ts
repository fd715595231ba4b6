import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { accessOf, send } from "#test/raw-client.ts";
import { assertRefused, configMap, configMaps, keepOne, post, withBody } from "#test/refusals.ts";
import type { RefusedCase } from "#test/refusals.ts";

// The texts are upstream's.
const jsonPatch = "application/json-patch+json";
const mergePatch = "application/merge-patch+json";
const strategicPatch = "application/strategic-merge-patch+json";
const applyPatch = "application/apply-patch+yaml";
const kept = `${configMaps}/kept`;
const noEnd = "couldn't get version/kind; json parse error: unexpected end of JSON input";

type Row = readonly [
  patch: readonly [type: string, body: string, path?: string],
  status: string,
  message: string,
];

const refused = (rows: readonly Row[]): RefusedCase[] =>
  rows.map(([[type, body, path = kept], status, message]) => ({
    name: `${type} ${body.slice(0, 100)}`,
    request: withBody("PATCH", path, type, body),
    status,
    message,
  }));

test("JSON patches that do not fit are refused, the path named", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const invalid = (operation: object, message: string): Row => [
    [jsonPatch, JSON.stringify([operation])],
    "422 Invalid",
    message,
  ];
  const many = Array.from({ length: 10_001 }, () => ({ op: "add", path: "/data/x", value: "1" }));
  await assertRefused(
    access,
    refused([
      [[jsonPatch, "[]", `${configMaps}/gone`], "404 NotFound", 'configmaps "gone" not found'],
      [[jsonPatch, "[{"], "400 BadRequest", noEnd],
      [
        [jsonPatch, "{}"],
        "400 BadRequest",
        "json: cannot unmarshal object into Go value of type jsonpatch.Patch",
      ],
      [
        [jsonPatch, JSON.stringify(many)],
        "413 RequestEntityTooLarge",
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
      ],
      invalid({ op: "explode", path: "/data" }, "Unexpected kind: explode"),
      invalid({}, "Unexpected kind: unknown"),
      invalid(
        { op: "remove", path: "/data/b" },
        "error in remove for path: '/data/b': Unable to remove nonexistent key: b: missing value",
      ),
      invalid(
        { op: "replace", path: "/x/y", value: 1 },
        'replace operation does not apply: doc is missing path: "/x/y": missing value',
      ),
      invalid(
        { op: "move", from: "/data/b", path: "/data/c" },
        "error in move for path: '/data/b': Unable to remove nonexistent key: b: missing value",
      ),
      invalid(
        { op: "test", path: "/data/a", value: "2" },
        "testing value /data/a failed: test failed",
      ),
      invalid(
        { op: "add", path: "/metadata/finalizers/7", value: "x/y" },
        'add operation does not apply: doc is missing path: "/metadata/finalizers/7": missing value',
      ),
    ]),
  );
});

test("merge patches that do not fit are refused", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const changed =
    'Operation cannot be fulfilled on configmaps "kept": the object has been modified; please apply your changes to the latest version and try again';
  const bad = (body: string, message: string): Row => [
    [mergePatch, body],
    "400 BadRequest",
    message,
  ];
  await assertRefused(
    access,
    refused([
      [[mergePatch, "{}", `${configMaps}/gone`], "404 NotFound", 'configmaps "gone" not found'],
      bad("", noEnd),
      bad("{", noEnd),
      bad("[]", "the patched value is not an object"),
      bad("null", "the patched value is not an object"),
      bad(
        '{"data":1}',
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type map[string]string',
      ),
      bad('{"kind":"Secret"}', 'Secret in version "v1" cannot be handled as a ConfigMap'),
      bad(
        '{"metadata":{"name":"other"}}',
        "the name of the object (other) does not match the name on the URL (kept)",
      ),
      bad(
        '{"metadata":{"namespace":"other"}}',
        "the namespace of the provided object does not match the namespace sent on the request",
      ),
      [[mergePatch, '{"metadata":{"resourceVersion":"1"}}'], "409 Conflict", changed],
      [
        [mergePatch, '{"x":1}', `${kept}?fieldValidation=Strict`],
        "422 Invalid",
        ' "" is invalid: patch: Invalid value: "": strict decoding error: unknown field "x"',
      ],
      [
        [mergePatch, "{}", `${kept}?force=true`],
        "422 Invalid",
        'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
      ],
      [
        ["application/json", "{}"],
        "415 UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml",
      ],
    ]),
  );
});

test("strategic merge patches that do not fit are refused", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const pods = "/api/v1/namespaces/default/pods";
  const pod = '{"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"x"}]}}';
  await send(access, post(pod, { path: pods }));
  const bad = (containers: string, message: string): Row => [
    [strategicPatch, `{"spec":{"containers":${containers}}}`, `${pods}/p`],
    "400 BadRequest",
    message,
  ];
  await assertRefused(
    access,
    refused([
      [[strategicPatch, "{"], "400 BadRequest", noEnd],
      [[strategicPatch, "[]"], "400 BadRequest", "invalid JSON document"],
      bad(
        '[{"$patch":"explode","name":"a"}]',
        "unknown patch type: explode in map: map[$patch:explode name:a]",
      ),
      bad('[{"image":"y"}]', "map: map[image:y] does not contain declared merge key: name"),
      bad(
        '"x"',
        'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
      ),
    ]),
  );
});

test("applied configurations that do not fit are refused", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const me = `${kept}?fieldManager=me`;
  const bad = (body: string, message: string): Row => [
    [applyPatch, body, me],
    "400 BadRequest",
    message,
  ];
  const options = (path: string, message: string): Row => [
    [applyPatch, configMap("kept"), path],
    "422 Invalid",
    `PatchOptions.meta.k8s.io "" is invalid: fieldManager: ${message}`,
  ];
  const untyped = (body: object, message: string): Row => [
    [applyPatch, configMap("kept", body), me],
    "500",
    `failed to create typed patch object (/kept; v1, Kind=ConfigMap): ${message}`,
  ];
  await assertRefused(
    access,
    refused([
      options(kept, "Required value: is required for apply patch"),
      options(
        `${kept}?fieldManager=${"m".repeat(129)}`,
        "Too long: may not be more than 128 bytes",
      ),
      options(
        `${kept}?fieldManager=%0A`,
        'Invalid value: "\\n": invalid character U+000A (at position 0)',
      ),
      bad(
        "a: [",
        "yaml: line 1: flow sequence in block collection must be sufficiently indented and end with a ]",
      ),
      bad("[]", "error decoding YAML: the applied configuration is not an object"),
      bad("{}", "Object 'Kind' is missing in the applied configuration"),
      bad(
        configMap("other"),
        "the name of the object (other) does not match the name on the URL (kept)",
      ),
      bad(
        configMap("kept", { kind: "Secret" }),
        'Secret in version "v1" cannot be handled as a ConfigMap',
      ),
      bad(
        configMap("kept", { metadata: { name: "kept", managedFields: [{ manager: "x" }] } }),
        "metadata.managedFields must be nil",
      ),
      untyped({ x: 1 }, ".x: field not declared in schema"),
      untyped({ data: { a: 1 } }, ".data.a: expected string, got 1"),
      [
        [applyPatch, configMap("kept", { data: { a: "2" } }), me],
        "409 Conflict",
        'Apply failed with 1 conflict: conflict with "" using v1: .data.a',
      ],
    ]),
  );
});
