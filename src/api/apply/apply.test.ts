import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, type Random } from "#base/random.ts";
import type { ManagedFieldsEntry } from "#api/generated/types.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/patch/json-object.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import type { Schema } from "#api/schema.ts";
import { StatusError } from "#api/status.ts";
import { applyServerSide, type ApplyOptions } from "#api/apply/server-side-apply.ts";
import { updateManagedFields, type ManagedUpdate } from "#api/apply/update-managed-fields.ts";
import { lastAppliedAnnotation } from "#api/apply/last-applied.ts";

const deploymentSchema = schemaOf("io.k8s.api.apps.v1.Deployment");

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

interface Setting {
  readonly schema?: Schema;
  readonly apiVersion?: string;
  readonly force?: boolean;
  readonly subresource?: string;
}

/** An object that is applied to and updated, with a second passing at every write. */
function createWorld({ schema = deploymentSchema, apiVersion = "apps/v1" }: Setting = {}) {
  let seconds = 0;
  let live: JsonObject | undefined;
  return {
    get live(): JsonObject {
      return live ?? {};
    },
    get managers(): Record<string, Json> {
      const entries = (live?.["metadata"] as JsonObject | undefined)?.["managedFields"];
      return Object.fromEntries(
        ((entries ?? []) as ManagedFieldsEntry[]).map((entry) => [
          `${entry.manager} ${entry.operation} ${entry.time?.slice(17, 19)}`,
          entry.fieldsV1 as Json,
        ]),
      );
    },
    apply(manager: string, applied: JsonObject, setting: Setting = {}): boolean {
      seconds++;
      const options: ApplyOptions = {
        live,
        applied: freeze({ apiVersion, ...applied }),
        manager,
        force: setting.force ?? false,
        apiVersion,
        schema,
        nowMs: seconds * 1000,
        ...(setting.subresource !== undefined && { subresource: setting.subresource }),
      };
      const result = applyServerSide(options);
      live = freeze(structuredClone(result.object));
      return result.changed;
    },
    update(manager: string, object: JsonObject, setting: Partial<ManagedUpdate> = {}): void {
      seconds++;
      const managedFields = updateManagedFields({
        old: live,
        new: freeze(object),
        manager,
        apiVersion,
        schema,
        nowMs: seconds * 1000,
        ...setting,
      });
      const metadata = { ...(object["metadata"] as JsonObject), managedFields };
      live = freeze(structuredClone({ ...object, metadata }) as unknown as JsonObject);
    },
  };
}

function refusalOf(act: () => unknown): { code: number; message: string; fields: unknown } {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    const { code, message, details } = error.status;
    return { code, message, fields: details?.causes?.map(({ field }) => field) };
  }
  assert.fail("no refusal");
}

const withSpec = (spec: JsonObject): JsonObject => ({
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec,
});

const pod = (...containers: JsonObject[]): JsonObject => ({ template: { spec: { containers } } });

test("an applied object is owned field by field", () => {
  const world = createWorld();
  world.apply("a", {
    kind: "Deployment",
    metadata: { name: "web", labels: { app: "web" }, annotations: {} },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "web" } },
      ...pod({
        name: "web",
        image: "nginx",
        args: ["x", "y"],
        ports: [{ containerPort: 80 }, { containerPort: 80, protocol: "UDP" }],
        env: [],
      }),
    },
  });
  assert.deepEqual(world.managers, {
    "a Apply 01": {
      "f:metadata": { "f:annotations": {}, "f:labels": { "f:app": {} } },
      "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
          "f:spec": {
            "f:containers": {
              'k:{"name":"web"}': {
                ".": {},
                "f:args": {},
                "f:image": {},
                "f:name": {},
                "f:ports": {
                  'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} },
                  'k:{"containerPort":80,"protocol":"UDP"}': {
                    ".": {},
                    "f:containerPort": {},
                    "f:protocol": {},
                  },
                },
              },
            },
          },
        },
      },
    },
  });
});

test("the same apply again changes nothing, not even the time", () => {
  const world = createWorld();
  const applied = withSpec({ replicas: 3, ...pod({ name: "a", image: "1" }) });
  assert.equal(world.apply("a", applied), true);
  const before = world.live;
  assert.equal(world.apply("a", applied), false);
  assert.deepEqual(world.live, before);
  world.apply("b", withSpec({ replicas: 3 }));
  assert.equal(world.apply("a", applied), false);
  assert.deepEqual(Object.keys(world.managers), ["a Apply 01", "b Apply 03"]);
});

