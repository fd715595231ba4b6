import { deepEqual, equal, match } from "node:assert/strict";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { accessOf, send } from "#test/raw-client.ts";
import { assertRefused, configMap, configMaps, keepOne, post, withBody } from "#test/refusals.ts";
import type { RefusedCase } from "#test/refusals.ts";

// The texts are upstream's.
const json = "application/json";
const notServed = "the server could not find the requested resource";
const notAllowed = "the server does not allow this method on the requested resource";
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

type Row = readonly [request: RefusedCase["request"] | string, status: string, message: string];

/** A path alone is asked for with GET. */
const refused = (rows: readonly Row[]): RefusedCase[] =>
  rows.map(([request, status, message]) => {
    const raw = typeof request === "string" ? { path: request } : request;
    return { name: raw.path.slice(0, 120), request: raw, status, message };
  });

test("paths that lead nowhere, or out, are refused", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const under = "/api/v1/namespaces/default";
  const long = "x".repeat(600);
  await assertRefused(
    access,
    refused([
      ["/nowhere", "404 NotFound", notServed],
      ["/api/v2/pods", "404 NotFound", notServed],
      ["/apis/unknown.example.com/v1/things", "404 NotFound", notServed],
      ["/apis/apps/v9/deployments", "404 NotFound", notServed],
      [`${under}/things`, "404 NotFound", notServed],
      [`${under}/configmaps/../../kube-system/secrets`, "404 NotFound", notServed],
      [`${configMaps}/%2e%2e`, "400 BadRequest", "Name parameter invalid: \"..\": may not be '..'"],
      [
        `${configMaps}/..%2f..%2fkube-system`,
        "400 BadRequest",
        "Name parameter invalid: \"../../kube-system\": may not contain '/'",
      ],
      [
        `${configMaps}/a%25b`,
        "400 BadRequest",
        "Name parameter invalid: \"a%b\": may not contain '%'",
      ],
      [
        `${configMaps}/%00`,
        "400 BadRequest",
        'Name parameter invalid: "?": may not contain control characters',
      ],
      [
        "/api/v1/namespaces/..%2fkube-system/configmaps/x",
        "400 BadRequest",
        "Name parameter invalid: \"../kube-system\": may not contain '/'",
      ],
      [
        "/api/v1/namespaces/../configmaps",
        "400 BadRequest",
        "Name parameter invalid: \"..\": may not be '..'",
      ],
      [`${configMaps}/%zz`, "400 BadRequest", "the path of the request cannot be decoded"],
      [`${configMaps}/%ff`, "400 BadRequest", "the path of the request cannot be decoded"],
      [
        `${configMaps}/${long}`,
        "400 BadRequest",
        `Name parameter invalid: "${"x".repeat(512)}": may not be longer than 512`,
      ],
      [
        `${configMaps}/${"x".repeat(300)}`,
        "404 NotFound",
        `configmaps "${"x".repeat(300)}" not found`,
      ],
      [`${configMaps}/UPPER`, "404 NotFound", 'configmaps "UPPER" not found'],
      [`${configMaps}/%C3%BC`, "404 NotFound", 'configmaps "ü" not found'],
      [{ method: "PUT", path: configMaps }, "405 MethodNotAllowed", notAllowed],
      [{ method: "POST", path: `${configMaps}/kept` }, "405 MethodNotAllowed", notAllowed],
      [{ method: "PROPFIND", path: configMaps }, "405 MethodNotAllowed", notAllowed],
    ]),
  );
});

test("objects with bad names are refused, the field named", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const invalid = (name: string, why: string): Row => [
    post(configMap(name)),
    "422 Invalid",
    `ConfigMap ${JSON.stringify(name)} is invalid: metadata.name: ${why}`,
  ];
  const misnamed = (name: string): Row =>
    invalid(name, `Invalid value: ${JSON.stringify(name)}: ${subdomain}`);
  const long = "x".repeat(300);
  await assertRefused(
    access,
    refused([
      ...["UPPER", "ünï", "a/b", "../../etc", "..", " ", "-a", "a_b"].map(misnamed),
      invalid("", "Required value: name or generateName is required"),
      invalid(long, `Invalid value: ${JSON.stringify(long)}: must be no more than 253 characters`),
      [
        post(configMap("x"), { path: "/api/v1/namespaces/nowhere/configmaps" }),
        "404 NotFound",
        'namespaces "nowhere" not found',
      ],
      [
        post(configMap("x", { metadata: { name: "x", resourceVersion: "1" } })),
        "500",
        "resourceVersion should not be set on objects to be created",
      ],
      [post(configMap("kept")), "409 AlreadyExists", 'configmaps "kept" already exists'],
    ]),
  );
});

