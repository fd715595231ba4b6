import type { JsonObject } from "#api/kind.ts";
import { isObject, listAt, objectAt, stringAt } from "#apiserver/objects/json.ts";

/** What a conversion webhook is asked. */
export interface ConversionQuestion {
  readonly uid: string;
  /** `v1` or `v1beta1`. */
  readonly version: string;
  readonly desired: string;
  readonly objects: readonly JsonObject[];
}

export function conversionVersion(accepted: readonly string[]): string | undefined {
  return accepted.find((version) => version === "v1" || version === "v1beta1");
}

export function conversionBody({ uid, version, desired, objects }: ConversionQuestion): JsonObject {
  return {
    kind: "ConversionReview",
    apiVersion: `apiextensions.k8s.io/${version}`,
    request: { uid, desiredAPIVersion: desired, objects: [...objects] },
  };
}

/** The objects of an answer, unchecked themselves. Throws an `Error` for an answer that is none. */
export function convertedObjects(
  answer: JsonObject,
  { uid, version }: ConversionQuestion,
): readonly unknown[] {
  if (version === "v1") assertKind(answer);
  const { response } = answer;
  if (!isObject(response)) throw new Error("no response provided");
  const given = stringAt(response, "uid");
  if (version === "v1" && given !== uid) {
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(given)}`);
  }
  const result = objectAt(response, "result");
  const status = stringAt(result, "status");
  if (status !== "Success") {
    const message = stringAt(result, "message");
    throw new Error(message || `response.result.status was '${status}', not 'Success'`);
  }
  return listAt(response, "convertedObjects");
}

function assertKind(answer: JsonObject): void {
  const [kind, version] = [stringAt(answer, "kind"), stringAt(answer, "apiVersion")];
  if (kind === "ConversionReview" && version === "apiextensions.k8s.io/v1") return;
  throw new Error(
    `expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${version}, Kind=${kind}`,
  );
}
