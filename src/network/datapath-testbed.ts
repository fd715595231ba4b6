import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { ensureDevice } from "#network/node/node-device.ts";
import { runProgram, type Run } from "#network/run.ts";

/**
 * A node, two pods and a machine outside, each a network namespace of its own: for `datapathConformance`. In each pod
 * a server on ports 8080 and 8081, TCP and UDP, says its name and who asks. Needs root.
 */
export interface DatapathTestbed extends AsyncDisposable {
  /** Runs programs in the node's namespace. */
  readonly run: Run;
  /** Asks `count` times, each over a connection of its own, and gives the answers or the errors' codes in order. */
  ask(from: Place, question: Question): Promise<readonly string[]>;
  /** Asks over one UDP socket: once now, once when `between` is done. */
  askAgain(from: Place, question: Question, between: () => Promise<void>): Promise<string[]>;
}

export type Place = "node" | "a" | "b" | "outside";

export interface Question {
  readonly ip: string;
  readonly port: number;
  readonly protocol?: "TCP" | "UDP";
  readonly count?: number;
}

export const testbedRanges = {
  podCidr: "10.244.0.0/24",
  clusterPodCidr: "10.244.0.0/16",
  serviceCidr: "10.96.0.0/16",
};

/** Where everybody is. */
export const addresses = {
  gateway: "10.244.0.1",
  a: "10.244.0.2",
  b: "10.244.0.3",
  node: "192.0.2.1",
  outside: "192.0.2.99",
};

