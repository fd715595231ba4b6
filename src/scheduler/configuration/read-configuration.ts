import { defaultProfile, type ProfileOptions } from "#scheduler/profiles.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The parts of a plugin's work that a profile may name. */
const extensionPoints = [
  "queueSort",
  "preEnqueue",
  "preFilter",
  "filter",
  "postFilter",
  "preScore",
  "score",
  "reserve",
  "permit",
  "preBind",
  "bind",
  "postBind",
];
/** Every pod needs them: without them the queue has no order and nothing is bound. */
const needed = new Set(["PrioritySort", "DefaultBinder"]);

/**
 * Reads a KubeSchedulerConfiguration of `kubescheduler.config.k8s.io/v1`: its profiles. Throws with the path of the field
 * that is wrong. Fields that would change nothing here are refused by name rather than passed over.
 */
export function readSchedulerConfiguration(
  value: unknown,
  pluginNames: ReadonlySet<string>,
): readonly ProfileOptions[] {
  const fields = fieldsOf(value, "the configuration");
  expect(fields["apiVersion"] === "kubescheduler.config.k8s.io/v1", "apiVersion", [
    "must be kubescheduler.config.k8s.io/v1",
  ]);
  expect(fields["kind"] === "KubeSchedulerConfiguration", "kind", [
    "must be KubeSchedulerConfiguration",
  ]);
  const known = new Set(["apiVersion", "kind", "profiles", "percentageOfNodesToScore"]);
  onlyFields(fields, known, "");
  const percentage = percentageAt(fields, "");
  const profiles = listAt(fields, "profiles", "profiles").map((profile, index) =>
    readProfile(profile, { path: `profiles[${index}]`, percentage, pluginNames }),
  );
  const names = new Set<string>();
  for (const [index, { schedulerName }] of profiles.entries()) {
    const path = `profiles[${index}].schedulerName`;
    expect(!names.has(schedulerName), path, [`"${schedulerName}" is there twice`]);
    names.add(schedulerName);
  }
  return profiles.length > 0
    ? profiles
    : [{ ...defaultProfile, percentageOfNodesToScore: percentage }];
}

interface ProfileContext {
  readonly path: string;
  readonly percentage: number;
  readonly pluginNames: ReadonlySet<string>;
}

function readProfile(value: unknown, { path, percentage, pluginNames }: ProfileContext) {
  const fields = fieldsOf(value, path);
  onlyFields(fields, new Set(["schedulerName", "plugins", "percentageOfNodesToScore"]), path);
  const name = fields["schedulerName"] ?? defaultProfile.schedulerName;
  expect(typeof name === "string" && name !== "", `${path}.schedulerName`, ["must be a name"]);
  const own = fields["percentageOfNodesToScore"] !== undefined;
  const plugins = fieldsOf(fields["plugins"] ?? {}, `${path}.plugins`);
  onlyFields(plugins, new Set(["multiPoint", ...extensionPoints]), `${path}.plugins`);
  const all = readSet(plugins["multiPoint"], { path: `${path}.plugins.multiPoint`, pluginNames });
  const score = readSet(plugins["score"], { path: `${path}.plugins.score`, pluginNames });
  for (const point of extensionPoints) {
    if (point === "score" || plugins[point] === undefined) continue;
    fail(`${path}.plugins.${point}`, "plugins are chosen by multiPoint, and for score");
  }
  for (const plugin of all.disabled) {
    if (!needed.has(plugin)) continue;
    fail(`${path}.plugins.multiPoint.disabled`, `"${plugin}" cannot be left out`);
  }
  return {
    schedulerName: name as string,
    disabled: all.disabled,
    disabledScores: score.disabled,
    weights: new Map([...all.weights, ...score.weights]),
    percentageOfNodesToScore: own ? percentageAt(fields, `${path}.`) : percentage,
  } satisfies ProfileOptions;
}

function readSet(
  value: unknown,
  { path, pluginNames }: Pick<ProfileContext, "path" | "pluginNames">,
): { readonly disabled: ReadonlySet<string>; readonly weights: ReadonlyMap<string, number> } {
  const fields = fieldsOf(value ?? {}, path);
  onlyFields(fields, new Set(["enabled", "disabled"]), path);
  const weights = new Map<string, number>();
  const enabled = new Set<string>();
  for (const [index, each] of listAt(fields, "enabled", `${path}.enabled`).entries()) {
    const at = `${path}.enabled[${index}]`;
    const plugin = fieldsOf(each, at);
    onlyFields(plugin, new Set(["name", "weight"]), at);
    const name = nameAt(plugin, { path: at, pluginNames });
    enabled.add(name);
    const { weight } = plugin;
    if (weight === undefined || weight === 0) continue;
    expect(isWhole(weight, 1, 100), `${at}.weight`, ["must be a whole number from 1 to 100"]);
    weights.set(name, weight as number);
  }
  const disabled = new Set<string>();
  for (const [index, each] of listAt(fields, "disabled", `${path}.disabled`).entries()) {
    const at = `${path}.disabled[${index}]`;
    const plugin = fieldsOf(each, at);
    onlyFields(plugin, new Set(["name", "weight"]), at);
    if (plugin["name"] === "*") {
      for (const name of pluginNames) if (!needed.has(name)) disabled.add(name);
    } else disabled.add(nameAt(plugin, { path: at, pluginNames }));
  }
  return { disabled: disabled.difference(enabled), weights };
}

function nameAt(
  { name }: Fields,
  { path, pluginNames }: Pick<ProfileContext, "path" | "pluginNames">,
): string {
  const isKnown = typeof name === "string" && pluginNames.has(name);
  const names = [...pluginNames].join(", ");
  expect(isKnown, `${path}.name`, [
    `no plugin is called ${JSON.stringify(name)}; there are`,
    names,
  ]);
  return name as string;
}

function percentageAt(fields: Fields, path: string): number {
  const value = fields["percentageOfNodesToScore"] ?? 0;
  const at = `${path}percentageOfNodesToScore`;
  expect(isWhole(value, 0, 100), at, ["must be a whole number from 0 to 100"]);
  return value as number;
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function fieldsOf(value: unknown, path: string): Fields {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  expect(isObject, path, ["must be an object"]);
  return value as Fields;
}

function listAt(fields: Fields, name: string, path: string): readonly unknown[] {
  const value = fields[name] ?? [];
  expect(Array.isArray(value), path, ["must be a list"]);
  return value as readonly unknown[];
}

function onlyFields(fields: Fields, known: ReadonlySet<string>, path: string): void {
  for (const name of Object.keys(fields)) {
    const at = path === "" ? name : `${path}.${name}`;
    expect(known.has(name), at, [
      "is no field that is used here; there are",
      [...known].join(", "),
    ]);
  }
}

function expect(holds: boolean, path: string, problem: readonly string[]): void {
  if (!holds) fail(path, problem.join(" "));
}

function fail(path: string, problem: string): never {
  throw new Error(`${path}: ${problem}`);
}
