import type { JsonObject } from "#api/kind.ts";
import { isFor, notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";

/** Every image is pulled anew, so that nobody runs a private image that a node has from somebody else. */
export const alwaysPullImages: AdmissionPlugin = {
  name: "AlwaysPullImages",
  mutate(call, attempt) {
    if (attempt.object === undefined || !isConcerned(call, attempt)) return;
    for (const { holder, field } of placesIn(attempt.object)) holder[field] = "Always";
  },
  validate(call, attempt) {
    if (attempt.object === undefined || !isConcerned(call, attempt)) return;
    const wrong = placesIn(attempt.object).filter(
      ({ holder, field }) => holder[field] !== "Always",
    );
    const texts = wrong.map(({ holder, field, path }) => {
      const value = JSON.stringify(stringAt(holder, field));
      return `${path}.${field}: Unsupported value: ${value}: supported values: "Always"`;
    });
    if (texts.length === 0) return;
    throw notAdmitted(call, attempt, texts.join(", "));
  },
};

function isConcerned(call: Call, { operation, object, old }: Attempt): boolean {
  if (!isFor(call, "", "pods")) return false;
  if (operation === "CREATE") return true;
  if (operation !== "UPDATE") return false;
  const before = new Set(imagesOf(old));
  return imagesOf(object).some((image) => !before.has(image));
}

function imagesOf(pod: JsonObject | undefined): readonly string[] {
  const spec = objectAt(pod, "spec");
  return containerFields.flatMap((field) =>
    objectsAt(spec, field).map((container) => stringAt(container, "image")),
  );
}

const containerFields = ["initContainers", "containers", "ephemeralContainers"];

interface Place {
  readonly holder: JsonObject;
  readonly field: string;
  readonly path: string;
}

function placesIn(pod: JsonObject): readonly Place[] {
  const spec = ensureObject(pod, "spec");
  const containers = containerFields.flatMap((field) =>
    objectsAt(spec, field).map((holder, index) => ({
      holder,
      field: "imagePullPolicy",
      path: `spec.${field}[${index}]`,
    })),
  );
  const volumes = objectsAt(spec, "volumes").flatMap((volume, index) =>
    volume.image === undefined
      ? []
      : [
          {
            holder: ensureObject(volume, "image"),
            field: "pullPolicy",
            path: `spec.volumes[${index}].image`,
          },
        ],
  );
  return [...containers, ...volumes];
}
