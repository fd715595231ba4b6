import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseAllDocuments } from "yaml";
import type { Deployment, Service } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { deployments, namespaces, nodes, services } from "#api/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";
import { buildImage, hasImage } from "#main/images/buildah.ts";
import { handOver, socketOf, socketsOf } from "#main/images/image-commands.ts";
import { chooseDataDirectory } from "#main/data-directory.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { withClient } from "#main/local-client.ts";
import { chooseRuntime } from "#main/machine/choose-runtime.ts";
import { findProgram } from "#main/machine/findings.ts";
import { readRunning } from "#main/running-file.ts";
import { nodeHasImage } from "#tools/node-images.ts";

// The second half of `npm start`: what is missing is installed, a cluster started, the sample application built, applied
// and waited for. `KOGGE_DATA_DIR` chooses another place for the cluster.
const root = join(import.meta.dirname, "..");
const example = join(root, "examples/guestbook");
const base = "localhost/kogge/debian:12";
const parts = ["redis", "api", "web"] as const;
const waitMaxMs = 180_000;

const kinds: Readonly<Record<string, Resource>> = {
  Namespace: namespaces,
  Service: services,
  Deployment: deployments,
};

const startMs = Date.now();
installPackages();
const choice = chooseRuntime("auto");
if (choice.why !== undefined) console.log(`Note: ${choice.why}`);
const directory = chooseDataDirectory(undefined);
run(join(root, "bin/kogge"), ["up", "--detach", "--data-dir", directory.root]);
if (readRunning(directory)?.runtime === "containerd") await giveImages(directory);
await applyManifests();
const url = await waitForGuestbook();
console.log(`\nThe guestbook is up after ${((Date.now() - startMs) / 1000).toFixed(1)} s.`);
console.log(
  url === undefined ? "Its containers are simulated: there is no page to open." : `Open ${url}`,
);
console.log(`\n  export KUBECONFIG=${directory.kubeconfig}\n  kubectl get pods --all-namespaces`);
console.log(`\nStop it with: ${join(root, "bin/kogge")} down --data-dir ${directory.root}`);

/** What Debian has and this machine lacks, when it may be installed. */
function installPackages(): void {
  const wanted: readonly (readonly [program: string, name: string])[] = [
    ["containerd", "containerd"],
    ["runc", "runc"],
    ["nft", "nftables"],
    ["ip", "iproute2"],
    ["buildah", "buildah"],
    ["mmdebstrap", "mmdebstrap"],
  ];
  const missing = wanted
    .filter(([program]) => findProgram(program) === undefined)
    .map(([, name]) => name);
  if (!existsSync("/usr/lib/cni/bridge") && !existsSync("/opt/cni/bin/bridge"))
    missing.push("containernetworking-plugins");
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || findProgram("apt-get") === undefined) return;
  console.log(`Installing Debian packages: ${missing.join(" ")}`);
  run("apt-get", ["update", "-qq"]);
  run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], {
    DEBIAN_FRONTEND: "noninteractive",
  });
}

/** Builds the images whose sources changed and gives the node those it lacks. */
async function giveImages(cluster: DataDirectory): Promise<void> {
  if (!hasImage(cluster, base)) await buildBase(cluster);
  const api = join(example, "images/api");
  if (!existsSync(join(api, "node_modules/node/bin/node"))) {
    console.log("Installing the API's npm packages");
    run("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], {}, api);
  }
  const sockets = socketsOf(cluster);
  const socket = socketOf(cluster);
  for (const part of parts) {
    const tag = `localhost/guestbook/${part}:1`;
    const id = await buildImage(cluster, { folder: join(example, "images", part), tag });
    if (await nodeHasImage(socket, tag, id)) continue;
    console.log(`Giving ${tag} to the node`);
    await handOver(cluster, { tag, sockets });
  }
}

/** A Debian userland without any image registry. */
async function buildBase(cluster: DataDirectory): Promise<void> {
  console.log("Making a Debian base image");
  const folder = join(example, "images/debian");
  const archive = join(folder, "rootfs.tar");
  const unfinished = join(folder, "unfinished.rootfs.tar");
  if (!existsSync(archive)) {
    run("mmdebstrap", ["--quiet", "--variant=apt", "bookworm", unfinished]);
    renameSync(unfinished, archive);
  }
  await buildImage(cluster, { folder, tag: base });
  rmSync(archive);
}

async function applyManifests(): Promise<void> {
  const text = readFileSync(join(example, "manifests/guestbook.yaml"), "utf8");
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  await withClient(undefined, async (client) => {
    for (const object of objects) await apply(client, object);
  });
}

async function apply(client: Client, object: KubeObject): Promise<void> {
  const resource = kinds[object.kind];
  const { name = "", namespace } = object.metadata;
  if (resource === undefined)
    throw new Error(`Cannot apply "${name}": the kind ${object.kind} is not expected here`);
  const at = { name, ...(namespace !== undefined && { namespace }) };
  await client.patch(
    resource,
    at,
    { kind: "apply", value: object },
    { fieldManager: "npm-start", force: true },
  );
}

/** Waits until every Deployment is available; returns the page's address, which simulated pods do not have. */
async function waitForGuestbook(): Promise<string | undefined> {
  console.log("Waiting for the guestbook");
  const signal = AbortSignal.timeout(waitMaxMs);
  return withClient(undefined, async (client) => {
    const waiting = new Set<string>(parts);
    const options = {
      namespace: "guestbook",
      sendInitialEvents: true,
      allowWatchBookmarks: true,
      signal,
    };
    for await (const event of await client.watch(deployments, options)) {
      if (event.type !== "ADDED" && event.type !== "MODIFIED") continue;
      if (isAvailable(event.object)) waiting.delete(event.object.metadata.name ?? "");
      if (waiting.size === 0) break;
    }
    if (waiting.size > 0)
      throw new Error(`The guestbook does not become available: ${[...waiting].join(", ")}`);
    return readRunning(directory)?.runtime === "containerd" ? pageUrl(client) : undefined;
  });
}

function isAvailable(deployment: Deployment): boolean {
  const { status, spec, metadata } = deployment;
  return (
    status?.observedGeneration === metadata.generation &&
    (status?.availableReplicas ?? 0) >= (spec?.replicas ?? 1) &&
    status?.updatedReplicas === spec?.replicas
  );
}

async function pageUrl(client: Client): Promise<string> {
  const service: Service = await client.get(services, { namespace: "guestbook", name: "web" });
  const [node] = (await client.list(nodes)).items;
  const address = node?.status?.addresses?.find((one) => one.type === "InternalIP")?.address;
  return `http://${address}:${service.spec?.ports?.[0]?.nodePort}/`;
}

function run(
  program: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = root,
): void {
  const { status, error } = spawnSync(program, [...words], {
    cwd,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  if (error !== undefined) throw new Error(`Cannot run ${program}`, { cause: error });
  if (status !== 0)
    throw new Error(`Cannot go on: \`${program} ${words.join(" ")}\` ended with ${status}`);
}
