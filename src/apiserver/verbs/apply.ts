import type { Answer } from "../answer.ts";
import type { Call } from "../call.ts";
import { unsupportedMediaType } from "../content/body.ts";

export const applyType = "application/apply-patch+yaml";

/** Server-side apply. */
export function apply(_call: Call): Promise<Answer> {
  return Promise.reject(unsupportedMediaType([]));
}
