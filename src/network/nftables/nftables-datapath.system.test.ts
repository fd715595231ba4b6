import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import process from "node:process";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { datapathConformance } from "#network/datapath-conformance.ts";
import { testbedRanges } from "#network/datapath-testbed.ts";
import type { ServiceRule } from "#network/datapath.ts";
import {
  compileServices,
  createNftablesDatapath,
  removeTable,
} from "#network/nftables/nftables-datapath.ts";
import { runProgram, type Run } from "#network/run.ts";
import { missing } from "#test/needs.ts";

const skip = missing("linux", "root", "nft");

datapathConformance("nftables", {
  skip,
  open: ({ run }) =>
    createNftablesDatapath({ table: "kogge_test", ranges: testbedRanges, run, log: silentLog }),
});

test("a table changed step by step is the table made at once", { skip }, async () => {
  await using space = await openNamespace();
  const { run } = space;
  await using datapath = await open(run, "kogge_steps");
  const random = seededRandom(11);
  let rules: readonly ServiceRule[] = [];
  for (let step = 0; step < 40; step += 1) {
    rules = randomRules(random);
    await datapath.apply(rules);
    await run("nft", ["-f", "-"], compileServices("kogge_once", testbedRanges, rules));
    deepEqual(await contentOf(run, "kogge_steps"), await contentOf(run, "kogge_once"));
  }
});

test(
  "two clusters have a table each, and a table that somebody removed is made anew",
  { skip },
  async () => {
    await using space = await openNamespace();
    const { run } = space;
    await run("nft", ["-f", "-"], "add table ip foreign\nadd chain ip foreign x\n");
    const foreign = await contentOf(run, "foreign");
    await using one = await open(run, "kogge_one");
    await using two = await open(run, "kogge_two");
    const random = seededRandom(3);
    const [first, second] = [randomRules(random), randomRules(random)];
    await one.apply(first);
    await two.apply(first);
    const before = await contentOf(run, "kogge_one");
    await removeTable("kogge_two", run);
    await two.apply(second);
    await two.apply(first);
    deepEqual(await contentOf(run, "kogge_two"), before);
    await removeTable("kogge_two", run);
    await removeTable("kogge_two", run);
    deepEqual(await contentOf(run, "kogge_one"), before);
    deepEqual(await contentOf(run, "foreign"), foreign);
  },
);

test("apply() says what nftables refuses", { skip: missing("linux") }, async () => {
  const run: Run = async (_, args) => {
    if (args[0] === "--version") return "";
    throw new Error('Cannot run "nft": Operation not permitted');
  };
  await using datapath = await open(run, "kogge_one");
  const failure = await datapath.apply([]).catch((error: unknown) => error);
  equal((failure as Error).message, 'Cannot make the service table "kogge_one"');
});

function open(run: Run, table: string) {
  return createNftablesDatapath({ table, ranges: testbedRanges, run, log: silentLog });
}

async function openNamespace() {
  const name = `kogge-${process.pid}-nft`;
  await runProgram("ip", ["netns", "add", name]);
  const run: Run = (program, args, input) =>
    runProgram("ip", ["netns", "exec", name, program, ...args], input);
  return {
    run,
    [Symbol.asyncDispose]: async () => void (await runProgram("ip", ["netns", "delete", name])),
  };
}

/** A few services out of a small pool, so that names, addresses and endpoints come back in other roles. */
function randomRules(random: () => number): readonly ServiceRule[] {
  const upTo = (limit: number): number => Math.floor(random() * limit);
  return Array.from({ length: upTo(8) }, () => upTo(10))
    .filter((id, index, all) => all.indexOf(id) === index)
    .map((id) => ({
      name: `default/s${id}:p`,
      protocol: random() < 0.7 ? "TCP" : "UDP",
      clusterIps: [`10.96.0.${upTo(12)}`],
      port: 80 + upTo(2),
      ...(random() < 0.4 && { nodePort: 30_000 + upTo(5) }),
      externalIps: random() < 0.3 ? [`198.51.100.${upTo(4)}`] : [],
      ...(random() < 0.4 && { affinitySeconds: random() < 0.5 ? 60 : 600 }),
      endpoints: Array.from({ length: upTo(4) }, (_, index) => ({
        ip: random() < 0.8 ? `10.244.0.${index + upTo(3)}` : `192.0.2.${index}`,
        port: 8080 + index,
      })),
    }));
}

/** The table's parts without their handles and its name, in a fixed order; rules stay in theirs. */
async function contentOf(run: Run, table: string): Promise<unknown> {
  const listing = JSON.parse(await run("nft", ["-j", "list", "table", "ip", table])) as {
    nftables: Record<string, Record<string, unknown>>[];
  };
  const rules = new Map<string, unknown[]>();
  const others: string[] = [];
  for (const item of listing.nftables) {
    const { rule, metainfo, ...rest } = item;
    if (metainfo !== undefined) continue;
    if (rule !== undefined) {
      const chain = String(rule["chain"] as string);
      rules.set(chain, [...(rules.get(chain) ?? []), rule["expr"]]);
      continue;
    }
    const [kind, part] = Object.entries(rest)[0] ?? ["", {}];
    const elements = (part["elem"] as unknown[] | undefined)?.map((one) => JSON.stringify(one));
    const { handle: _, table: __, ...kept } = part;
    const name = kind === "table" ? { name: "" } : {};
    others.push(JSON.stringify([kind, { ...kept, ...name, elem: elements?.toSorted() }]));
  }
  return { others: others.toSorted(), rules };
}
