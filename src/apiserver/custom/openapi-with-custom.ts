import { customDocument, documentPathOf, documentSourceOf } from "#api/custom/openapi.ts";
import type { JsonObject, Kind } from "#api/kind.ts";
import { encodeOpenApiV2 } from "#api/openapi/version2-protobuf.ts";
import { toVersion2 } from "#api/openapi/version2.ts";
import { utf8 } from "#apiserver/content/bytes.ts";
import { contentHash } from "#apiserver/endpoints/entity-tag.ts";
import type { KindRegistry } from "#apiserver/kind-registry.ts";
import { objectAt } from "#apiserver/objects/json.ts";
import type { OpenApiDocument, OpenApiFiles } from "#apiserver/parts.ts";

/**
 * The built documents together with those of the custom kinds, which are made when somebody asks. They are large and
 * seldom asked for, so they are kept until the kinds change or memory is wanted, whichever comes first.
 */
export function withCustomKinds(files: OpenApiFiles, kinds: KindRegistry): OpenApiFiles {
  const { generation } = kinds;
  const found = known.get(kinds);
  if (found?.generation === generation && found.files === files) return found.merged;
  const merged = mergedWith(files, kinds.all());
  known.set(kinds, { generation, files, merged });
  return merged;
}

interface Known {
  readonly generation: number;
  readonly files: OpenApiFiles;
  readonly merged: OpenApiFiles;
}

const known = new WeakMap<KindRegistry, Known>();

/** Makes a document once for all who ask at the same time, and again only when it was let go. */
function remembered(make: () => Promise<OpenApiDocument>): () => Promise<OpenApiDocument> {
  let made: WeakRef<OpenApiDocument> | undefined;
  let making: Promise<OpenApiDocument> | undefined;
  return () => {
    const document = made?.deref();
    if (document !== undefined) return Promise.resolve(document);
    making ??= make()
      .then((fresh) => {
        made = new WeakRef(fresh);
        return fresh;
      })
      .finally(() => {
        making = undefined;
      });
    return making;
  };
}

function mergedWith(files: OpenApiFiles, all: readonly Kind[]): OpenApiFiles {
  const kinds = all.filter((kind) => kind.openApiSchema !== undefined);
  if (kinds.length === 0) return files;
  const documents = Map.groupBy(kinds, documentPathOf);
  return {
    v2: remembered(async () => {
      const built = await files.v2();
      const merged = await mergedVersion2(files, built, documents);
      return { bytes: utf8(JSON.stringify(merged)), hash: await hashOf(kinds, built) };
    }),
    v2Protobuf: remembered(async () => {
      const built = await files.v2();
      const merged = await mergedVersion2(files, built, documents);
      return { bytes: encodeOpenApiV2(merged), hash: await hashOf(kinds, built) };
    }),
    v3Index: async () => {
      const index = new Map(await files.v3Index());
      for (const [path, own] of documents) {
        index.set(path, await hashOf(own, await files.v3(path)));
      }
      return index;
    },
    v3: async (path) => {
      const own = documents.get(path);
      const built = await files.v3(path);
      if (own === undefined) return built;
      const document = customDocument({ kinds: own, builtin: await shared(files), wording: "3" });
      const whole = built === undefined ? document : joined(parsed(built), document);
      return { bytes: utf8(JSON.stringify(whole)), hash: await hashOf(own, built) };
    },
  };
}

/** A document that has all the components custom kinds refer to, the scale among them. */
async function shared(files: OpenApiFiles): Promise<JsonObject> {
  const document = await files.v3("apis/autoscaling/v1");
  return document === undefined ? {} : parsed(document);
}

async function mergedVersion2(
  files: OpenApiFiles,
  built: OpenApiDocument,
  documents: ReadonlyMap<string, readonly Kind[]>,
): Promise<JsonObject> {
  const builtin = await shared(files);
  const custom = toVersion2(
    Array.from(documents.values(), (kinds) => customDocument({ kinds, builtin, wording: "2" })),
  );
  const whole = parsed(built);
  return {
    ...whole,
    paths: { ...objectAt(whole, "paths"), ...objectAt(custom, "paths") },
    definitions: { ...objectAt(custom, "definitions"), ...objectAt(whole, "definitions") },
  };
}

/** A group version that has built-in kinds and custom ones. */
function joined(built: JsonObject, custom: JsonObject): JsonObject {
  const components = objectAt(built, "components");
  const more = objectAt(objectAt(custom, "components"), "schemas");
  return {
    ...built,
    paths: { ...objectAt(custom, "paths"), ...objectAt(built, "paths") },
    components: { ...components, schemas: { ...more, ...objectAt(components, "schemas") } },
  };
}

function hashOf(kinds: readonly Kind[], built: OpenApiDocument | undefined): Promise<string> {
  const sources = kinds.map(documentSourceOf).toSorted();
  return contentHash(utf8(JSON.stringify([built?.hash ?? "", sources])));
}

function parsed(document: OpenApiDocument): JsonObject {
  return JSON.parse(new TextDecoder().decode(document.bytes)) as JsonObject;
}
