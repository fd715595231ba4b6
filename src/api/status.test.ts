import { deepEqual, equal, rejects } from "node:assert/strict";
import { test } from "node:test";
import { conflict, ifFound, notFound } from "#api/status.ts";

const pods = { group: "", resource: "pods" };

test("ifFound() answers nothing for what is not there, and throws everything else", async () => {
  deepEqual(await ifFound(Promise.resolve("pod")), "pod");
  equal(await ifFound(Promise.reject(notFound(pods, "a"))), undefined);
  const stale = conflict(pods, "a", "it changed");
  await rejects(ifFound(Promise.reject(stale)), stale);
  const other = new Error("Cannot reach the server");
  await rejects(ifFound(Promise.reject(other)), other);
});