test("versions, selectors, limits and tokens that mean nothing are refused", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const asks = (query: Readonly<Record<string, string>>, status: string, message: string): Row => [
    `${configMaps}?${String(new URLSearchParams(query))}`,
    status,
    message,
  ];
  const bad = (query: Readonly<Record<string, string>>, message: string): Row =>
    asks(query, "400 BadRequest", message);
  const invalidList = (query: Readonly<Record<string, string>>, message: string): Row =>
    asks(
      query,
      "422 Invalid",
      `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: ${message}`,
    );
  const token = (content: object): string =>
    Buffer.from(JSON.stringify(content)).toString("base64url");
  const v = "meta.k8s.io/v1";
  const noUint = (text: string): string =>
    `invalid resource version: resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`;
  const noToken = "invalid continue token: continue key is not valid";
  const noInt = (text: string): string => `strconv.ParseInt: parsing "${text}": invalid syntax`;
  await assertRefused(
    access,
    refused([
      bad({ resourceVersion: "abc" }, noUint("abc")),
      bad({ resourceVersion: "-1" }, noUint("-1")),
      bad({ watch: "1", resourceVersion: "abc" }, noUint("abc")),
      bad({ watch: "1", timeoutSeconds: "abc" }, noInt("abc")),
      [`${configMaps}/kept?resourceVersion=abc`, "400 BadRequest", noUint("abc")],
      invalidList(
        { resourceVersionMatch: "Exact" },
        "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
      ),
      invalidList(
        { resourceVersion: "1", resourceVersionMatch: "Newer" },
        'Unsupported value: "Newer": supported values: "Exact", "NotOlderThan", ""',
      ),
      invalidList(
        { watch: "1", sendInitialEvents: "true" },
        "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
      ),
      bad(
        { labelSelector: "a===b" },
        "unable to parse requirement: found '=', expected: identifier",
      ),
      bad({ labelSelector: ",," }, "found ',', expected: !, identifier, or 'end of string'"),
      bad(
        { labelSelector: "a in (b" },
        "unable to parse requirement: found '', expected: ',' or ')'",
      ),
      bad({ labelSelector: "!!" }, "unable to parse requirement: found '!', expected: identifier"),
      bad(
        { labelSelector: `${"x".repeat(64)}=a` },
        `unable to parse requirement: <nil>: Invalid value: "${"x".repeat(64)}": name part must be no more than 63 bytes`,
      ),
      bad(
        { fieldSelector: "nonsense" },
        "invalid selector: 'nonsense'; can't understand 'nonsense'",
      ),
      bad(
        { fieldSelector: "spec.x=1" },
        '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
      ),
      bad({ limit: "abc" }, noInt("abc")),
      bad({ limit: "1.5" }, noInt("1.5")),
      bad({ continue: "abc" }, noToken),
      bad({ continue: "%%" }, noToken),
      bad(
        { continue: token({ v: "meta.k8s.io/v9", rv: 1, start: "x" }) },
        `${noToken}: server does not recognize this encoded version meta.k8s.io/v9`,
      ),
      bad(
        { continue: token({ v, rv: 0, start: "x" }) },
        "invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
      ),
      bad({ continue: token({ v, rv: 5, start: "../../x" }) }, `${noToken}: ../../x`),
    ]),
  );
  const future = await send(access, {
    path: `${configMaps}?continue=${token({ v, rv: 1e9, start: "x" })}`,
  });
  deepEqual([future.object.code, future.object.reason], [504, "Timeout"]);
});

