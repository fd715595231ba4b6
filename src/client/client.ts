import type { KubeObject, ObjectName } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";

/** A typed client of the API. Every refusal is thrown as a `StatusError`. Objects that come back are frozen. */
export interface Client {
  get<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectName,
    options?: CallOptions,
  ): Promise<T>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<List<T>>;
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): Promise<AsyncIterable<WatchEvent<T>>>;
  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions,
  ): Promise<T>;
  /** Replaces the object; `options.subresource: "status"` replaces its status only. */
  update<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: SubresourceOptions,
  ): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectName,
    patch: Patch,
    options?: SubresourceOptions,
  ): Promise<T>;
  delete<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectName,
    options?: DeleteOptions,
  ): Promise<void>;
  deleteCollection<T extends KubeObject>(
    resource: Resource<T>,
    options?: ListOptions & DeleteOptions,
  ): Promise<void>;
  /** Posts to a subresource (`binding`, `eviction`, `token`) and returns what it answers. */
  post<Body extends KubeObject, Answer = Body>(
    resource: Resource,
    at: ObjectName & { readonly subresource: string },
    body: Body,
    options?: WriteOptions,
  ): Promise<Answer>;
  /** Reads a path that is no resource: discovery, `/version`. The answer is what the server sent, decoded. */
  read(path: string, options?: ReadOptions): Promise<unknown>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  readonly query?: Readonly<Record<string, string | undefined>>;
}

export interface ListOptions extends CallOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly limit?: number;
  readonly continue?: string;
}

export interface WatchOptions extends ListOptions {
  readonly signal: AbortSignal;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
}

export interface SubresourceOptions extends WriteOptions {
  readonly subresource?: string;
  /** Server-side apply only: take fields from other managers. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Foreground" | "Background" | "Orphan";
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export type Patch =
  | { readonly kind: "json"; readonly operations: readonly unknown[] }
  | { readonly kind: "merge"; readonly value: unknown }
  | { readonly kind: "strategic"; readonly value: unknown }
  | { readonly kind: "apply"; readonly value: unknown };

export interface List<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continue?: string;
}

export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | {
      readonly type: "BOOKMARK";
      readonly resourceVersion: string;
      readonly initialEventsEnd: boolean;
    };
