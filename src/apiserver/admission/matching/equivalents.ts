import type { Kind } from "#api/kind.ts";
import type { KindRef, ResourceRef, Target } from "#apiserver/admission/matching/target.ts";
import type { KindRegistry } from "#apiserver/kind-registry.ts";

/** A way in which a request can be seen: the resource it may be taken for, and the kind its object then has. */
export interface Form {
  readonly resource: ResourceRef;
  readonly kind: KindRef;
  /** The kind of the resource itself, which converts its objects. */
  readonly of: Kind;
}

/** As the request was sent. */
export function ownForm({ call, resource, kind }: Target): Form {
  return { resource, kind, of: call.kind };
}

/** The other groups and versions under which the same stored objects are served. */
export function otherForms({ call, subresource }: Target): readonly Form[] {
  return sharingStorage(call.server.kinds, call.kind).flatMap((kind) => {
    const form = formOf(kind, subresource);
    return form === undefined ? [] : [form];
  });
}

function formOf(of: Kind, subresource: string): Form | undefined {
  const shown = subresource === "" ? of : of.subresources.find((part) => part.name === subresource);
  if (shown === undefined) return undefined;
  const { group, version, kind } = shown;
  const resource = { group: of.group, version: of.version, resource: of.resource };
  return { resource, kind: { group, version, kind }, of };
}

interface Known {
  readonly generation: number;
  readonly kinds: readonly Kind[];
}

const known = new WeakMap<Kind, Known>();

function sharingStorage(registry: KindRegistry, kind: Kind): readonly Kind[] {
  const { generation } = registry;
  const found = known.get(kind);
  if (found?.generation === generation) return found.kinds;
  const { group, resource } = kind.stored;
  const kinds = registry
    .all()
    .filter(
      (other) =>
        other !== kind && other.stored.group === group && other.stored.resource === resource,
    );
  known.set(kind, { generation, kinds });
  return kinds;
}