test("options of writes that mean nothing are refused before anything is written", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const kept = `${configMaps}/kept`;
  const dryRun = 'dryRun: Unsupported value: ["Some"]: supported values: "All"';
  const options = (kind: string, message: string): readonly [string, string] => [
    "422 Invalid",
    `${kind}.meta.k8s.io "" is invalid: ${message}`,
  ];
  const remove = (body: object, query = ""): RefusedCase["request"] =>
    withBody("DELETE", kept + query, json, JSON.stringify(body));
  const deleteOptions = { kind: "DeleteOptions", apiVersion: "v1" };
  const policies =
    'propagationPolicy: Unsupported value: "Fast": supported values: "Foreground", "Background", "Orphan", "nil"';
  const validation =
    'fieldValidation: Unsupported value: "Some": supported values: "", "Ignore", "Strict", "Warn"';
  await assertRefused(
    access,
    refused([
      [post(configMap("x"), { query: "?dryRun=Some" }), ...options("CreateOptions", dryRun)],
      [
        post(configMap("x"), { query: "?fieldValidation=Some" }),
        ...options("CreateOptions", validation),
      ],
      [
        post(configMap("x"), { query: `?fieldManager=${"m".repeat(129)}` }),
        ...options("CreateOptions", "fieldManager: Too long: may not be more than 128 bytes"),
      ],
      [
        withBody("PUT", `${kept}?fieldManager=a%01`, json, configMap("kept")),
        ...options(
          "UpdateOptions",
          'fieldManager: Invalid value: "a\\u0001": invalid character U+0001 (at position 1)',
        ),
      ],
      [
        withBody("PUT", `${kept}?dryRun=Some`, json, configMap("kept")),
        ...options("UpdateOptions", dryRun),
      ],
      [{ method: "DELETE", path: `${kept}?dryRun=Some` }, ...options("DeleteOptions", dryRun)],
      [remove({ ...deleteOptions, dryRun: ["Some"] }), ...options("DeleteOptions", dryRun)],
      [
        { method: "DELETE", path: `${kept}?propagationPolicy=Fast` },
        ...options("DeleteOptions", policies),
      ],
      [
        remove({ ...deleteOptions, propagationPolicy: "Fast" }),
        ...options("DeleteOptions", policies),
      ],
      [
        remove({ ...deleteOptions, gracePeriodSeconds: "5" }),
        "400 BadRequest",
        'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64',
      ],
      [
        remove({ kind: "Pod", apiVersion: "v1" }),
        "400 BadRequest",
        'Pod in version "v1" cannot be handled as a DeleteOptions',
      ],
      [
        withBody("DELETE", kept, json, "{"),
        "400 BadRequest",
        "the object provided is unrecognized (must be of type DeleteOptions): couldn't get version/kind; json parse error: unexpected end of JSON input ({)",
      ],
      [
        { method: "DELETE", path: `${kept}?gracePeriodSeconds=abc` },
        "400 BadRequest",
        'strconv.ParseInt: parsing "abc": invalid syntax',
      ],
      [
        { method: "DELETE", path: `${configMaps}/gone` },
        "404 NotFound",
        'configmaps "gone" not found',
      ],
    ]),
  );
  const uid = await send(access, remove({ ...deleteOptions, preconditions: { uid: "other" } }));
  equal(uid.status, 409);
  match(
    String(uid.object.message),
    /^Operation cannot be fulfilled on ConfigMap "kept": the UID in the precondition \(other\) does not match the UID in record \([-0-9a-f]{36}\). The object might have been deleted and then recreated$/,
  );
});

test("what a client would accept or whom it would be may be refused too", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const media =
    "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
  const accepting = (accept: string): Row => [
    { path: configMaps, headers: { accept } },
    "406 NotAcceptable",
    media,
  ];
  await assertRefused(
    access,
    refused([
      accepting("text/html"),
      accepting(";;;,,"),
      accepting("application/json;as=Table;v=v9;g=meta.k8s.io"),
      [
        { path: configMaps, headers: { "impersonate-group": "x" } },
        "400 BadRequest",
        "requested impersonation without impersonating a user",
      ],
    ]),
  );
  const nobody = { ...access, key: "", cert: "" };
  const unknown = await send(nobody, {
    path: configMaps,
    headers: { authorization: "Bearer x.y.z" },
  });
  deepEqual(
    [unknown.status, unknown.object.reason, unknown.object.message],
    [401, "Unauthorized", "Unauthorized"],
  );
  const anonymous = await send(nobody, { path: configMaps });
  deepEqual(
    [anonymous.status, anonymous.object.message],
    [
      403,
      'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
    ],
  );
});
