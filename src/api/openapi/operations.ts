import type { JsonObject } from "#api/kind.ts";
import type { KindFacts, SubresourceFacts } from "#api/kinds/kind-facts.ts";
import { rootPath } from "#api/resource.ts";
import { definitionOf } from "#api/schemas/definitions.ts";
import { componentsRoot } from "#api/openapi/components.ts";
import {
  deleteCollectionParameters,
  deleteParameters,
  listParameters,
  patchParameters,
  pathParameter,
  queryParameters,
  writeParameters,
} from "#api/openapi/parameters.ts";

/** What paths tell of a kind. A custom resource has JSON and YAML only and no strategic merge patch. */
export type PathKind = Omit<KindFacts, "singular" | "shortNames" | "categories"> & {
  readonly isCustom?: boolean;
};

/** The paths of a kind as OpenAPI 3 describes them. */
export function pathsOf(kind: PathKind): Readonly<Record<string, JsonObject>> {
  const paths: Record<string, JsonObject> = {};
  const root = rootPath(kind);
  const collection = kind.namespaced
    ? `${root}/namespaces/{namespace}/${kind.resource}`
    : `${root}/${kind.resource}`;
  const operations = collectionOperations(kind);
  if (Object.keys(operations).length > 0) paths[collection] = pathItem(operations, collection);
  if (kind.namespaced && kind.verbs.includes("list")) {
    const everywhere = `${root}/${kind.resource}`;
    paths[everywhere] = pathItem({ get: listOperation(kind, true) }, everywhere);
  }
  const one = `${collection}/{name}`;
  const own = objectOperations(kind);
  if (Object.keys(own).length > 0) paths[one] = pathItem(own, one);
  for (const part of kind.subresources) addSubresource(paths, kind, { one, part });
  return paths;
}

const jsonTypes = ["application/json", "application/yaml"];
const protobufType = "application/vnd.kubernetes.protobuf";
const deleteOptions = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const patchBody = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const statusAnswer = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

