import type { StatusCause } from "#api/generated/types.ts";
import { causesOf, type Field } from "#api/validation/field.ts";
import { checkKind, fieldsOf, listAt, textAt } from "#apiserver/admission/configuration/fields.ts";
import {
  readPodTolerations,
  type PodTolerationsConfiguration,
} from "#apiserver/admission/configuration/pod-tolerations-configuration.ts";
import {
  readPodSecurity,
  type PodSecurityConfiguration,
} from "#apiserver/admission/configuration/pod-security-configuration.ts";

/** What plugins are told beyond what objects of the API say. A plugin that is told nothing does as it does by default. */
export interface AdmissionConfiguration {
  readonly podSecurity?: PodSecurityConfiguration;
  readonly podTolerations?: PodTolerationsConfiguration;
}

/**
 * Takes an `AdmissionConfiguration` of `apiserver.config.k8s.io` apart. `readFile` reads what the `path` of a plugin
 * names.
 * @throws an Error that names every field that is wrong, and its file where that is another one
 */
export function readAdmissionConfiguration(
  value: unknown,
  readFile: (path: string) => unknown,
): AdmissionConfiguration {
  const read: { -readonly [Name in keyof AdmissionConfiguration]: AdmissionConfiguration[Name] } =
    {};
  const readers: Readers = {
    PodSecurity: (own, field) => (read.podSecurity = readPodSecurity(own, field)),
    PodTolerationRestriction: (own, field) =>
      (read.podTolerations = readPodTolerations(own, field)),
  };
  const problems: string[] = [];
  const causes = causesOf((root) => {
    for (const plugin of pluginsIn(value, root, Object.keys(readers))) {
      const { name, field, path, configuration } = plugin;
      if (configuration !== undefined) readers[name]?.(configuration, field.child("configuration"));
      else if (path !== "") {
        const own = readFile(path);
        const ofFile = causesOf((rootOfFile) => readers[name]?.(own, rootOfFile));
        problems.push(
          ...textsOf(ofFile).map((text) => `${field.child("path").path} ${path}: ${text}`),
        );
      }
    }
  });
  problems.unshift(...textsOf(causes));
  if (problems.length > 0) throw new Error(problems.join("; "));
  return read;
}

type Readers = Readonly<Record<string, (value: unknown, field: Field) => unknown>>;

interface Plugin {
  readonly name: string;
  readonly field: Field;
  readonly path: string;
  readonly configuration: unknown;
}

function pluginsIn(value: unknown, root: Field, names: readonly string[]): readonly Plugin[] {
  const file = fieldsOf(value, root, ["apiVersion", "kind", "plugins"]);
  checkKind(file, expected, root);
  const seen = new Set<string>();
  return listAt(file, "plugins", root).flatMap((entry, at) => {
    const field = root.child("plugins").index(at);
    const fields = fieldsOf(entry, field, ["name", "path", "configuration"]);
    const name = textAt(fields, "name", field) ?? "";
    const path = textAt(fields, "path", field) ?? "";
    if (name === "") field.child("name").required();
    else if (!names.includes(name)) field.child("name").notSupported(name, names);
    else if (seen.has(name)) field.child("name").duplicate(name);
    else {
      seen.add(name);
      return [{ name, field, path, configuration: fields["configuration"] ?? undefined }];
    }
    return [];
  });
}

const expected = {
  versions: ["apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1alpha1"],
  kind: "AdmissionConfiguration",
};

function textsOf(causes: readonly StatusCause[]): readonly string[] {
  return causes.map(({ field, message }) => `${field}: ${message}`);
}
