import assert from "node:assert/strict";
import { test } from "node:test";
import { requestInfo } from "#apiserver/request-info.ts";

const cases: readonly (readonly [request: string, expected: string])[] = [
  ["GET /api/v1/namespaces", "list v1 namespaces"],
  ["GET /api/v1/namespaces/a", "get v1 namespaces in a named a"],
  ["PUT /api/v1/namespaces/a/finalize", "update v1 namespaces/finalize in a named a"],
  ["GET /api/v1/namespaces/a/pods", "list v1 pods in a"],
  ["GET /api/v1/namespaces/a/pods?watch=true", "watch v1 pods in a"],
  ["GET /api/v1/namespaces/a/pods?watch=false", "list v1 pods in a"],
  ["GET /api/v1/watch/namespaces/a/pods/p", "watch v1 pods in a named p"],
  ["GET /api/v1/pods?fieldSelector=metadata.name%3Dp", "list v1 pods named p"],
  ["HEAD /api/v1/namespaces/a/pods/p", "get v1 pods in a named p"],
  ["POST /api/v1/namespaces/a/pods", "create v1 pods in a"],
  ["POST /api/v1/namespaces/a/pods/p/exec", "create v1 pods/exec in a named p"],
  [
    "PATCH /apis/apps/v1/namespaces/a/deployments/d/scale",
    "patch apps/v1 deployments/scale in a named d",
  ],
  ["DELETE /apis/apps/v1/namespaces/a/deployments", "deletecollection apps/v1 deployments in a"],
  ["DELETE /apis/apps/v1/namespaces/a/deployments/d", "delete apps/v1 deployments in a named d"],
  [
    "GET /api/v1/nodes/n/proxy/metrics/cadvisor",
    "get v1 nodes/proxy named n rest metrics,cadvisor",
  ],
  ["GET /apis/apps/v1", "get path"],
  ["GET /healthz/ping", "get path"],
  ["POST /", "post path"],
];

for (const [request, expected] of cases) {
  test(`requestInfo() reads ${request}`, () => {
    const [method = "", url = ""] = request.split(" ");
    const [path = "", query = ""] = url.split("?");
    const info = requestInfo(method, path, new URLSearchParams(query));
    assert.ok(info);
    const { verb, group, version, resource, subresource, namespace, name, rest } = info;
    const target = subresource === "" ? resource : `${resource}/${subresource}`;
    const words = info.isResource
      ? [verb, group === "" ? version : `${group}/${version}`, target]
      : [verb, "path"];
    if (namespace) words.push("in", namespace);
    if (name) words.push("named", name);
    if (rest.length > 0) words.push("rest", rest.join(","));
    assert.equal(words.join(" "), expected);
  });
}

test("requestInfo() answers nothing for a path that cannot be decoded", () => {
  assert.equal(requestInfo("GET", "/api/v1/%zz", new URLSearchParams()), undefined);
});
