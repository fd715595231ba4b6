// `npm start`: a cluster with the sample application on it, from a fresh clone. Plain JavaScript, because at first there
// is no Node that runs TypeScript; it installs what is missing and hands over.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const node = join(
  root,
  "node_modules/node/bin",
  process.platform === "win32" ? "node.exe" : "node",
);
const generated = join(root, "src/api/generated/types.ts");

if (!existsSync(node) || !existsSync(generated)) {
  console.log("Installing npm packages");
  run("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"]);
}
process.exitCode = run(node, [join(root, "tools/start.ts"), ...process.argv.slice(2)]);

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (error || status !== 0) {
    if (error) console.error(`Cannot run ${command}: ${error.message}`);
    process.exit(status ?? 1);
  }
  return status;
}