export async function openDatapathTestbed(): Promise<DatapathTestbed> {
  await using stack = new AsyncDisposableStack();
  const names = new Map<Place, string>();
  for (const place of ["node", "a", "b", "outside"] as const) {
    const name = `kogge-${process.pid}-${place}`;
    await runProgram("ip", ["netns", "add", name]);
    stack.defer(async () => void (await runProgram("ip", ["netns", "delete", name])));
    names.set(place, name);
  }
  const nameOf = (place: Place): string => names.get(place) ?? "";
  const inside =
    (place: Place): Run =>
    (program, args, input) =>
      runProgram("ip", ["netns", "exec", nameOf(place), program, ...args], input);
  await plugEverything(inside, nameOf);
  for (const place of ["a", "b"] as const) stack.use(await startServer(nameOf(place), place));
  const opened = stack.move();
  return {
    run: inside("node"),
    ask: (from, question) => ask(nameOf(from), question),
    askAgain: (from, question, between) => askAgain(nameOf(from), question, between),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function plugEverything(
  inside: (place: Place) => Run,
  nameOf: (place: Place) => string,
): Promise<void> {
  const node = inside("node");
  await node("ip", ["link", "set", "lo", "up"]);
  const settings = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1"];
  await node("sysctl", ["-q", "-w", ...settings]);
  const { podCidr, serviceCidr } = testbedRanges;
  await ensureDevice({ device: "kogtest", podCidr, serviceCidr, run: node });
  for (const place of ["a", "b", "outside"] as const) {
    const device = `to-${place}`;
    const peer = ["type", "veth", "peer", "name", "eth0", "netns", nameOf(place)];
    await node("ip", ["link", "add", device, ...peer]);
    await node("ip", ["link", "set", device, "up"]);
    await inside(place)("ip", ["link", "set", "lo", "up"]);
    await inside(place)("ip", ["link", "set", "eth0", "up"]);
  }
  for (const place of ["a", "b"] as const) {
    const device = `to-${place}`;
    await node("ip", ["address", "add", `${addresses.gateway}/32`, "dev", device]);
    await node("ip", ["route", "add", `${addresses[place]}/32`, "dev", device]);
    const pod = inside(place);
    await pod("ip", ["address", "add", `${addresses[place]}/32`, "dev", "eth0"]);
    await pod("ip", ["route", "add", addresses.gateway, "dev", "eth0", "scope", "link"]);
    await pod("ip", ["route", "add", "default", "via", addresses.gateway]);
  }
  await node("ip", ["address", "add", `${addresses.node}/24`, "dev", "to-outside"]);
  await node("ip", ["route", "add", "default", "via", addresses.outside]);
  const outside = inside("outside");
  await outside("ip", ["address", "add", `${addresses.outside}/24`, "dev", "eth0"]);
  await outside("ip", ["route", "add", "default", "via", addresses.node]);
}

const serverScript = `
const [name] = process.argv.slice(1);
let waiting = 4;
const ready = () => { if (--waiting === 0) console.log("ready"); };
for (const port of [8080, 8081]) {
  require("net").createServer((socket) => {
    socket.on("error", () => {});
    socket.end(name + " " + socket.remoteAddress.replace("::ffff:", ""));
  }).listen(port, "0.0.0.0", ready);
  const udp = require("dgram").createSocket("udp4");
  udp.on("message", (_, from) => udp.send(name + " " + from.address, from.port, from.address));
  udp.bind(port, "0.0.0.0", ready);
}`;

async function startServer(namespace: string, name: string): Promise<AsyncDisposable> {
  const child = start(namespace, serverScript, [name]);
  await firstLine(child);
  return {
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Says each answer, or an error's code, on a line. With "again" it asks UDP once more for each line it reads. */
const clientScript = `
const [protocol, ip, port, count, again] = process.argv.slice(1);
const limitMs = 3000;
const tcp = () => new Promise((resolve) => {
  const socket = require("net").connect(Number(port), ip);
  let answer = "";
  socket.setTimeout(limitMs, () => { resolve("TIMEOUT"); socket.destroy(); });
  socket.on("data", (bytes) => (answer += bytes));
  socket.on("error", (error) => resolve(error.code));
  socket.on("end", () => resolve(answer));
});
const connected = () => new Promise((resolve) => {
  const socket = require("dgram").createSocket("udp4");
  socket.on("error", () => {});
  socket.connect(Number(port), ip, () => resolve(socket));
});
const udpOver = (socket) => new Promise((resolve) => {
  const timer = setTimeout(() => resolve("TIMEOUT"), limitMs);
  const end = (answer) => { clearTimeout(timer); resolve(answer); };
  socket.once("message", (bytes) => end(String(bytes)));
  socket.once("error", (error) => end(error.code));
  socket.send("?");
});
const udp = async () => {
  const socket = await connected();
  const answer = await udpOver(socket);
  socket.close();
  return answer;
};
const main = async () => {
  if (again) {
    const socket = await connected();
    console.log(await udpOver(socket));
    await require("events").once(process.stdin, "data");
    console.log(await udpOver(socket));
    process.exit(0);
  }
  for (let asked = 0; asked < Number(count); asked++) {
    console.log(await (protocol === "UDP" ? udp() : tcp()));
  }
};
main();`;

async function ask(namespace: string, question: Question): Promise<readonly string[]> {
  const child = start(namespace, clientScript, argumentsOf(question));
  child.stdin?.end();
  const { stdout } = child;
  const output = stdout ? await text(stdout) : "";
  return output.split("\n").filter((line) => line !== "");
}

async function askAgain(
  namespace: string,
  question: Question,
  between: () => Promise<void>,
): Promise<string[]> {
  const child = start(namespace, clientScript, [...argumentsOf(question), "again"]);
  const before = await firstLine(child);
  await between();
  const after = firstLine(child);
  child.stdin?.write("\n");
  return [before, await after];
}

function argumentsOf({ protocol = "TCP", ip, port, count = 1 }: Question): string[] {
  return [protocol, ip, String(port), String(count)];
}

function start(namespace: string, script: string, args: readonly string[]): ChildProcess {
  const command = ["netns", "exec", namespace, process.execPath, "-e", script, ...args];
  return spawn("ip", command, { stdio: ["pipe", "pipe", "inherit"] });
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [bytes] = (await once(child.stdout ?? child, "data")) as [Buffer];
  return bytes.toString().trim();
}
