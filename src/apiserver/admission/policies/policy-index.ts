import type { JsonObject } from "#api/kind.ts";
import type { ParamRef } from "#api/generated/types.ts";
import type { Log } from "#base/log.ts";
import { matchingOf, type Matching } from "#apiserver/admission/matching/matching.ts";
import { matchSpecOf } from "#apiserver/admission/policies/match-resources.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { ValidatingAdmissionPolicyBinding } from "#api/generated/types.ts";

/** Where and with which parameters a policy is in force. */
export interface Binding {
  readonly name: string;
  readonly policyName: string;
  readonly paramRef: ParamRef | undefined;
  /** Undefined: wherever the policy itself matches. */
  readonly matching: Matching | undefined;
  /** Of a validating policy: Deny, Warn, Audit. */
  readonly actions: readonly string[];
}

export interface Bound<Policy> {
  readonly policy: Policy;
  readonly bindings: readonly Binding[];
}

export interface PolicySource<Policy> {
  readonly cache: StoreCache;
  readonly log: Log;
  /** `validatingadmissionpolicies` or `mutatingadmissionpolicies`. */
  readonly resource: string;
  readonly bindings: string;
  readonly compile: (policy: JsonObject) => Policy;
}

/** The policies of one kind that are bound, by name, each compiled once for as long as it is stored. */
export class PolicyIndex<Policy extends { readonly name: string }> implements Disposable {
  readonly #source: PolicySource<Policy>;
  readonly #watching: readonly Disposable[];
  readonly #compiled = new WeakMap<StoredObject, Policy>();
  readonly #read = new WeakMap<StoredObject, Binding>();
  /** Undefined: to be put together when somebody asks. */
  #bound: readonly Bound<Policy>[] | undefined;

  constructor(source: PolicySource<Policy>) {
    this.#source = source;
    const onChange = (): void => {
      this.#bound = undefined;
    };
    this.#watching = [source.resource, source.bindings].map((name) => {
      const prefix = prefixOf(name);
      return source.cache.resource(prefix).watch({ prefix, onChange });
    });
  }

  /** Empty in most clusters. */
  get bound(): readonly Bound<Policy>[] {
    return (this.#bound ??= this.#load());
  }

  [Symbol.dispose](): void {
    for (const one of this.#watching) one[Symbol.dispose]();
  }

  #load(): readonly Bound<Policy>[] {
    const bindings = Map.groupBy(
      this.#list(this.#source.bindings).flatMap((stored) => this.#bindingOf(stored)),
      ({ policyName }) => policyName,
    );
    if (bindings.size === 0) return [];
    return this.#list(this.#source.resource).flatMap((stored) => {
      const policy = this.#policyOf(stored, bindings);
      const own = policy && bindings.get(policy.name);
      return policy === undefined || own === undefined ? [] : [{ policy, bindings: own }];
    });
  }

  #list(name: string): readonly StoredObject[] {
    const prefix = prefixOf(name);
    return this.#source.cache.resource(prefix).list(prefix);
  }

  /** What nobody binds is not compiled. */
  #policyOf(
    stored: StoredObject,
    bindings: ReadonlyMap<string, readonly Binding[]>,
  ): Policy | undefined {
    const name = stored.key.slice(stored.key.lastIndexOf("/") + 1);
    if (!bindings.has(name)) return undefined;
    const known = this.#compiled.get(stored);
    if (known !== undefined) return known;
    try {
      const policy = this.#source.compile(stored.object);
      this.#compiled.set(stored, policy);
      return policy;
    } catch (error) {
      this.#source.log.error("admission policy cannot be used", { key: stored.key, error });
      return undefined;
    }
  }

  #bindingOf(stored: StoredObject): readonly Binding[] {
    const known = this.#read.get(stored);
    if (known !== undefined) return [known];
    try {
      const binding = readBinding(stored.object as unknown as ValidatingAdmissionPolicyBinding);
      this.#read.set(stored, binding);
      return [binding];
    } catch (error) {
      this.#source.log.error("policy binding cannot be used", { key: stored.key, error });
      return [];
    }
  }
}

function prefixOf(resource: string): string {
  return resourcePrefix({ group: "admissionregistration.k8s.io", resource });
}

function readBinding({ metadata, spec }: ValidatingAdmissionPolicyBinding): Binding {
  return {
    name: metadata.name ?? "",
    policyName: spec.policyName,
    paramRef: spec.paramRef,
    matching: spec.matchResources && matchingOf(matchSpecOf(spec.matchResources)),
    actions: spec.validationActions ?? [],
  };
}