interface Named {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

interface Operation {
  readonly action: string;
  /** The part of the operation's id that says what is done: `list`, `replace`. */
  readonly act: string;
  readonly about: string;
  readonly gvk: Named;
  readonly query: readonly string[];
  readonly body?: string;
  readonly patches?: boolean;
  readonly answer: string | undefined;
  readonly codes?: readonly string[];
  readonly watches?: boolean;
}

function collectionOperations(kind: PathKind): JsonObject {
  const { definition } = kind;
  const has = (verb: PathKind["verbs"][number]): boolean => kind.verbs.includes(verb);
  return {
    ...(has("list") && { get: listOperation(kind, false) }),
    ...(has("create") && {
      post: operation(kind, {
        action: "post",
        act: "create",
        about: subject(kind),
        gvk: kind,
        query: writeParameters,
        body: definition,
        answer: definition,
        codes: ["200", "201", "202"],
      }),
    }),
    ...(has("deletecollection") && {
      delete: operation(kind, {
        action: "deletecollection",
        act: "delete",
        about: `Collection${subject(kind)}`,
        gvk: kind,
        query: deleteCollectionParameters,
        body: deleteOptions,
        answer: statusAnswer,
      }),
    }),
  };
}

function listOperation(kind: PathKind, everywhere: boolean): JsonObject {
  return operation(kind, {
    action: "list",
    act: "list",
    about: everywhere ? `${kind.kind}ForAllNamespaces` : subject(kind),
    gvk: kind,
    query: listParameters,
    answer: `${kind.definition}List`,
    watches: kind.verbs.includes("watch"),
  });
}

function objectOperations(kind: PathKind): JsonObject {
  const has = (verb: PathKind["verbs"][number]): boolean => kind.verbs.includes(verb);
  return {
    ...changeOperations(kind, {
      about: subject(kind),
      gvk: kind,
      definition: kind.definition,
      verbs: kind.verbs,
    }),
    ...(has("delete") && {
      delete: operation(kind, {
        action: "delete",
        act: "delete",
        about: subject(kind),
        gvk: kind,
        query: deleteParameters,
        body: deleteOptions,
        answer: statusAnswer,
        codes: ["200", "202"],
      }),
    }),
  };
}

interface Changed {
  readonly about: string;
  readonly gvk: Named;
  readonly definition: string;
  readonly verbs: readonly string[];
}

/** Reading, replacing and patching: of an object and of a subresource alike. */
function changeOperations(kind: PathKind, { about, gvk, definition, verbs }: Changed): JsonObject {
  const shared = { about, gvk, answer: definition };
  return {
    ...(verbs.includes("get") && {
      get: operation(kind, { ...shared, action: "get", act: "read", query: [] }),
    }),
    ...(verbs.includes("update") && {
      put: operation(kind, {
        ...shared,
        action: "put",
        act: "replace",
        query: writeParameters,
        body: definition,
        codes: ["200", "201"],
      }),
    }),
    ...(verbs.includes("patch") && {
      patch: operation(kind, {
        ...shared,
        action: "patch",
        act: "patch",
        query: patchParameters,
        body: patchBody,
        patches: true,
        codes: ["200", "201"],
      }),
    }),
  };
}

function addSubresource(
  paths: Record<string, JsonObject>,
  kind: PathKind,
  { one, part }: { readonly one: string; readonly part: SubresourceFacts },
): void {
  const path = `${one}/${part.name}`;
  if (!part.connects) {
    paths[path] = pathItem(subresourceOperations(kind, part), path);
    return;
  }
  const methods = part.name === "proxy" ? proxyMethods : ["get", "post"];
  paths[path] = pathItem(connections(kind, part, methods), path);
  if (part.name === "proxy") {
    const below = `${path}/{path}`;
    paths[below] = pathItem(connections(kind, part, methods, "WithPath"), below);
  }
}

const proxyMethods = ["delete", "get", "head", "options", "patch", "post", "put"];

function subresourceOperations(kind: PathKind, part: SubresourceFacts): JsonObject {
  const about = subject(kind) + capitalized(part.name);
  if (part.name === "log") {
    const query = optionNames("io.k8s.api.core.v1.PodLogOptions");
    const shared = { action: "get", act: "read", about, gvk: part, query };
    return { get: operation(kind, { ...shared, answer: undefined }) };
  }
  return {
    ...changeOperations(kind, {
      about,
      gvk: part,
      definition: part.definition,
      verbs: part.verbs,
    }),
    ...(part.verbs.includes("create") && {
      post: operation(kind, {
        action: "post",
        act: "create",
        about,
        gvk: part,
        query: writeParameters,
        body: part.definition,
        answer: part.definition,
        codes: ["200", "201", "202"],
      }),
    }),
  };
}

function connections(
  kind: PathKind,
  part: SubresourceFacts,
  methods: readonly string[],
  suffix = "",
): JsonObject {
  const query = optionNames(part.definition);
  return Object.fromEntries(
    methods.map((method) => [
      method,
      operation(kind, {
        action: "connect",
        act: "connect",
        about: capitalized(method) + subject(kind) + capitalized(part.name) + suffix,
        gvk: part,
        query,
        answer: undefined,
      }),
    ]),
  );
}

function optionNames(definition: string): readonly string[] {
  return (definitionOf(definition)?.fields ?? []).map((field) => field.name);
}

function operation(kind: PathKind, from: Operation): JsonObject {
  const types = kind.isCustom ? jsonTypes : [...jsonTypes, protobufType];
  const streams = types
    .filter((type) => !type.endsWith("yaml"))
    .map((type) => `${type};stream=watch`);
  const answers = from.watches ? [...types, ...streams] : types;
  const group = groupWords(kind);
  return {
    tags: [group.charAt(0).toLowerCase() + group.slice(1).replace(/V(?=\d)/, "_v")],
    description: `${from.act} ${from.about}`,
    operationId: from.act + group + from.about,
    parameters: queryParameters(from.query),
    ...(from.body !== undefined && { requestBody: bodyOf(from, kind) }),
    responses: responsesOf(from, answers),
    "x-kubernetes-action": from.action,
    "x-kubernetes-group-version-kind": {
      group: from.gvk.group,
      kind: from.gvk.kind,
      version: from.gvk.version,
    },
  };
}

function bodyOf(from: Operation, kind: PathKind): JsonObject {
  const types = from.patches ? patchTypes(kind) : ["*/*"];
  const content = contentOf(types, from.body ?? "");
  return from.body === deleteOptions ? { content } : { content, required: true };
}

function patchTypes(kind: PathKind): readonly string[] {
  return [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    ...(kind.isCustom ? [] : ["application/strategic-merge-patch+json"]),
  ];
}

function responsesOf(from: Operation, types: readonly string[]): JsonObject {
  const content: JsonObject =
    from.answer === undefined
      ? { "*/*": { schema: { type: "string" } } }
      : contentOf(types, from.answer);
  const answered = (from.codes ?? ["200"]).map((code) => {
    return [code, { description: codeTexts[code] ?? "", content }] as const;
  });
  return { ...Object.fromEntries(answered), "401": { description: "Unauthorized" } };
}

const codeTexts: Readonly<Record<string, string>> = {
  "200": "OK",
  "201": "Created",
  "202": "Accepted",
};

function contentOf(types: readonly string[], definition: string): JsonObject {
  const schema = { $ref: `${componentsRoot}${definition}` };
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}

function pathItem(operations: JsonObject, path: string): JsonObject {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  return {
    ...operations,
    parameters: [...names.map(pathParameter), ...queryParameters(["pretty"])],
  };
}

function subject(kind: PathKind): string {
  return kind.namespaced ? `Namespaced${kind.kind}` : kind.kind;
}

/** `AppsV1`, `CoreV1`, `RbacAuthorizationV1`: a group version as operation ids write it. */
function groupWords(kind: PathKind): string {
  const group = (kind.group === "" ? "core" : kind.group).replace(/\.k8s\.io$/, "");
  return group.split(/[.-]/).map(capitalized).join("") + capitalized(kind.version);
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