test("a field that another manager owns is a conflict unless the value is the same or it is forced", () => {
  const world = createWorld();
  world.apply("a", withSpec({ replicas: 3, ...pod({ name: "a", image: "1" }) }));
  world.update("hpa", {
    ...world.live,
    spec: { ...(world.live["spec"] as JsonObject), replicas: 5 },
  });
  assert.deepEqual(
    refusalOf(() => world.apply("a", withSpec({ replicas: 3 }))),
    {
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "hpa" using apps/v1: .spec.replicas',
      fields: [".spec.replicas"],
    },
  );
  assert.deepEqual(
    refusalOf(() => world.apply("c", withSpec({ replicas: 4, ...pod({ name: "a", image: "2" }) }))),
    {
      code: 409,
      message:
        'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.template.spec.containers[name="a"].image\n' +
        'conflicts with "hpa" using apps/v1:\n- .spec.replicas',
      fields: ['.spec.template.spec.containers[name="a"].image', ".spec.replicas"],
    },
  );
  world.apply("b", withSpec({ replicas: 5 }));
  world.apply("c", withSpec({ replicas: 4 }), { force: true });
  const replicas = { "f:spec": { "f:replicas": {} } };
  const { "c Apply 06": forced, ...others } = world.managers;
  assert.deepEqual(forced, replicas);
  assert.deepEqual(Object.keys(others), ["a Apply 01"]);
  assert.equal((world.live["spec"] as JsonObject)["replicas"], 4);
});

test("what is applied no more goes, unless someone else owns it", () => {
  const world = createWorld();
  world.apply(
    "a",
    withSpec({
      replicas: 3,
      paused: true,
      strategy: { rollingUpdate: { maxSurge: 1 } },
      ...pod({ name: "a", image: "1" }, { name: "b", image: "1", args: ["x"] }),
    }),
  );
  world.apply("b", withSpec({ replicas: 3, ...pod({ name: "b", tty: true }) }));
  const spec = world.live["spec"] as JsonObject;
  // What is defaulted inside a thing that goes, goes too.
  const defaulted = { ...spec, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } };
  world.update("kubelet", { ...world.live, spec: defaulted }, { resetFields: { "f:spec": {} } });
  world.apply("a", withSpec({ ...pod({ name: "a", image: "1" }) }));
  assert.deepEqual(world.live["spec"], {
    replicas: 3,
    ...pod({ name: "a", image: "1" }, { name: "b", tty: true }),
  });
  world.apply("b", withSpec({}));
  assert.deepEqual(world.live["spec"], pod({ name: "a", image: "1" }));
  assert.deepEqual(Object.keys(world.managers), ["a Apply 04", "b Apply 05"]);
});

test("handing a field over keeps its value", () => {
  const world = createWorld();
  world.apply("a", withSpec({ replicas: 3, paused: false }));
  world.apply("hpa", withSpec({ replicas: 3 }));
  world.apply("a", withSpec({ paused: false }));
  assert.deepEqual(world.live["spec"], { replicas: 3, paused: false });
  world.apply("hpa", withSpec({ replicas: 9 }));
  assert.deepEqual(world.live["spec"], { replicas: 9, paused: false });
});

test("applied list items keep their order among those of others", () => {
  const world = createWorld();
  const named = (...names: string[]): JsonObject =>
    withSpec(pod(...names.map((name) => ({ name }))));
  const order = (): unknown =>
    (
      ((world.live["spec"] as JsonObject)["template"] as JsonObject)["spec"] as {
        containers: { name: string }[];
      }
    ).containers.map(({ name }) => name);
  world.apply("a", named("a", "b", "c"));
  world.apply("b", named("c", "x", "a"));
  assert.deepEqual(order(), ["b", "c", "x", "a"]);
  world.apply("a", named("d", "a"));
  assert.deepEqual(order(), ["c", "x", "d", "a"]);
});

test("an object without managers gets one for what it had before the first apply", () => {
  const world = createWorld();
  world.update("x", withSpec({ replicas: 1 }));
  world.update("x", { ...withSpec({ replicas: 1 }), metadata: { name: "web", managedFields: [] } });
  assert.deepEqual(world.managers, {});
  world.update("x", withSpec({ replicas: 2 }));
  assert.deepEqual(world.managers, {}, "an update does not start it");
  assert.match(
    refusalOf(() => world.apply("a", withSpec({ replicas: 3 }))).message,
    /conflict with "before-first-apply" using apps\/v1: .spec.replicas$/,
  );
  world.apply("a", withSpec({ paused: true }));
  assert.deepEqual(world.managers, {
    "a Apply 05": { "f:spec": { "f:paused": {} } },
    "before-first-apply Update 05": { "f:spec": { "f:replicas": {} } },
  });
});

