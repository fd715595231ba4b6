import type { Clock } from "#base/clock.ts";
import type { JsonObject } from "#api/kind.ts";
import { expiresAtMs } from "#api/rbac/binding-expiry.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { rulesOf, type PolicyRule } from "#api/rbac/policy-rule.ts";
import type { UserInfo } from "#apiserver/request.ts";

export const rbacGroup = "rbac.authorization.k8s.io";

/** One subject of one binding. */
export interface Grant {
  /** `""`: a ClusterRoleBinding. */
  readonly namespace: string;
  readonly binding: string;
  readonly role: RoleRef;
  readonly subject: Subject;
  /** Infinity: for ever. */
  readonly expiresMs: number;
}

export interface RoleRef {
  readonly kind: string;
  readonly name: string;
}

export interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/**
 * Roles by name and bindings by subject, kept in step with the cache: a change is in the index before its write
 * returns. So a decision looks only at the bindings of the user and of the user's groups, however many there are.
 */
export class RbacIndex {
  readonly #roles = new Map<string, readonly PolicyRule[]>();
  readonly #byNamespace = new Map<string, Grants>([["", new Grants()]]);
  readonly #grantsOfBinding = new Map<string, readonly Grant[]>();
  readonly #clock: Pick<Clock, "now">;

  constructor(cache: StoreCache, clock: Pick<Clock, "now">) {
    this.#clock = clock;
    follow(cache, "clusterroles", (key, object) => this.#setRole(`ClusterRole/${key}`, object));
    follow(cache, "roles", (key, object) => this.#setRole(`Role/${key}`, object));
    follow(cache, "clusterrolebindings", (key, object) => this.#setBinding("", key, object));
    follow(cache, "rolebindings", (key, object) => {
      const slash = key.indexOf("/");
      this.#setBinding(key.slice(0, slash), key.slice(slash + 1), object);
    });
  }

  /** All grants that reach a user in a namespace (`""`: only those of the whole cluster). */
  *grantsOf(user: UserInfo, namespace: string): Generator<Grant> {
    yield* this.#valid(this.#byNamespace.get("")?.of(user) ?? []);
    if (namespace !== "") yield* this.#valid(this.#byNamespace.get(namespace)?.of(user) ?? []);
  }

  /** What has ended grants nothing, whether or not its binding is still there. */
  *#valid(grants: Iterable<Grant>): Generator<Grant> {
    for (const grant of grants) {
      if (grant.expiresMs === Infinity || grant.expiresMs > this.#clock.now()) yield grant;
    }
  }

  /** Undefined when there is no such role. `namespace` is that of the binding. */
  rulesOfRole(role: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    return this.#roles.get(
      role.kind === "Role" ? `Role/${namespace}/${role.name}` : `${role.kind}/${role.name}`,
    );
  }

  #setRole(key: string, role: JsonObject | undefined): void {
    if (role === undefined) this.#roles.delete(key);
    else this.#roles.set(key, rulesOf(role));
  }

  #setBinding(namespace: string, name: string, binding: JsonObject | undefined): void {
    const key = `${namespace}/${name}`;
    const grants = this.#byNamespace.get(namespace) ?? new Grants();
    for (const grant of this.#grantsOfBinding.get(key) ?? []) grants.remove(grant);
    this.#grantsOfBinding.delete(key);
    if (binding !== undefined) {
      const made = grantsIn(binding, namespace, name);
      for (const grant of made) grants.add(grant);
      this.#grantsOfBinding.set(key, made);
    }
    if (namespace === "") return;
    if (grants.isEmpty) this.#byNamespace.delete(namespace);
    else this.#byNamespace.set(namespace, grants);
  }
}

/** The grants of one namespace, by whom they are for. */
class Grants {
  readonly #users = new Map<string, Set<Grant>>();
  readonly #groups = new Map<string, Set<Grant>>();

  get isEmpty(): boolean {
    return this.#users.size === 0 && this.#groups.size === 0;
  }

  *of(user: UserInfo): Generator<Grant> {
    yield* this.#users.get(user.name) ?? [];
    for (const group of user.groups) yield* this.#groups.get(group) ?? [];
  }

  add(grant: Grant): void {
    const place = this.#placeOf(grant);
    if (place === undefined) return;
    const known = place.by.get(place.name);
    if (known === undefined) place.by.set(place.name, new Set([grant]));
    else known.add(grant);
  }

  remove(grant: Grant): void {
    const place = this.#placeOf(grant);
    const known = place?.by.get(place.name);
    known?.delete(grant);
    if (known?.size === 0) place?.by.delete(place.name);
  }

  /** A service account is the user that its tokens name; an account in no namespace is nobody. */
  #placeOf({ subject, namespace }: Grant) {
    if (subject.kind === "User") return { by: this.#users, name: subject.name };
    if (subject.kind === "Group") return { by: this.#groups, name: subject.name };
    const home = subject.namespace || namespace;
    if (subject.kind !== "ServiceAccount" || home === "") return undefined;
    return { by: this.#users, name: `system:serviceaccount:${home}:${subject.name}` };
  }
}

function grantsIn(object: JsonObject, namespace: string, binding: string): readonly Grant[] {
  const expiresMs = expiresAtMs(object as Parameters<typeof expiresAtMs>[0]);
  const ref = objectAt(object, "roleRef");
  const role = { kind: stringAt(ref, "kind"), name: stringAt(ref, "name") };
  return objectsAt(object, "subjects").map((subject) => ({
    namespace,
    binding,
    role,
    expiresMs,
    subject: {
      kind: stringAt(subject, "kind"),
      name: stringAt(subject, "name"),
      namespace: stringAt(subject, "namespace"),
    },
  }));
}

type Take = (key: string, object: JsonObject | undefined) => void;

/** Hands over all objects of a resource and then each change; keys are `name` or `namespace/name`. */
function follow(cache: StoreCache, resource: string, take: Take): void {
  const prefix = resourcePrefix({ group: rbacGroup, resource });
  const keyOf = ({ key }: StoredObject): string => key.slice(prefix.length);
  const objects = cache.resource(prefix);
  // A decoded copy of its own: nobody else needs thousands of bindings decoded, frozen and shared.
  for (const stored of objects.list(prefix)) take(keyOf(stored), stored.draft());
  objects.watch({
    prefix,
    onChange: ({ current, previous }) => {
      const stored = current ?? previous;
      if (stored !== undefined) take(keyOf(stored), current?.draft());
    },
  });
}
