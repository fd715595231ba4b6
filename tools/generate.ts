import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateDefinitions } from "./generate-definitions.ts";
import { generateTypes } from "./generate-types.ts";

const root = join(import.meta.dirname, "..");
const out = join(root, "src/api/generated");
mkdirSync(out, { recursive: true });
const models = join(root, "node_modules/@kubernetes/client-node/dist/gen/models");
writeFileSync(join(out, "types.ts"), generateTypes(models));
writeFileSync(join(out, "definitions.ts"), generateDefinitions(join(root, "src/api/facts")));

// Reads the definitions that were just written.
const { generateOpenApi } = await import("./generate-openapi.ts");
generateOpenApi(models, join(out, "openapi"));

// What was just written is part of what a first `kogge up` loads.
await import("./compile-ahead.ts");
