import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { createMemoryStore } from "#storage/memory-store.ts";
import { openEtcdStore } from "#storage/node/etcd-store.ts";
import { openLmdbStore } from "#storage/node/lmdb-store.ts";
import { startEtcd } from "#test/etcd.ts";
import { missing } from "#test/needs.ts";

/**
 * Durable puts and gets of 1.5 KB, 1,000 at a time, against lmdb doing the same without a store around it. With etcd
 * where it is installed: one member on this machine.
 */
const count = 40_000;
const atOnce = 1_000;
const value = new Uint8Array(1_536).fill(97);
const keyOf = (index: number): string => `/registry/pods/default/pod-${index}`;

interface Subject {
  readonly name: string;
  readonly create: (key: string) => Promise<unknown>;
  readonly get: (key: string) => unknown;
}

const directories = [0, 1].map(() => mkdtempSync(join(tmpdir(), "kogge-bench-")));
try {
  const [rawDirectory = "", storeDirectory = ""] = directories;
  const raw = open<Uint8Array, string>({
    path: rawDirectory,
    noSubdir: false,
    encoding: "binary",
    overlappingSync: false,
  });
  await using memory = createMemoryStore();
  await using lmdb = await openLmdbStore({ directory: storeDirectory });
  await using running = missing("etcd") ? undefined : await startEtcd();
  await using etcd = running && (await openEtcdStore({ endpoints: [running.endpoint] }));
  const subjects: Subject[] = [
    { name: "raw lmdb", create: (key) => raw.put(key, value), get: (key) => raw.get(key) },
    { name: "lmdb", create: (key) => lmdb.put(key, value, 0), get: (key) => lmdb.get(key) },
    { name: "memory", create: (key) => memory.put(key, value, 0), get: (key) => memory.get(key) },
  ];
  if (etcd) {
    const create = (key: string) => etcd.put(key, value, 0);
    subjects.push({ name: "etcd", create, get: (key) => etcd.get(key) });
  }
  let limits: { puts: number; gets: number } | undefined;
  console.log("store        puts/s   ratio     gets/s   ratio");
  for (const subject of subjects) {
    const rates = await measure(subject);
    limits ??= rates;
    const columns = [rates.puts, rates.puts / limits.puts, rates.gets, rates.gets / limits.gets];
    console.log(subject.name.padEnd(9) + columns.map(cell).join(""));
  }
  await raw.close();
} finally {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}

async function measure(subject: Subject): Promise<{ puts: number; gets: number }> {
  const puts = await rate((key) => subject.create(key));
  const gets = await rate((key) => subject.get(key));
  return { puts, gets };
}

async function rate(act: (key: string) => unknown): Promise<number> {
  const start = performance.now();
  for (let index = 0; index < count; index += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, step) => act(keyOf(index + step))));
  }
  return count / ((performance.now() - start) / 1_000);
}

function cell(number: number, column: number): string {
  return column % 2 === 0 ? number.toFixed(0).padStart(11) : number.toFixed(2).padStart(8);
}
