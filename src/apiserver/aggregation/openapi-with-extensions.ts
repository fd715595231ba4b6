import type { JsonObject } from "#api/kind.ts";
import { encodeOpenApiV2 } from "#api/openapi/version2-protobuf.ts";
import { askExtension } from "#apiserver/aggregation/ask-extension.ts";
import type { Extension } from "#apiserver/aggregation/extension-index.ts";
import { utf8 } from "#apiserver/content/bytes.ts";
import { contentHash } from "#apiserver/endpoints/entity-tag.ts";
import { isObject, objectAt } from "#apiserver/objects/json.ts";
import type { OpenApiDocument, OpenApiFiles } from "#apiserver/parts.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** The documents of this server together with those of the servers that extend it, as long as these answer. */
export function withExtensions(files: OpenApiFiles, state: ServerState): OpenApiFiles {
  const extensions = state.extensions.all().filter(({ available }) => available);
  if (extensions.length === 0) return files;
  const find = (path: string) => extensions.find((one) => pathOf(one) === path);
  return {
    v2: async () => documentOf(await merged(files, state, extensions)),
    v2Protobuf: async () => {
      const whole = await merged(files, state, extensions);
      return { bytes: encodeOpenApiV2(whole), hash: (await documentOf(whole)).hash };
    },
    v3Index: async () => {
      const index = new Map(await files.v3Index());
      for (const extension of extensions) {
        const document = await fetched(state, extension, `/openapi/v3/${pathOf(extension)}`);
        if (document !== undefined) index.set(pathOf(extension), document.hash);
      }
      return index;
    },
    v3: async (path) => {
      const extension = find(path);
      return extension ? fetched(state, extension, `/openapi/v3/${path}`) : files.v3(path);
    },
  };
}

function pathOf({ group, version }: Extension): string {
  return `apis/${group}/${version}`;
}

async function documentOf(value: JsonObject): Promise<OpenApiDocument> {
  const bytes = utf8(JSON.stringify(value));
  return { bytes, hash: await contentHash(bytes) };
}

async function merged(
  files: OpenApiFiles,
  state: ServerState,
  extensions: readonly Extension[],
): Promise<JsonObject> {
  let whole = parsed(await files.v2()) ?? {};
  for (const extension of extensions) {
    const document = await fetched(state, extension, "/openapi/v2");
    const more = document && parsed(document);
    if (more) whole = joined(whole, more, `/${pathOf(extension)}/`);
  }
  return whole;
}

/** Paths of its own group version alone; definitions that are here already stay as they are. */
function joined(whole: JsonObject, more: JsonObject, prefix: string): JsonObject {
  const paths = Object.entries(objectAt(more, "paths")).filter(
    ([path]) => path.startsWith(prefix) || `${path}/` === prefix,
  );
  return {
    ...whole,
    paths: { ...objectAt(whole, "paths"), ...Object.fromEntries(paths) },
    definitions: { ...objectAt(more, "definitions"), ...objectAt(whole, "definitions") },
  };
}

function parsed({ bytes }: OpenApiDocument): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

interface Kept {
  readonly untilMs: number;
  readonly document: Promise<OpenApiDocument | undefined>;
}

/** Asked again after a while; a server without such a document is asked no sooner. */
async function fetched(
  state: ServerState,
  extension: Extension,
  path: string,
): Promise<OpenApiDocument | undefined> {
  const ofExtension = kept.get(extension) ?? new Map<string, Kept>();
  kept.set(extension, ofExtension);
  const known = ofExtension.get(path);
  const nowMs = state.clock.now();
  if (known !== undefined && known.untilMs > nowMs) return known.document;
  const document = ask(state, extension, path);
  ofExtension.set(path, { untilMs: nowMs + keptMs, document });
  return document;
}

const keptMs = 60_000;
const kept = new WeakMap<Extension, Map<string, Kept>>();

async function ask(
  state: ServerState,
  extension: Extension,
  path: string,
): Promise<OpenApiDocument | undefined> {
  try {
    const { body } = await askExtension(state, extension, path);
    return { bytes: body, hash: await contentHash(body) };
  } catch (error) {
    state.log.debug("extension server has no such document", { name: extension.name, path, error });
    return undefined;
  }
}
