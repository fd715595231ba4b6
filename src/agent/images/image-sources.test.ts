import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Node, NodeStatus } from "#api/generated/types.ts";
import { planSources } from "#agent/images/image-sources.ts";

const image = "registry.test/web:1";
const self = { name: "self", architecture: "amd64", operatingSystem: "linux" };

function nodeWith(name: string, images: number | string, changes: Partial<NodeStatus> = {}): Node {
  const names =
    typeof images === "string"
      ? [images]
      : Array.from({ length: images }, (_, at) => `other:${at}`);
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    status: {
      addresses: [
        { type: "Hostname", address: name },
        { type: "InternalIP", address: `ip-of-${name}` },
      ],
      conditions: [{ type: "Ready", status: "True" }],
      daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
      images: names.map((one) => ({ names: [`${one.split(":")[0]}@sha256:0`, one], sizeBytes: 1 })),
      nodeInfo: nodeInfo("amd64", "containerd://1.6.20"),
      ...changes,
    },
  };
}

function nodeInfo(architecture: string, containerRuntimeVersion: string) {
  const unknown = { bootID: "", kernelVersion: "", kubeProxyVersion: "", kubeletVersion: "" };
  const more = { machineID: "", operatingSystem: "linux", osImage: "", systemUUID: "" };
  return { ...unknown, ...more, architecture, containerRuntimeVersion };
}

const plan = (nodes: readonly Node[], random = () => 0): readonly string[] =>
  planSources(nodes, { name: image, self }, random).map(({ node }) => node);

test("planSources() asks who lists the image, then who may have more than can be listed", () => {
  const nodes = [
    nodeWith("full", 50),
    nodeWith("few", 49),
    nodeWith("lists", image),
    nodeWith("self", image),
  ];
  deepEqual(
    planSources(nodes, { name: image, self }, () => 0),
    [
      { node: "lists", host: "ip-of-lists", port: 10_250 },
      { node: "full", host: "ip-of-full", port: 10_250 },
    ],
  );
});

test("planSources() leaves out who cannot give anything", () => {
  const deleted = nodeWith("deleted", image);
  deepEqual(
    plan([
      nodeWith("not-ready", image, { conditions: [{ type: "Ready", status: "Unknown" }] }),
      nodeWith("arm", image, { nodeInfo: nodeInfo("arm64", "containerd://2.0.0") }),
      nodeWith("simulated", image, { nodeInfo: nodeInfo("amd64", "simulated://1.0.0") }),
      nodeWith("nowhere", image, { addresses: [] }),
      nodeWith("deaf", image, { daemonEndpoints: {} }),
      { ...deleted, metadata: { name: "deleted", deletionTimestamp: "2026-01-01T00:00:00Z" } },
      { apiVersion: "v1", kind: "Node", metadata: { name: "new" } },
    ]),
    [],
  );
});

test("planSources() asks five at most, whom chance puts first", () => {
  const listing = Array.from({ length: 9 }, (_, at) => nodeWith(`n${at}`, image));
  const full = Array.from({ length: 9 }, (_, at) => nodeWith(`f${at}`, 60));
  const falling = (): (() => number) => {
    let next = 1;
    return () => (next -= 0.01);
  };
  deepEqual(plan([...full, ...listing], falling()), ["n8", "n7", "n6", "n5", "n4"]);
  deepEqual(plan([...full, nodeWith("one", image)], falling()), ["one", "f8", "f7", "f6"]);
});
