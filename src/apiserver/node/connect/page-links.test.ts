import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { applySplice, locationBehind, spliceOf } from "#apiserver/node/connect/page-links.ts";

const prefix = "/api/v1/namespaces/n/services/https:s:web/proxy";
const mount = { prefix, hosts: ["10.0.0.5:80", "10.0.0.5"], clientHost: "API.example:6443" };

const urls: readonly (readonly [before: string, after: string])[] = [
  ["/", `${prefix}/`],
  ["/a/b/?q=/x#/y", `${prefix}/a/b/?q=/x#/y`],
  ["/a%2Fb/../c", `${prefix}/a%2Fb/../c`],
  ["/bad%zz", `${prefix}/bad%zz`],
  ["http://10.0.0.5/a", `${prefix}/a`],
  ["//10.0.0.5:80/a", `${prefix}/a`],
  ["HTTPS://10.0.0.5:80/a", `${prefix}/a`],
  ["http://10.0.0.5:8080/a", "http://10.0.0.5:8080/a"],
  ["https://api.example:6443/a", `https://api.example:6443${prefix}/a`],
  ["//api.example:6443/a", `//api.example:6443${prefix}/a`],
  ["https://api.example/a", "https://api.example/a"],
  ["http://user@10.0.0.5/a", "http://user@10.0.0.5/a"],
  ["ftp://10.0.0.5/a", "ftp://10.0.0.5/a"],
  ["http://10.0.0.5", "http://10.0.0.5"],
  ["a/b", "a/b"],
  ["", ""],
  [`${prefix}/a`, `${prefix}/a`],
  [prefix.replace(":", "%3a"), prefix.replace(":", "%3a")],
  [`http://10.0.0.5${prefix}/a`, `${prefix}/a`],
  [`https://api.example:6443${prefix}/a`, `https://api.example:6443${prefix}/a`],
  [`${prefix}s/a`, `${prefix}${prefix}s/a`],
];

test("spliceOf() leads a server's URLs through the proxy, and only these", () => {
  deepEqual(
    urls.map(([before]) => applySplice(before, spliceOf(before, mount))),
    urls.map(([, after]) => after),
  );
});

test("locationBehind() escapes what has no place in a URL", () => {
  const script = "%00<script>alert('1')</script>/\u00e4 \\";
  const escaped = "%00%3Cscript%3Ealert('1')%3C/script%3E/%E4%20%5C";
  deepEqual(
    [`/a/${script}`, `http://10.0.0.5/${script}`, `http://example.com/${script}`, "b?c={d}"].map(
      (location) => locationBehind(location, mount),
    ),
    [
      `${prefix}/a/${escaped}`,
      `${prefix}/${escaped}`,
      `http://example.com/${escaped}`,
      "b?c=%7Bd%7D",
    ],
  );
});
