import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import process from "node:process";

export interface DeclarationOptions {
  readonly root: string;
  /** TypeScript files below `src/`, relative to the root. */
  readonly files: readonly string[];
  /** Where the declarations go, laid out as `src/` is. */
  readonly directory: string;
}

/**
 * Writes the declarations of `files` and of what these mention, and nothing else: a user sees the shape of a test
 * cluster, not that of the server in it. `#module/file.ts` becomes a relative path, for `#` is the user's own there.
 */
export function writeDeclarations({ root, files, directory }: DeclarationOptions): void {
  const emitted = mkdtempSync(join(tmpdir(), "kogge-declarations-"));
  try {
    emit({ root, files, directory: emitted });
    const waiting = files.map((file) => declarationOf(file.replace(/^src\//, "")));
    const written = new Set<string>();
    for (const file of waiting) {
      if (written.has(file)) continue;
      written.add(file);
      const { text, mentioned } = withRelativeImports(
        readFileSync(join(emitted, file), "utf8"),
        file,
      );
      waiting.push(...mentioned);
      const target = join(directory, file);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, standardLibrary + text);
    }
  } finally {
    rmSync(emitted, { recursive: true });
  }
}

/** `AsyncDisposable` is in no default library yet. */
const standardLibrary = '/// <reference lib="esnext.disposable" />\n';

function emit({ root, files, directory }: DeclarationOptions): void {
  const project = join(directory, "tsconfig.json");
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    noCheck: true, // `npm run types` checks.
    outDir: directory,
    rootDir: join(root, "src"),
    typeRoots: [join(root, "node_modules/@types")],
  };
  writeFileSync(
    project,
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions,
      include: [],
      files: files.map((file) => join(root, file)),
    }),
  );
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", project], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`Cannot write the type declarations: ${stdout}`);
}

const specifierPattern = /(from |import\()"#([^"]+)"/g;

function withRelativeImports(text: string, file: string) {
  const mentioned: string[] = [];
  const changed = text.replaceAll(specifierPattern, (_, before: string, path: string) => {
    mentioned.push(declarationOf(path));
    const way = relative(dirname(file), path.replace(/\.ts$/, ".js")).replaceAll("\\", "/");
    return `${before}"${way.startsWith(".") ? way : `./${way}`}"`;
  });
  return { text: changed, mentioned };
}

function declarationOf(path: string): string {
  return path.replace(/\.ts$/, ".d.ts");
}
