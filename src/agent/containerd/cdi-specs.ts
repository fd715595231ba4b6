import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { messageOf } from "#base/log.ts";

/** What a container is changed by when it gets a device: `containerEdits` of the Container Device Interface. */
export interface CdiEdits {
  readonly env?: readonly string[];
  readonly deviceNodes?: readonly CdiDeviceNode[];
  readonly mounts?: readonly CdiMount[];
  readonly additionalGids?: readonly number[];
  readonly hooks?: readonly unknown[];
  readonly intelRdt?: object;
  readonly netDevices?: readonly unknown[];
}

export interface CdiDeviceNode {
  readonly path: string;
  readonly hostPath?: string;
  readonly permissions?: string;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly type?: string;
  readonly options?: readonly string[];
}

interface CdiSpec {
  readonly kind: string;
  readonly containerEdits?: CdiEdits;
  readonly devices: readonly { readonly name: string; readonly containerEdits?: CdiEdits }[];
}

/** Specifications larger than this are none. */
const specBytesMax = 4 * 1024 * 1024;

/**
 * The edits of the named devices (`vendor.com/class=name`) as the files of these folders tell them: those that all
 * devices of a file share come first, once. Of two folders that tell of a device the later counts. Throws when a device
 * is told of nowhere, or twice in one folder.
 */
export async function findCdiEdits(
  dirs: readonly string[],
  names: readonly string[],
): Promise<readonly CdiEdits[]> {
  const found = new Map<string, { readonly spec: CdiSpec; readonly edits: CdiEdits }>();
  const problems: string[] = [];
  for (const dir of dirs) {
    const here = new Map<string, CdiSpec>();
    for (const { file, spec, problem } of await readSpecs(dir)) {
      if (spec === undefined) problems.push(`"${file}": ${problem}`);
      for (const device of spec?.devices ?? []) {
        const name = `${spec?.kind}=${device.name}`;
        if (!names.includes(name) || spec === undefined) continue;
        if (here.has(name)) throw new Error(`conflicting device "${name}" in "${dir}"`);
        here.set(name, spec);
        found.set(name, { spec, edits: device.containerEdits ?? {} });
      }
    }
  }
  const missing = names.filter((name) => !found.has(name));
  if (missing.length > 0) {
    const why = problems.length === 0 ? "" : ` (not read: ${problems.join("; ")})`;
    throw new Error(`unresolvable CDI devices ${missing.join(", ")}${why}`);
  }
  const used = [...new Set(names)].flatMap((name) => found.get(name) ?? []);
  const shared = [...new Set(used.map(({ spec }) => spec))];
  return [
    ...shared.map(({ containerEdits }) => containerEdits ?? {}),
    ...used.map(({ edits }) => edits),
  ];
}

interface ReadSpec {
  readonly file: string;
  readonly spec?: CdiSpec;
  readonly problem?: string;
}

async function readSpecs(dir: string): Promise<readonly ReadSpec[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const files = names.filter((name) => /\.(json|yaml)$/.test(name)).toSorted();
  return Promise.all(files.map((name) => readSpec(join(dir, name))));
}

async function readSpec(file: string): Promise<ReadSpec> {
  try {
    if ((await stat(file)).size > specBytesMax) throw new Error("it is too large");
    const spec: unknown = parse(await readFile(file, "utf8"));
    if (!isSpec(spec)) throw new Error("it has no kind and devices");
    return { file, spec };
  } catch (error) {
    return { file, problem: messageOf(error) };
  }
}

function isSpec(value: unknown): value is CdiSpec {
  if (typeof value !== "object" || value === null) return false;
  const { kind, devices } = value as Partial<CdiSpec>;
  return typeof kind === "string" && Array.isArray(devices);
}
