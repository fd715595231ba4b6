import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { builtinKindFacts } from "#api/kinds/kind-facts.ts";
import { byDocument, openApiDocument } from "#api/openapi/document.ts";
import { encodeOpenApiV2 } from "#api/openapi/version2-protobuf.ts";
import { toVersion2 } from "#api/openapi/version2.ts";
import { apiVersionOf } from "#api/resource.ts";
import { createDescriptions } from "./descriptions.ts";

/**
 * Writes the OpenAPI documents below `outDir`: `v3/*.json` for each group version, `v2.json`, `v2.pb`, and `index.json` with
 * every document's file and the hash of its content, by which clients cache it.
 */
export function generateOpenApi(modelsDir: string, outDir: string): void {
  const kinds = builtinKindFacts();
  const describe = createDescriptions(modelsDir);
  const groupVersions = [...new Set(kinds.map(apiVersionOf))].toSorted();
  const documents = [...byDocument(kinds)].map(
    ([path, inDocument]) =>
      [path, openApiDocument({ kinds: inDocument, describe, groupVersions })] as const,
  );
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(join(outDir, "v3"), { recursive: true });
  const v3 = documents.map(([path, document]) => {
    const file = `v3/${path.replaceAll("/", "__")}.json`;
    return [path, write(outDir, file, JSON.stringify(document))] as const;
  });
  const version2 = toVersion2(documents.map(([, document]) => document));
  const v2 = write(outDir, "v2.json", JSON.stringify(version2));
  const v2Protobuf = write(outDir, "v2.pb", encodeOpenApiV2(version2));
  const index = { v3: Object.fromEntries(v3), v2, v2Protobuf };
  writeFileSync(join(outDir, "index.json"), JSON.stringify(index));
}

function write(
  outDir: string,
  file: string,
  content: string | Uint8Array,
): { file: string; hash: string } {
  writeFileSync(join(outDir, file), content);
  return { file, hash: createHash("sha256").update(content).digest("hex").toUpperCase() };
}