test("what a path resets cannot be owned through it", () => {
  const world = createWorld();
  world.apply("a", { ...withSpec({ replicas: 1 }), status: { replicas: 9 } });
  const status = { ...withSpec({ replicas: 7 }), status: { replicas: 1 } };
  world.apply("s", status, { subresource: "status" });
  assert.deepEqual(world.managers, {
    "a Apply 01": { "f:spec": { "f:replicas": {} } },
    "s Apply 02": { "f:status": { "f:replicas": {} } },
  });
});

test("an apply is refused when it does not fit the kind", () => {
  const world = createWorld();
  const problem = (applied: JsonObject): string =>
    refusalOf(() => world.apply("a", applied)).message;
  const typed = "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): ";
  assert.deepEqual(
    [
      problem({ apiVersion: "apps/v2" }),
      problem({ metadata: { managedFields: [] } }),
      problem(withSpec({ foo: 1 })),
      problem(withSpec({ replicas: "1", ...pod({ name: "a" }, { name: "a" }) })),
      problem(withSpec(pod({ image: "x" }))),
    ],
    [
      "Incorrect version specified in apply patch. Specified patch version: apps/v2, expected: apps/v1",
      "metadata.managedFields must be nil",
      `${typed}.spec.foo: field not declared in schema`,
      `${typed}errors:\n  .spec.replicas: expected numeric (int or float), got "1"\n  .spec.template.spec.containers: duplicate entries for key [name="a"]`,
      `${typed}.spec.template.spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)`,
    ],
  );
});

test("an update takes over what it changes and releases what it removes", () => {
  const world = createWorld();
  world.apply("a", withSpec({ replicas: 3, paused: true, ...pod({ name: "a", image: "1" }) }));
  world.update("ctl", {
    kind: "Deployment",
    metadata: { name: "web", labels: { x: "y" }, uid: "u", resourceVersion: "7" },
    spec: { replicas: 4, ...pod({ name: "a", image: "1", args: [] }, { name: "b" }) },
    status: { replicas: 1 },
  });
  assert.deepEqual(world.managers, {
    "a Apply 01": {
      "f:spec": {
        "f:template": {
          "f:spec": {
            "f:containers": { 'k:{"name":"a"}': { ".": {}, "f:image": {}, "f:name": {} } },
          },
        },
      },
    },
    "ctl Update 02": {
      "f:metadata": { "f:labels": { ".": {}, "f:x": {} } },
      "f:spec": {
        "f:replicas": {},
        "f:template": {
          "f:spec": {
            "f:containers": {
              'k:{"name":"a"}': { "f:args": {} },
              'k:{"name":"b"}': { ".": {}, "f:name": {} },
            },
          },
        },
      },
    },
  });
  const before = world.managers;
  world.update("other", world.live);
  assert.deepEqual(world.managers, before, "an update that changes nothing leaves no trace");
});

test("managers are told apart by version and subresource, and one manager's updates add up", () => {
  const world = createWorld();
  world.update("m", withSpec({ replicas: 1 }));
  world.update("m", { ...world.live, status: { replicas: 1 } }, { subresource: "status" });
  world.update("m", { ...world.live, spec: { replicas: 1, paused: true } });
  assert.deepEqual(world.managers, {
    "m Update 02": { "f:status": { "f:replicas": {} } },
    "m Update 03": { "f:spec": { "f:paused": {}, "f:replicas": {} } },
  });
});

test("more than ten updaters are folded into ancient-changes", () => {
  const world = createWorld();
  for (let i = 0; i < 15; i++) {
    const labels = Object.fromEntries(Array.from({ length: i + 1 }, (_, n) => [`l${n}`, "x"]));
    const metadata = { ...(world.live["metadata"] as JsonObject), name: "web", labels };
    world.update(`m${String(i).padStart(2, "0")}`, { ...world.live, metadata });
  }
  const names = Object.keys(world.managers);
  assert.equal(names.length, 10);
  assert.equal(names[0], "ancient-changes Update 06");
  assert.deepEqual(world.managers["ancient-changes Update 06"], {
    "f:metadata": {
      "f:labels": {
        ".": {},
        "f:l0": {},
        "f:l1": {},
        "f:l2": {},
        "f:l3": {},
        "f:l4": {},
        "f:l5": {},
      },
    },
  });
});

