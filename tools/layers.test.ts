import { deepEqual } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { anywhereFolders, layers } from "#tools/layers.ts";

const source = join(import.meta.dirname, "../src");

test("every import follows the layer table", () => {
  const breaches = sourceFiles().flatMap((file) =>
    importsOf(file).flatMap((target) => breachOf(file, target)),
  );
  deepEqual(breaches, []);
});

test("every folder below src is a module of the table", () => {
  const known = new Set(layers.map((layer) => layer.module));
  const unknown = readdirSync(source).filter((name) => !known.has(name));
  deepEqual(unknown, []);
});

function breachOf(file: string, target: string): string[] {
  const from = file.split("/")[0] ?? "";
  const layer = layers.find((row) => row.module === from);
  if (layer === undefined) return [`${file}: no row in the table`];
  const isTest = file.endsWith(".test.ts") || file.endsWith("conformance.ts");
  if (target.startsWith("#")) {
    const to = target.slice(1).split("/")[0] ?? "";
    if (to === "test" && isTest) return [];
    if (isTest && layers.some((row) => row.module === to)) return [];
    return to === from || layer.mayImport.includes(to) ? [] : [`${file} imports ${target}`];
  }
  if (target.startsWith(".")) return [`${file} imports ${target}: write #module/file.ts`];
  if (isTest || !usesNode(target)) return [];
  const anywhere =
    layer.runs !== "node" || anywhereFolders.some((folder) => file.startsWith(`${folder}/`));
  return anywhere && !file.includes("/node/")
    ? [`${file} imports ${target} outside a node/ folder`]
    : [];
}

function usesNode(target: string): boolean {
  return (
    isBuiltin(target) || ["ws", "lmdb", "@grpc/grpc-js", "@grpc/proto-loader"].includes(target)
  );
}

function sourceFiles(): string[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(source, file), "utf8");
  const found = text.matchAll(
    /^(?:import|export)\s[^;]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)|^import\s+"([^"]+)"/gms,
  );
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}
