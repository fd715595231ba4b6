import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { run } from "#test/clients.ts";

/** The release whose tests are run; its libraries have the same numbers behind `v0.`. */
const version = "1.36.2";

export interface Programs {
  /** `e2e.test`. */
  readonly test: string;
  /** Upstream's folder of test images, for the files that they hold. */
  readonly imageSources: string;
  /** What the images hold, by the name of the image; statically linked. */
  readonly ofImage: (image: ImageProgram) => string;
}

export type ImageProgram = keyof typeof imagePrograms;

const imagePrograms = {
  agnhost: "k8s.io/kubernetes/test/images/agnhost",
  busybox: "k8s.io/kubernetes/test/images/busybox",
  nonewprivs: "k8s.io/kubernetes/test/images/nonewprivs",
  "regression-issue-74839": "k8s.io/kubernetes/test/images/regression-issue-74839",
  "resource-consumer": "k8s.io/kubernetes/test/images/resource-consumer",
  "sample-apiserver": "k8s.io/sample-apiserver",
} as const;

/** Builds what is not there yet; the first time this takes ten minutes and more. */
export async function buildPrograms(folder: string): Promise<Programs> {
  const work = join(folder, version);
  mkdirSync(work, { recursive: true });
  const go = goIn(work);
  if (!existsSync(join(work, "go.mod"))) await writeModule(work, go);
  const test = join(work, "e2e.test");
  const build = ["-ldflags=-s -w", "-o"];
  if (!existsSync(test)) {
    console.log("Building upstream's tests; this takes some minutes");
    await go("test", "-c", "-vet=off", ...build, test, "k8s.io/kubernetes/test/e2e");
  }
  for (const [name, source] of Object.entries(imagePrograms)) {
    if (existsSync(join(work, name))) continue;
    console.log(`Building ${name}`);
    await go("build", ...build, join(work, name), source);
  }
  const module = await go("list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes");
  return {
    test,
    imageSources: join(module.trim(), "test/images"),
    ofImage: (image) => join(work, image),
  };
}

type Go = (...words: readonly string[]) => Promise<string>;

function goIn(cwd: string): Go {
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=mod -buildvcs=false" };
  return async (...words) => {
    const { code, stdout, stderr } = await run("go", words, { cwd, env });
    if (code !== 0) throw new Error(`Cannot build upstream's tests: go ${words[0]}: ${stderr}`);
    return stdout;
  };
}

/** Upstream's module names its own libraries by a version that is nowhere to be had; they are published beside it. */
async function writeModule(work: string, go: Go): Promise<void> {
  const described = await go("mod", "download", "-json", `k8s.io/kubernetes@v${version}`);
  const { GoMod } = JSON.parse(described) as { readonly GoMod: string };
  const required = JSON.parse(await go("mod", "edit", "-json", GoMod)) as {
    readonly Go: string;
    readonly Require: readonly { readonly Path: string; readonly Version: string }[];
  };
  const own = required.Require.filter((one) => one.Version === "v0.0.0").map((one) => one.Path);
  const lines = [
    "module conformance",
    `go ${required.Go}`,
    `require k8s.io/kubernetes v${version}`,
    ...own.map((path) => `replace ${path} => ${path} v${version.replace(/^1/, "0")}`),
  ];
  writeFileSync(join(work, "go.mod"), `${lines.join("\n")}\n`);
}