test("managed fields that a client sends are taken when they can be read", () => {
  const world = createWorld();
  world.update("m", withSpec({ replicas: 1 }));
  const entry = {
    manager: "sent",
    operation: "Update",
    apiVersion: "apps/v1",
    fieldsType: "FieldsV1",
    fieldsV1: { "f:spec": { 'k:{"b":1,"a":2}': {} } },
  };
  const send = (managedFields: Json[]): void =>
    world.update("m", { ...withSpec({ replicas: 1 }), metadata: { name: "web", managedFields } });
  send([{ ...entry, fieldsV1: { "x:bad": {} } }]);
  assert.deepEqual(Object.keys(world.managers), ["m Update 01"]);
  send([entry]);
  assert.deepEqual(Object.values(world.managers), [{ "f:spec": { 'k:{"a":2,"b":1}': {} } }]);
  send([{}]);
  assert.deepEqual(world.managers, {});
});

test("kubectl takes over what its client-side apply has set", () => {
  const world = createWorld();
  const manifest = { apiVersion: "apps/v1", ...withSpec({ replicas: 3, paused: true }) };
  const metadata = {
    name: "web",
    namespace: "default",
    annotations: { [lastAppliedAnnotation]: JSON.stringify(manifest) },
  };
  world.update("kubectl-client-side-apply", { ...manifest, metadata });
  const scaled = { ...world.live, spec: { replicas: 5, paused: true } };
  world.update("scaler", scaled);
  assert.match(
    refusalOf(() => world.apply("kubectl", withSpec({ replicas: 4, paused: false }))).message,
    /^Apply failed with 1 conflict: conflict with "scaler" using apps\/v1: .spec.replicas$/,
  );
  world.apply("kubectl", withSpec({ paused: false }));
  assert.deepEqual(world.live["spec"], { replicas: 5, paused: false });
  const annotations = (world.live["metadata"] as JsonObject)["annotations"] as JsonObject;
  assert.equal(
    annotations[lastAppliedAnnotation],
    `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"default"},"spec":{"paused":false}}\n`,
  );
});

const text: Schema = { type: "string" };
const randomSchema: Schema = {
  type: "object",
  properties: {
    apiVersion: text,
    map: { type: "object", values: text },
    whole: { type: "object", mapType: "atomic", values: text },
    set: { type: "array", listType: "set", items: text },
    items: {
      type: "array",
      listType: "map",
      listMapKeys: ["name"],
      items: {
        type: "object",
        properties: { name: text, value: text, map: { type: "object", values: text } },
      },
    },
    any: { type: "object", preserveUnknownFields: true },
  },
};

function randomConfig(random: Random): JsonObject {
  const some = (names: string): string[] => names.split("").filter(() => random() < 0.5);
  const value = (): string => String(Math.floor(random() * 2));
  const map = (): JsonObject => Object.fromEntries(some("abc").map((name) => [name, value()]));
  const config: JsonObject = {
    map: map(),
    whole: map(),
    // An empty list names nothing, so that it neither holds nor repeats.
    set: ["w", ...some("xyz")],
    items: ["o", ...some("pqr")].map((name) => ({ name, value: value(), map: map() })),
    any: { deep: map(), list: [value()] },
  };
  for (const field of Object.keys(config)) if (random() < 0.3) delete config[field];
  return config;
}

test("applies are idempotent, what is applied holds, and the last to let go removes", () => {
  const random = seededRandom(11);
  for (let round = 0; round < 300; round++) {
    const world = createWorld({ schema: randomSchema, apiVersion: "v1" });
    for (let step = 0; step < 6; step++) {
      const manager = "ab"[Math.floor(random() * 2)] ?? "a";
      const applied = randomConfig(random);
      world.apply(manager, applied, { force: true });
      const after = world.live;
      assert.equal(world.apply(manager, applied), false, "a second apply changes nothing");
      assert.deepEqual(world.live, after);
      const merged = structuredClone(after);
      if (applied["map"])
        assert.deepEqual(
          { ...(merged["map"] as JsonObject), ...(applied["map"] as JsonObject) },
          merged["map"],
        );
      if (applied["whole"]) assert.deepEqual(merged["whole"], applied["whole"]);
    }
    world.apply("a", {}, { force: true });
    world.apply("b", {}, { force: true });
    const { apiVersion: _, metadata: _managers, ...left } = world.live;
    assert.deepEqual(left, {}, JSON.stringify(left));
  }
});
