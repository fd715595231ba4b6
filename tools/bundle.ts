import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { build } from "esbuild";
import { writeDeclarations } from "#tools/bundle-declarations.ts";
import { licencesOf } from "#tools/bundle-licences.ts";

// Makes `dist/`, which is what npm publishes: Node strips no types below `node_modules`. JavaScript lies in
// `dist/main/` in one folder, so that what the sources find relative to themselves they find from there too:
// `../generated/openapi/` (src/api/node/openapi-files.ts) and `../../package.json` (src/main/build-info.ts).
const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");

/** Users import these; `exports` in package.json names them. */
const entries = {
  kogge: "src/main/kogge.ts",
  testing: "src/main/testing.ts",
  resources: "src/api/resources.ts",
};
const typesOnly = "src/api/generated/types.ts";

const require = createRequire(import.meta.url);
const manifest = require(join(root, "package.json")) as {
  readonly dependencies: Readonly<Record<string, string>>;
};

rmSync(dist, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: entries,
  outdir: "dist/main",
  // What is installed beside the bundle; everything else is in it, so that an install is two packages and their own.
  external: Object.keys(manifest.dependencies),
  bundle: true,
  splitting: true,
  chunkNames: "[name]-[hash]",
  format: "esm",
  platform: "node",
  target: "node24",
  legalComments: "none",
  // The CommonJS packages among what is bundled ask for Node's modules with `require`.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module";\nconst require = requireFrom(import.meta.url);',
  },
  define: { "process.env.KOGGE_BUILD_DATE": JSON.stringify(buildDate()) },
  metafile: true,
  logLevel: "warning",
});
cpSync(join(root, "src/api/generated/openapi"), join(dist, "generated/openapi"), {
  recursive: true,
});
mkdirSync(join(dist, "types"), { recursive: true });
writeDeclarations({
  root,
  files: [entries.testing, entries.resources, typesOnly],
  directory: join(dist, "types"),
});
writeFileSync(join(dist, "LICENSES.txt"), licencesOf(root, Object.keys(metafile.inputs)));

/** `SOURCE_DATE_EPOCH` (reproducible-builds.org) makes two builds of the same sources alike. */
function buildDate(): string {
  const epoch = process.env["SOURCE_DATE_EPOCH"];
  const date = epoch === undefined ? new Date() : new Date(Number(epoch) * 1_000);
  return `${date.toISOString().slice(0, 19)}Z`;
}
